/**
 * Every instant at which a store can die: a script is carried out once to count its writes, then once for each of
 * them and each way to die there.
 */

import { SimulatedNode } from '../../sim/node.ts'
import type { CrashOptions } from '../../sim/simulated-store.ts'
import type { TaskStoreOptions } from '../../src/store/task-store.ts'
import { Crashed, StoreBed } from './test-bed.ts'

interface Way {
  readonly name: string
  /** Before the write is begun, or while it is under way. */
  readonly underWay: boolean
  readonly options: CrashOptions
}

const WAYS: readonly Way[] = [
  { name: 'killed before', underWay: false, options: { powerCut: false } },
  { name: 'power cut before', underWay: false, options: { powerCut: true } },
  { name: 'killed during', underWay: true, options: { powerCut: false } },
  { name: 'power cut during', underWay: true, options: { powerCut: true } },
  { name: 'torn at', underWay: true, options: { powerCut: false, tear: SimulatedNode.mayTear } },
]

export interface CrashPoint {
  readonly bed: StoreBed
  /** For messages: how it died, and at which write. */
  readonly where: string
}

/**
 * Runs `script` on a new bed up to each of its writes, and hands the dead bed to `verdict`. Returns how many points
 * there were.
 */
export async function atEveryWrite<T>(
  options: Partial<TaskStoreOptions>,
  begin: (bed: StoreBed) => T,
  script: (bed: StoreBed, state: T) => Promise<void>,
  verdict: (point: CrashPoint, state: T) => Promise<void>,
): Promise<number> {
  const count = await countWrites(options, begin, script)
  for (let at = 1; at <= count; at++) {
    for (const [number, way] of WAYS.entries()) {
      const bed = new StoreBed(options, `${at}/${number}`)
      await bed.open()
      const state = begin(bed)
      let writes = 0
      bed.onWrite = () => {
        if (++writes !== at) return
        bed.onWrite = () => undefined
        if (way.underWay) queueMicrotask(() => bed.crash(way.options))
        else bed.crash(way.options)
      }
      const died = await script(bed, state).then(
        () => false,
        (error: unknown) => {
          if (error instanceof Crashed) return true
          throw error
        },
      )
      if (!died && writes < at)
        throw new Error(`write ${at} of ${count} never came: the script is not the same twice`)
      if (!died && bed.isAlive) bed.crash(way.options)
      await verdict({ bed, where: `${way.name} write ${at} of ${count}` }, state)
    }
  }
  return count * WAYS.length
}

async function countWrites<T>(
  options: Partial<TaskStoreOptions>,
  begin: (bed: StoreBed) => T,
  script: (bed: StoreBed, state: T) => Promise<void>,
): Promise<number> {
  const bed = new StoreBed(options)
  await bed.open()
  const state = begin(bed)
  let count = 0
  bed.onWrite = () => void count++
  await script(bed, state)
  return count
}
