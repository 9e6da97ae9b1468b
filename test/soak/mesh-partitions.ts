/**
 * Meshes of real processes on machines in miniature, cut into parts while users call through every node: halves, one alone,
 * one way only, lossy, flapping, and one that stands still. Then all is mended, and within 10 s all copies are equal on
 * the disks, one node acts for each range, and nothing that was acknowledged is lost. The same is asked of nodes that are
 * restarted one after the other, and of ten that join at once.
 */

import { readFileSync } from 'node:fs'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { MeshView } from '../../src/task/views.ts'
import { againInNamespaces, type Family, type Loss, ownNamespaces } from '../support/namespaces.ts'
import { Clients } from './partition-clients.ts'
import {
  type Acknowledged,
  type Attempt,
  attemptsOf,
  broken,
  duplicatesOf,
  early,
  latenessOf,
  missing,
  type Trouble,
  unarmed,
  unequal,
} from './partition-judge.ts'
import { Machines } from './partition-machines.ts'
import { LONG, SCENARIOS, type Scenario } from './partition-scenarios.ts'

export interface MeshPartitionsOptions {
  readonly seed: number
  /** Undefined: one after the other. */
  readonly scenario: string | undefined
}

const SETTLED_MS_MAX = 120_000
/** Membership says in which time a silent node is found; a busy machine takes longer. */
const NOTICED_MS_MAX = 90_000
const CALM_MS = 3000
/** A restart takes so long, without the start and the end. */
const AWAY_MS = 1000
/** What is allowed from the heal to equal disks. */
const EQUAL_MS = 10_000
/** One look before, to see how soon it is; and later ones for those that were late. */
const LOOKS_MS = [5000, EQUAL_MS, 20_000, 40_000]
/** What was acknowledged runs; it may be late. */
const DRAINED_MS_MAX = 60_000
/** Then all is well: every call is acknowledged. */
const AFTER_MS = 3000
const REPLICAS = 3
const TOLD_MAX = 5

/** Resolves with what went wrong; prints figures. */
export async function meshPartitions({ seed, scenario }: MeshPartitionsOptions): Promise<string[]> {
  const all = Object.keys(SCENARIOS)
  if (scenario !== undefined && !all.includes(scenario))
    return [`there is no scenario "${scenario}": there are ${all.join(', ')}`]
  const scratch = ownNamespaces()
  if (scratch !== undefined && scenario !== undefined) return one(scenario, seed, scratch)
  const failures: string[] = []
  for (const name of scenario === undefined ? LONG : [scenario]) {
    const code = await againInNamespaces(['mesh-partitions', '--seed', `${seed}`, '--scenario', name])
    if (code !== 0) failures.push(`npm run soak -- mesh-partitions --seed ${seed} --scenario ${name}`)
  }
  return failures
}

async function one(name: string, seed: number, scratch: string): Promise<string[]> {
  const scenario = SCENARIOS[name]?.(new SeededRandom(`${seed} ${name}`)) as Scenario
  const family: Family = (seed + Object.keys(SCENARIOS).indexOf(name)) % 2 === 0 ? 'IPv6' : 'IPv4'
  const title = `mesh-partitions: ${name}, seed ${seed}, ${scenario.machines} nodes, ${family}`
  console.log(title)
  const machines = new Machines(scratch, scenario, family)
  try {
    await machines.start(scenario.founders)
    await settled(machines)
    const whole = new Clients(machines, { seed: `${seed}`, name: 'once' })
    whole.start()
    await sleep(CALM_MS)
    const troubles = await carryOut(scenario, machines)
    const healedAt = Date.now()
    const answered = whole.end()
    const failures = await looks(machines, healedAt)
    await answered
    const after = new Clients(machines, { seed: `${seed} after`, name: 'after' })
    after.start()
    await sleep(AFTER_MS)
    await after.end()
    for (const [code, count] of after.failed)
      failures.push(`${count} calls were refused when all was well: ${code}`)
    if (name === 'calm')
      for (const [code, count] of whole.failed)
        failures.push(`${count} calls were refused in a calm: ${code}`)
    const acknowledged = [...whole.acknowledged, ...after.acknowledged]
    const attempts = await drained(machines, acknowledged, healedAt)
    const [view] = await viewsOf(machines)
    const listings = await machines.listings()
    failures.push(...(view === undefined ? ['node 0 does not answer'] : unequal(listings, view)))
    failures.push(...unarmed(acknowledged, listings, REPLICAS))
    failures.push(...judge(acknowledged, attempts, troubles))
    tell(acknowledged, attempts, { troubles, whole, healedAt })
    return failures
  } finally {
    machines.kill()
  }
}

