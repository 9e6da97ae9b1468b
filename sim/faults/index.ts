/** The faults of a seed: each strikes at random instants until they are all healed. */

import { clockJump } from './clock-jump.ts'
import { crash } from './crash.ts'
import { crashInSpill } from './crash-in-spill.ts'
import { crashLoop } from './crash-loop.ts'
import { diskFull } from './disk-full.ts'
import { failedSync } from './failed-sync.ts'
import type { Fault, FaultContext } from './fault.ts'
import { pause } from './pause.ts'
import { slowDisk } from './slow-disk.ts'
import { stallCrash } from './stall-crash.ts'
import { workerLoss } from './worker-loss.ts'

/** They strike where it hurts, each for the mixes that are made for it. */
export const AIMED: readonly string[] = [crashInSpill.name, stallCrash.name]

export const FAULTS: readonly Fault[] = [
  crash,
  crashLoop,
  diskFull,
  failedSync,
  clockJump,
  slowDisk,
  pause,
  workerLoss,
  crashInSpill,
  stallCrash,
]

export class Faults {
  readonly #context: FaultContext
  readonly #ends = new Set<() => void>()
  #healed = false

  constructor(context: FaultContext) {
    this.#context = context
  }

  /** `pace` above 1: the faults strike more often. */
  start(faults: readonly Fault[], pace: number): void {
    for (const fault of faults) this.#next(fault, pace)
  }

  /** Ends what lasts, and lets nothing strike any more. */
  heal(): void {
    this.#healed = true
    for (const end of [...this.#ends]) end()
  }

  #next(fault: Fault, pace: number): void {
    const { clock, random, history } = this.#context
    const wait = (-Math.log(1 - random.float()) * fault.meanMs) / pace
    clock.setTimer(wait, () => {
      if (this.#healed) return
      const lasting = fault.strike(this.#context)
      history.count(`fault ${fault.name}`)
      if (lasting !== undefined) {
        const end = (): void => {
          if (this.#ends.delete(end)) lasting.end()
        }
        this.#ends.add(end)
        clock.setTimer(lasting.lastsMs, end)
      }
      this.#next(fault, pace)
    })
  }
}
