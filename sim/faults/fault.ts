/** What a fault may touch, and what it is. */

import type { Random } from '../../src/ports/random.ts'
import type { SimulatedClient } from '../client.ts'
import type { History } from '../history.ts'
import type { SimulatedNode } from '../node.ts'
import type { SimulatedDisk } from '../simulated-store.ts'
import type { Trace } from '../trace.ts'
import type { VirtualClock } from '../virtual-clock.ts'

export interface FaultContext {
  readonly clock: VirtualClock
  readonly random: Random
  readonly history: History
  readonly trace: Trace
  readonly disk: SimulatedDisk
  readonly node: SimulatedNode
  readonly clients: readonly SimulatedClient[]
  /** How much longer each call to the disk takes; 1 is normal. */
  readonly diskPace: { factor: number }
}

export interface Fault {
  readonly name: string
  /** Mean time between two strikes, ms. */
  readonly meanMs: number
  /** Strikes now. What lasts returns how it ends, and after how long it ends by itself. */
  strike(context: FaultContext): { readonly lastsMs: number; readonly end: () => void } | undefined
}