/** Carries the plan out; resolves, when all is mended, with what was done and when. */
async function carryOut({ steps }: Scenario, machines: Machines): Promise<Trouble[]> {
  const troubles: Trouble[] = []
  let lost = 0
  for (const { forMs, isNoticed, losses, stopped, restarted, joining } of steps) {
    const from = Date.now()
    lost += machines.lose(losses)
    for (const machine of stopped) machines.stop(machine)
    if (isNoticed) await noticed(machines, losses)
    await sleep(forMs)
    for (const machine of stopped) machines.goOn(machine)
    for (const machine of restarted) {
      await machines.restart(machine, AWAY_MS)
      await settled(machines)
      await sleep(CALM_MS)
    }
    if (joining > 0) {
      await machines.start(joining)
      await settled(machines)
    }
    if (losses.length + stopped.length + restarted.length + joining > 0)
      troubles.push({ losses, stopped, restarted, from, to: Date.now() })
  }
  lost += machines.lose([])
  const tookMs = troubles.reduce((sum, { from, to }) => sum + to - from, 0)
  const times = troubles.map(({ from, to }) => `${from}-${to}`).join(' ')
  console.log(`  ${(tookMs / 1000).toFixed(1)} s of it (${times}), ${lost} frames lost`)
  if (lost === 0 && steps.some(({ losses }) => losses.length > 0))
    throw new Error('no frame was lost: this tests nothing')
  return troubles
}

/** Whoever is cut off from another has it for away. */
async function noticed(machines: Machines, losses: readonly Loss[]): Promise<void> {
  const from = Date.now()
  for (;;) {
    const views = await viewsOf(machines)
    const isSeen = views.every((view, machine) => {
      const cut = losses.filter(loss => loss.to === machine).length
      return view?.stores.filter(({ state }) => state === 'live').length === machines.all.length - cut
    })
    if (isSeen) break
    if (Date.now() > from + NOTICED_MS_MAX)
      throw new Error(`nobody noticed the cut: ${JSON.stringify(views)}`)
    await sleep(100)
  }
  console.log(`  noticed after ${((Date.now() - from) / 1000).toFixed(1)} s`)
}

/** Looks at views and disks until they are as they should be; what was wrong when the time was over. */
async function looks(machines: Machines, healedAt: number): Promise<string[]> {
  let late: string[] = []
  for (const afterMs of LOOKS_MS) {
    await sleep(healedAt + afterMs - Date.now())
    const views = await viewsOf(machines)
    const [view] = views
    const listings = await machines.listings()
    const wrong = [...broken(views), ...(view === undefined ? [] : unequal(listings, view))]
    console.log(`  ${afterMs / 1000} s after the heal: ${wrong[0] ?? 'whole, and all copies equal'}`)
    if (wrong.length === 0) break
    if (afterMs === EQUAL_MS) late = wrong.map(each => `${EQUAL_MS / 1000} s after the heal: ${each}`)
  }
  return late
}

async function settled(machines: Machines): Promise<void> {
  const until = Date.now() + SETTLED_MS_MAX
  for (;;) {
    const wrong = broken(await viewsOf(machines))
    if (wrong.length === 0) return
    if (Date.now() > until) throw new Error(`the mesh has not settled: ${wrong.join(', ')}`)
    await sleep(200)
  }
}

async function viewsOf(machines: Machines): Promise<Array<MeshView | undefined>> {
  return Promise.all(machines.all.map(async machine => (await machines.ask(machine))?.mesh))
}

/** All that was acknowledged has completed, or the time is over. */
async function drained(
  machines: Machines,
  acknowledged: readonly Acknowledged[],
  healedAt: number,
): Promise<Attempt[]> {
  for (;;) {
    const attempts = attemptsOf(readFileSync(machines.story, 'utf8'))
    if (missing(acknowledged, attempts).length === 0 || Date.now() > healedAt + DRAINED_MS_MAX)
      return attempts
    await sleep(500)
  }
}

function judge(
  acknowledged: readonly Acknowledged[],
  attempts: readonly Attempt[],
  troubles: readonly Trouble[],
): string[] {
  const failures = missing(acknowledged, attempts)
  if (acknowledged.length === 0) failures.push('nothing was acknowledged')
  failures.push(...early(attempts))
  const { unexplained } = duplicatesOf(attempts, troubles)
  return [...failures, ...unexplained]
}

function tell(
  acknowledged: readonly Acknowledged[],
  attempts: readonly Attempt[],
  { troubles, whole, healedAt }: { troubles: readonly Trouble[]; whole: Clients; healedAt: number },
): void {
  const { runs, completions, acrossCut, inTrouble } = duplicatesOf(attempts, troubles)
  const refused = [...whole.failed].map(([code, count]) => `${count} ${code}`).join(', ') || 'none'
  const runsSeen = new Set(attempts.map(({ key }) => key)).size
  const [begin = healedAt, end] = [troubles[0]?.from, healedAt + EQUAL_MS]
  const lateness = [
    ['before', latenessOf(acknowledged, attempts, 0, begin)],
    ['meanwhile', latenessOf(acknowledged, attempts, begin, end)],
    ['after', latenessOf(acknowledged, attempts, end)],
  ] as const
  const later = acknowledged.filter(({ armedFor }) => armedFor !== undefined).length
  console.log(
    `  ${acknowledged.length} calls acknowledged (${later} armed for later), refused: ${refused}; ${attempts.length} attempts of ` +
      `${runsSeen} runs, ${missing(acknowledged, attempts).length} lost\n` +
      `  completed twice: ${runs} (${completions} completions too many), ${acrossCut} on both sides, ${inTrouble.length} else meanwhile\n` +
      `  late, ms: ${lateness.map(([when, late]) => `${when} ${percentiles(late)}`).join('; ')}`,
  )
  for (const each of inTrouble.slice(0, TOLD_MAX)) console.log(`  ${each}`)
}

function percentiles(sorted: readonly number[]): string {
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)}`
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, Math.max(0, ms)))
}
