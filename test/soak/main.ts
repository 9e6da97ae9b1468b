/** `npm run soak -- NAME`: what takes too long for `npm test`. Each prints what docs/evidence.md tells. */

import { parseArgs } from 'node:util'
import { crash } from './crash.ts'
import { mesh } from './mesh.ts'
import { meshKills } from './mesh-kills.ts'
import { meshLoad } from './mesh-load.ts'
import { meshPartitions } from './mesh-partitions.ts'
import { replication } from './replication.ts'
import { simulation } from './simulation.ts'
import { zones } from './zones.ts'

const USAGE = `npm run soak -- NAME [options]
  crash       a real process under load, killed with kill -9: --kills N (default 200)
  mesh-kills  three real processes, one killed with kill -9 at a time, each third with its disk: --kills N (default 200)
  mesh-partitions  real processes, each with a network of its own, cut into parts: --scenario NAME (default all)
  mesh-load   three real processes under an even load, whose memory and handles must not grow: --minutes M (default 30)
  simulation  seeds of the simulator, each in every mix of faults: --seeds N (default 1000)
  mesh        seeds of simulated meshes without tasks, each in the next mix of faults: --seeds N (default 2000)
  tasks       the same with tasks and their judges: --seeds N (default 5000)
  replication seeds of its explorer, of every mix: --seeds N (default 1000)
  zones       recurrence around each change of each time zone, against a walk through all minutes
  --seed N    the first seed (default: crash one by chance, else 1)`

const { values, positionals } = read()
const [name] = positionals
const seed = number('seed', values.seed, name === 'crash' ? Math.floor(Math.random() * 2 ** 31) : 1, 0)
let failures: string[]
if (name === 'crash') failures = await crash({ kills: number('kills', values.kills, 200, 1), seed })
else if (name === 'mesh-kills') {
  failures = await meshKills({ kills: number('kills', values.kills, 200, 1), seed })
} else if (name === 'mesh-partitions') {
  failures = await meshPartitions({ seed, scenario: values.scenario })
} else if (name === 'mesh-load') {
  failures = await meshLoad({ minutes: number('minutes', values.minutes, 30, 1) })
} else if (name === 'simulation') {
  failures = await simulation({ seeds: number('seeds', values.seeds, 1000, 1), seed })
} else if (name === 'mesh') failures = await mesh({ seeds: number('seeds', values.seeds, 2000, 1), seed })
else if (name === 'tasks') {
  failures = await mesh({ seeds: number('seeds', values.seeds, 5000, 1), seed, hasTasks: true })
} else if (name === 'replication') {
  failures = await replication({ seeds: number('seeds', values.seeds, 1000, 1), seed })
} else if (name === 'zones') failures = zones()
else refuse(name === undefined ? 'which soak?' : `there is no soak "${name}"`)
for (const failure of failures.slice(0, 20)) console.error(`FAILED: ${failure}`)
process.exit(failures.length === 0 ? 0 : 1)

function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        kills: { type: 'string' },
        minutes: { type: 'string' },
        seeds: { type: 'string' },
        seed: { type: 'string' },
        scenario: { type: 'string' },
      },
    })
  } catch (error) {
    refuse((error as Error).message)
  }
}

function number(option: string, text: string | undefined, otherwise: number, least: number): number {
  const value = text === undefined ? otherwise : Number(text)
  if (!Number.isSafeInteger(value) || value < least)
    refuse(`--${option} ${text}: allowed are whole numbers from ${least}`)
  return value
}

function refuse(why: string): never {
  console.error(`${why}\n${USAGE}`)
  process.exit(2)
}
