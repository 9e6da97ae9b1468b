/** One run of a mesh, judged: what happens follows from the options, and the checkers read its history. */

import { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { Mutant } from '../mutants/mutant.ts'
import { recordMesh } from '../page/mesh-recording.ts'
import type { SeedResult } from '../seeds.ts'
import { portableStacks } from '../stack-traces.ts'
import { Trace } from '../trace.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { meshCheckers } from './checkers/index.ts'
import { MeshHistory } from './history.ts'
import { drawnOf, type MeshPlan, planMesh } from './planner.ts'
import type { PlannedCall } from './tasks/planned-calls.ts'
import { tooLittleWork } from './work.ts'
import { MeshWorld } from './world.ts'

export interface MeshRunOptions {
  readonly seed: number
  /** Virtual minutes with faults. */
  readonly minutes: number
  readonly mix: string
  readonly nodes?: number | undefined
  /** A known bug in every engine. */
  readonly mutant?: Mutant | undefined
  readonly traceFile?: string | undefined
  /** The result has a recording. */
  readonly recorded?: boolean | undefined
  readonly verbose?: boolean | undefined
  /** The result has the calls that users made. */
  readonly keepsCalls?: boolean | undefined
}

export interface MeshResult extends SeedResult {
  readonly calls?: readonly PlannedCall[]
}

export function runMesh(options: MeshRunOptions): Promise<MeshResult> {
  return runPlan(planMesh(options), options)
}

/** For scenarios: what the plan says, whatever the seed would have drawn. */
export async function runPlan(
  plan: MeshPlan,
  options: Omit<MeshRunOptions, 'mix' | 'nodes'>,
): Promise<MeshResult> {
  const random = new SeededRandom(`mesh ${options.seed}`)
  const { wallMs } = plan
  const clock = new VirtualClock({
    monotonicMs: Math.floor(random.float() * 1e6),
    ...(wallMs === undefined ? {} : { wallMs }),
  })
  const startedAt = clock.monotonic()
  const trace = new Trace(clock, {
    file: options.traceFile,
    verbose: options.verbose === true,
    keepsNotes: options.recorded === true,
  })
  const history = new MeshHistory(clock)
  const rejected = (error: unknown): void =>
    history.fault(`unhandled rejection: ${error instanceof Error ? error.stack : error}`)
  process.on('unhandledRejection', rejected)
  const restoreStacks = portableStacks()
  const mutant = options.mutant?.apply({ clock, random: random.fork('mutant') })
  const world = new MeshWorld(plan, { clock, trace, history, random, storeHook: mutant?.store })
  try {
    await world.run(options.minutes * 60_000)
  } catch (error) {
    history.fault(`the simulation itself failed: ${error instanceof Error ? error.stack : String(error)}`)
  } finally {
    await new Promise(resolve => setImmediate(resolve))
    process.off('unhandledRejection', rejected)
    restoreStacks()
    mutant?.undo()
    trace.close()
  }
  const faults = [...history.faults]
  const hasEnded = faults.length === 0 && Number.isFinite(history.endedAt)
  // A run that did not come to its end has failed already; there is nothing to judge.
  for (const { name, check } of Number.isFinite(history.endedAt) ? meshCheckers(world.windowMs) : []) {
    const found: string[] = []
    check(history, plan, text => found.push(text))
    for (const text of found.slice(0, 5)) faults.push(`${name}: ${text}`)
    if (found.length > 5) faults.push(`${name}: and ${found.length - 5} more`)
  }
  const tooLittle = hasEnded ? tooLittleWork(plan, history, options.minutes) : undefined
  if (tooLittle !== undefined) faults.push(`too little work: ${tooLittle}`)
  return {
    seed: options.seed,
    hash: trace.hash,
    faults,
    latest: trace.latest,
    drawn: drawnOf(plan),
    counters: history.counters,
    virtualMs: clock.monotonic() - startedAt,
    events: trace.events,
    ...(options.recorded === true ? { recording: recordMesh(history, plan, trace.notes) } : {}),
    ...(options.keepsCalls === true ? { calls: world.calls } : {}),
  }
}
