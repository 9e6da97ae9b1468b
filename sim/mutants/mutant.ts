/** A known bug, put in from outside: a wrapped port or a patched method. The checkers must find it. */

import type { Random } from '../../src/ports/random.ts'
import type { StoreHook } from '../process.ts'
import type { VirtualClock } from '../virtual-clock.ts'

export interface MutantPorts {
  readonly clock: VirtualClock
  readonly random: Random
}

export interface Mutant {
  readonly name: string
  /** What is broken. */
  readonly breaks: string
  readonly mix: string
  apply(ports: MutantPorts): { readonly store?: StoreHook; readonly undo: () => void }
}
