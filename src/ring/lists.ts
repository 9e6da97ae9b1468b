/**
 * Which members keep each range: consistent hashing with bounded loads. A range walks the ring and takes whom it
 * meets, but not who has its bound of places already, nor one of a zone that has had its turn.
 *
 * What gives way to what, where not all can be had: in a list all are distinct, always; the zones come before the
 * bound, since a zone that fails is worse than a store with more to do.
 */

import { invariant } from '../invariant.ts'
import type { Ring } from './ring.ts'
import type { Zones } from './shares.ts'
import { type Swap, swapsFor } from './swaps.ts'

/** After so many ways of swaps without room for a place, the bound is given up for it. */
const WAYS_MAX = 16

/** Of each range `places` members, in the order of its walk. Without `bounds` it takes whom it meets. */
export function listsOf(
  ring: Ring,
  zones: Zones,
  ranges: number,
  places: number,
  bounds?: Int32Array | undefined,
): Int32Array {
  return new Lists(ring, zones, ranges, places, bounds ?? new Int32Array(ring.size).fill(ranges)).build()
}

class Lists {
  readonly #ring: Ring
  readonly #zones: Zones
  readonly #ranges: number
  readonly #places: number
  readonly #bounds: Int32Array
  readonly #loads: Int32Array
  /** Range by range, `#places` for each. */
  readonly #members: Int32Array
  /** How many members a list has. Only the one in the making has not all. */
  readonly #lengths: Int32Array
  /** Of the list in the making: members of each zone, and how many places beyond the bases are left. */
  readonly #inZone: Int32Array
  #extraLeft = 0
  /** Lists that are no longer in the order of their walk. */
  readonly #unsorted = new Set<number>()

  constructor(ring: Ring, zones: Zones, ranges: number, places: number, bounds: Int32Array) {
    this.#ring = ring
    this.#zones = zones
    this.#ranges = ranges
    this.#places = places
    this.#bounds = bounds
    this.#loads = new Int32Array(ring.size)
    this.#members = new Int32Array(ranges * places)
    this.#lengths = new Int32Array(ranges)
    this.#inZone = new Int32Array(zones.base.length)
  }

  build(): Int32Array {
    for (let range = 0; range < this.#ranges; range++) {
      this.#lookAt(range)
      this.#fill(range)
      while (this.#length(range) < this.#places) this.#fillByForce(range)
    }
    this.#sort()
    return this.#members
  }

  #fill(range: number): void {
    this.#ring.walk(range, member => {
      if (this.#hasRoom(member) && this.#zoneHasTurn(member)) this.#add(range, member)
      return this.#length(range) === this.#places
    })
  }

  /** One place more, by swaps in lists made before; if that fails too, with whom is least above its bound. */
  #fillByForce(range: number): void {
    this.#unsorted.add(range)
    for (let ways = 0; ways < WAYS_MAX; ways++) {
      this.#lookAt(range)
      const wanted = this.#wanted(range)
      const free = wanted.find(member => this.#hasRoom(member))
      if (free !== undefined) {
        this.#add(range, free)
        return
      }
      const way = swapsFor({
        size: this.#ring.size,
        wanted,
        hasRoom: member => this.#hasRoom(member),
        replacements: member => this.#replacements(member),
      })
      if (way === undefined) break
      // A swap can stand in the way of a later one in the same list; those made are good all the same.
      for (const swap of way) if (!this.#made(swap)) break
    }
    this.#lookAt(range)
    const above = (member: number) => (this.#loads[member] as number) - (this.#bounds[member] as number)
    const [first, ...others] = this.#wanted(range)
    invariant(first !== undefined, 'a list that is not full lacks someone')
    this.#add(
      range,
      others.reduce((least, member) => (above(member) < above(least) ? member : least), first),
    )
  }

  /** Who could be in the list besides those that are, in the order of the walk. */
  #wanted(range: number): number[] {
    const wanted: number[] = []
    this.#ring.walk(range, member => {
      if (!this.#has(range, member) && this.#zoneHasTurn(member)) wanted.push(member)
      return false
    })
    return wanted
  }

  *#replacements(member: number): Generator<{ range: number; by: number }> {
    for (let range = 0; range < this.#ranges && this.#length(range) > 0; range++) {
      if (!this.#has(range, member)) continue
      for (let by = 0; by < this.#ring.size; by++) {
        if (this.#mayReplace(range, member, by)) yield { range, by }
      }
    }
  }

  #mayReplace(range: number, member: number, by: number): boolean {
    if (this.#has(range, by)) return false
    const [from, to] = [this.#zoneOf(member), this.#zoneOf(by)]
    if (from === to) return true
    const { base, mayHaveMore } = this.#zones
    const spare = this.#countIn(range, from) > (base[from] as number)
    return spare && this.#countIn(range, to) === base[to] && mayHaveMore[to] === true
  }

  #made({ range, member, by }: Swap): boolean {
    if (!this.#has(range, member) || !this.#mayReplace(range, member, by) || !this.#hasRoom(by)) return false
    const at = this.#members.indexOf(member, range * this.#places)
    this.#members[at] = by
    this.#loads[member]!--
    this.#loads[by]!++
    this.#unsorted.add(range)
    return true
  }

  /** A member that came by a swap, or by force, stands where it would had it been met by the walk. */
  #sort(): void {
    for (const range of this.#unsorted) {
      const list = this.#list(range)
      const members = new Set(list)
      let at = 0
      this.#ring.walk(range, member => {
        if (members.has(member)) list[at++] = member
        return at === list.length
      })
    }
  }

  /** Counts the zones of a list. */
  #lookAt(range: number): void {
    this.#inZone.fill(0)
    this.#extraLeft = this.#zones.extra
    for (let i = 0; i < this.#length(range); i++) this.#count(this.#at(range, i))
  }

  #count(member: number): void {
    const zone = this.#zoneOf(member)
    if (this.#inZone[zone] === this.#zones.base[zone]) this.#extraLeft--
    this.#inZone[zone]!++
  }

  #countIn(range: number, zone: number): number {
    let count = 0
    for (let i = 0; i < this.#length(range); i++) if (this.#zoneOf(this.#at(range, i)) === zone) count++
    return count
  }

  #zoneHasTurn(member: number): boolean {
    const zone = this.#zoneOf(member)
    const [has, base] = [this.#inZone[zone] as number, this.#zones.base[zone] as number]
    return has < base || (has === base && this.#extraLeft > 0)
  }

  #add(range: number, member: number): void {
    this.#members[range * this.#places + this.#length(range)] = member
    this.#lengths[range]!++
    this.#loads[member]!++
    this.#count(member)
  }

  #list(range: number): Int32Array {
    return this.#members.subarray(range * this.#places, range * this.#places + this.#length(range))
  }

  #has(range: number, member: number): boolean {
    for (let i = 0; i < this.#length(range); i++) if (this.#at(range, i) === member) return true
    return false
  }

  #hasRoom(member: number): boolean {
    return (this.#loads[member] as number) < (this.#bounds[member] as number)
  }

  #zoneOf(member: number): number {
    return this.#zones.zoneOf[member] as number
  }

  #at(range: number, i: number): number {
    return this.#members[range * this.#places + i] as number
  }

  #length(range: number): number {
    return this.#lengths[range] as number
  }
}
