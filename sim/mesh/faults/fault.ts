/** What a fault of a mesh is. It is planned first, from the seed alone (planner.ts), and carried out later. */

import type { Random } from '../../../src/ports/random.ts'
import type { Disturbance } from '../../network/link.ts'
import type { Trace } from '../../trace.ts'
import type { VirtualClock } from '../../virtual-clock.ts'
import type { MeshHistory } from '../history.ts'
import type { MeshNode } from '../node.ts'

/** Whom a fault strikes, and how. */
export interface StrikeShape {
  /** It ends by itself after this. */
  readonly lastsMs: number
  readonly nodes: readonly number[]
  /** The other side, for faults between nodes. */
  readonly others?: readonly number[]
  /** How bad, in the fault's own measure. */
  readonly amount?: number
}

export interface Strike extends StrikeShape {
  readonly fault: string
  /** After the faults began. */
  readonly atMs: number
}

export interface PlanContext {
  readonly random: Random
  /** How many nodes there are. */
  readonly size: number
  /** All that are up must stay healthy (truth.ts). */
  readonly isGentle: boolean
  /** The mesh carries tasks: wall clocks are set by little only. */
  readonly hasTasks: boolean
  /** Nodes that wait for a strike that lets them join. */
  readonly reserves: readonly number[]
}

export interface MeshContext {
  readonly clock: VirtualClock
  readonly random: Random
  readonly trace: Trace
  readonly history: MeshHistory
  readonly nodes: readonly MeshNode[]
  /** Disturbs the links from each of these to each of those, and sees to it that the truth knows. */
  disturb(from: readonly MeshNode[], to: readonly MeshNode[], disturbance: Disturbance): () => void
  /** The session of a node's worker closes, and with `dies` its process ends; what is returned lets it come back. */
  loseWorker(node: MeshNode, dies: boolean): () => void
  /** The nodes of a strike. */
  nodesOf(numbers: readonly number[] | undefined): MeshNode[]
}

export interface MeshFault {
  readonly name: string
  /** Mean time between two strikes, ms. */
  readonly meanMs: number
  /** It takes a node's process or disk: no two of these strike one node at a time. */
  readonly takesNodes: boolean
  /** It makes a node's store another one: the planner bounds how many. */
  readonly renewsStore?: boolean
  /** Whom it strikes next; undefined: nobody, in so small a mesh. */
  plan(context: PlanContext): StrikeShape | undefined
  /** Strikes now; what is returned ends it. */
  strike(context: MeshContext, strike: Strike): () => void
}

export function pick(random: Random, size: number): number {
  return Math.floor(random.float() * size)
}

/** The numbers 0 to size-1 in random order. */
export function shuffled(random: Random, size: number): number[] {
  const numbers = Array.from({ length: size }, (_, at) => at)
  for (let at = size - 1; at > 0; at--) {
    const other = pick(random, at + 1)
    const number = numbers[at] as number
    numbers[at] = numbers[other] as number
    numbers[other] = number
  }
  return numbers
}

/** One node, and so few others that it has a majority without them. */
export function oneAndMinority(random: Random, size: number): { one: number; few: number[] } {
  const [one, ...rest] = shuffled(random, size) as [number, ...number[]]
  const most = Math.ceil(size / 2) - 1
  return { one, few: rest.slice(0, 1 + pick(random, most)) }
}

export function namesOf(nodes: readonly MeshNode[]): string {
  return nodes.map(node => node.name).join(' ')
}

/** Mostly short, now and then long. */
export function between(random: Random, leastMs: number, mostMs: number): number {
  return leastMs + random.float() ** 2 * (mostMs - leastMs)
}
