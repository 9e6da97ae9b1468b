/** Many seeds of the explorer of replication, two processes at a time, each mix by turns. */

import { spawn } from 'node:child_process'
import { join } from 'node:path'

const AT_A_TIME = 2
/** Seeds of one process; its faults are told when it ends. */
const SLICE = 250

export async function replication(options: {
  readonly seed: number
  readonly seeds: number
}): Promise<string[]> {
  const { seed, seeds } = options
  const slices: Array<{ seed: number; seeds: number }> = []
  for (let done = 0; done < seeds; done += SLICE)
    slices.push({ seed: seed + done, seeds: Math.min(SLICE, seeds - done) })
  const failures: string[] = []
  const from = performance.now()
  const work = async (): Promise<void> => {
    for (let slice = slices.shift(); slice !== undefined; slice = slices.shift()) {
      const { code, output } = await explore(slice.seed, slice.seeds)
      const failed = [...output.matchAll(/^seed \d+: .*$/gm)].map(([line]) => line)
      failures.push(...failed)
      if (code !== 0 && failed.length === 0)
        failures.push(`from seed ${slice.seed}: exit code ${code}: ${output.slice(-2000)}`)
      console.log(`${((performance.now() - from) / 1000).toFixed(0)} s: ${output.trim().split('\n').at(-1)}`)
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work))
  console.log(`${seeds} seeds from ${seed}: ${failures.length} failed`)
  return failures
}

function explore(seed: number, seeds: number): Promise<{ code: number | null; output: string }> {
  const main = join(import.meta.dirname, '../../sim/replication/main.ts')
  const child = spawn(process.execPath, [main, '--seed', String(seed), '--seeds', String(seeds)])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  return new Promise(resolve => child.on('close', code => resolve({ code, output })))
}
