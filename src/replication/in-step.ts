/**
 * What stores that are in step say to each other (PROTOCOLS, rule 12): now and then one message for all ranges that they
 * share, with a sum of what each of the two is at in each of them. Nothing relies on it: a change is told by who has it, and
 * again until that is known. It finds what no protocol explains, such as two that each hold the other for equal, and are not.
 * Where the sums differ twice in a row (once may be a change on its way) each range is told by itself.
 */

import type { InStep } from './messages.ts'
import type { RangeReplica } from './range-replica.ts'
import type { Parts } from './replica.ts'

/** Of the ranges in which the other is in step, as far as is known here. */
interface Sum {
  count: number
  sum: number
}

export class InStepWords {
  readonly #parts: Parts
  readonly #replicas: () => Iterable<RangeReplica>
  /** Whose last word did not fit. */
  readonly #apart = new Set<string>()
  nextAt = Number.NEGATIVE_INFINITY

  constructor(parts: Parts, replicas: () => Iterable<RangeReplica>) {
    this.#parts = parts
    this.#replicas = replicas
  }

  tick(now: number): void {
    if (now < this.nextAt) return
    this.nextAt = now + this.#parts.options.digestIdleMs
    const sums = new Map<string, Sum>()
    for (const replica of this.#replicas()) {
      for (const store of this.#others(replica)) {
        const known = sums.get(store)
        const { gossip, range } = replica
        const number = pairOf(range, gossip.now(), gossip.heardFrom(store))
        if (known === undefined) sums.set(store, { count: 1, sum: number })
        else add(known, number)
      }
    }
    for (const [store, sum] of sums) this.#parts.host.send(store, { type: 'in-step', range: 0, ...sum })
  }

  heard(from: string, { count, sum }: InStep): void {
    const own = { count: 0, sum: 0 }
    const shared: RangeReplica[] = []
    for (const replica of this.#replicas()) {
      if (!this.#others(replica).includes(from)) continue
      const { gossip, range } = replica
      shared.push(replica)
      add(own, pairOf(range, gossip.heardFrom(from), gossip.now()))
    }
    const isSame = own.count === count && own.sum === sum
    if (isSame) this.#apart.delete(from)
    else if (!this.#apart.delete(from)) this.#apart.add(from)
    else for (const { gossip } of shared) gossip.tell(from)
  }

  /** Who keeps the range as well, lives, and is in step. */
  #others({ others, role, gossip }: RangeReplica): readonly string[] {
    if (role === 'none' || role === 'outside' || role === 'deleting') return []
    return others.filter(store => gossip.isInStep(store))
  }
}

function add(to: Sum, number: number): void {
  to.count++
  to.sum = (to.sum + number) >>> 0
}

/** What the one who speaks and the one who hears are at, as one number. */
function pairOf(range: number, speaker: number, hearer: number): number {
  let mixed = Math.imul((range + 1) ^ speaker, 0x9e3779b1)
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ hearer, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
