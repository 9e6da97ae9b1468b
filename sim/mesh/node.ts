/** What the faults of a mesh know of a node: a machine with a disk, and a process that runs on it or not. */

import type { StoreId } from '../../src/membership/view.ts'
import type { SimulatedHost } from '../network/host.ts'

export interface MeshNode {
  readonly number: number
  readonly name: string
  readonly host: SimulatedHost
  /** Its process runs, or stands still; not while it stops in an orderly way. */
  readonly isUp: boolean
  readonly isPaused: boolean
  /** Its machine has too much to do: all that reaches its process comes late. */
  readonly isBusy: boolean
  /** It is not part of the mesh: it has not joined yet, or it has left. It does not start. */
  readonly isRetired: boolean
  /** What its disk is known as; undefined before its first start. */
  readonly store: StoreId | undefined
  /** The version of the wire that its next process speaks: others don't let it in. */
  wire: number
  /** A new process on the disk as it is. Nothing, if one runs. */
  start(): void
  /** kill -9: the machine resets its connections. */
  kill(): void
  /** The machine goes, too: nothing answers for it. Torn, what it wrote last and did not sync is there in part. */
  powerCut(isTorn?: boolean): void
  /** An orderly stop, for which running attempts have so long to end, default 0; resolves when the process has ended. */
  stop(graceMs?: number): Promise<void>
  /** Leaves the mesh for good, and stops. */
  leave(): Promise<void>
  retire(isRetired: boolean): void
  /** Its operator removes a store from the mesh; rejects while that is not allowed. */
  forget(store: StoreId): Promise<void>
  /** The process stands still (SIGSTOP), or goes on. */
  pause(paused: boolean): void
  /** All that should reach the processes of its machine comes so much later, from now on; 0: nothing does. */
  lag(ms: number): void
  /** An empty disk. The process must not run. */
  wipe(): void
  /** What lies on the disk now, to be put back later. */
  image(): DiskImage
  /** The disk is what it was. The process must not run. */
  restore(image: DiskImage): void
  /** Somebody sets the machine's wall clock, by so many ms. */
  stepClock(ms: number): void
  /** Its disk takes so many times longer; 1: it is as good as ever. */
  slowDisk(factor: number): void
  /** There is no space left on its disk, or there is again. */
  fillDisk(isFull: boolean): void
  /** A bit of what lies on its disk is another; false: nothing of that kind is there. The process must not run. */
  flipBit(): boolean
  /** The next sync of its disk fails, or does not after all. */
  failSync(fails: boolean): void
}

export interface DiskImage {
  readonly entries: readonly (readonly [key: string, value: Uint8Array])[]
}
