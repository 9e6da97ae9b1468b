import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SimulatedDisk, SimulatedStore } from '../../sim/simulated-store.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { LevelStore } from '../../src/adapters/level-store.ts'
import { MemoryStore } from '../../src/adapters/memory-store.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { storeConformance } from './store.ts'

storeConformance(
  'MemoryStore',
  async () => ({ store: new MemoryStore(), settle: promise => promise, dispose: async () => {} }),
  { runs: 300 },
)

storeConformance(
  'LevelStore',
  async () => {
    const path = await mkdtemp(join(tmpdir(), 'carillon-store-'))
    return {
      store: new LevelStore(path),
      again: () => new LevelStore(path),
      settle: promise => promise,
      dispose: () => rm(path, { recursive: true }),
    }
  },
  { runs: 30 },
)

storeConformance(
  'SimulatedStore',
  async () => {
    const clock = new VirtualClock()
    const disk = new SimulatedDisk({ clock, random: new SeededRandom(1) })
    return {
      store: new SimulatedStore(disk),
      again: () => new SimulatedStore(disk),
      settle: promise => settled(clock, promise),
      dispose: async () => {},
    }
  },
  { runs: 100 },
)

/** Drives the clock until the promise is settled. */
async function settled<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let done = false
  const end = (): void => {
    done = true
  }
  promise.then(end, end)
  await clock.runUntil(() => done, 60_000)
  if (!done) throw new Error('the simulated call did not come to an end')
  return promise
}
