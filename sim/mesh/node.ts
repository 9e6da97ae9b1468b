/** What the faults of a mesh know of a node: a machine with a disk, and a process that runs on it or not. */

import type { SimulatedHost } from '../network/host.ts'

export interface MeshNode {
  readonly number: number
  readonly name: string
  readonly host: SimulatedHost
  /** Its process runs, or stands still; not while it stops in an orderly way. */
  readonly isUp: boolean
  readonly isPaused: boolean
  /** A new process on the disk as it is. Nothing, if one runs. */
  start(): void
  /** kill -9: the machine resets its connections. */
  kill(): void
  /** The machine goes, too: nothing answers for it. */
  powerCut(): void
  /** An orderly stop; resolves when the process has ended. */
  stop(): Promise<void>
  /** The process stands still (SIGSTOP), or goes on. */
  pause(paused: boolean): void
  /** An empty disk. The process must not run. */
  wipe(): void
  /** What lies on the disk now, to be put back later. */
  image(): DiskImage
  /** The disk is what it was. The process must not run. */
  restore(image: DiskImage): void
  /** Somebody sets the machine's wall clock, by so many ms. */
  stepClock(ms: number): void
}

export interface DiskImage {
  readonly entries: readonly (readonly [key: string, value: Uint8Array])[]
}
