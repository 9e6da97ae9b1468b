/**
 * Who is first in each list, and so owns the range while all are live. A bound of its own, as the lists' says nothing
 * of it: ownership is the work (timers, claims, dispatch), a place in a list is copies. The first of the walk that has
 * not its bound of ranges yet.
 */

import { swapsFor } from './swaps.ts'

/** The owner of each range, one of its list. Above its bound, by one, only where no swap can help: weights and zones can do it. */
export function ownersOf(lists: Int32Array, ranges: number, bounds: Int32Array): Int32Array {
  const places = lists.length / ranges
  const owners = new Int32Array(ranges).fill(-1)
  const loads = new Int32Array(bounds.length)
  const hasRoom = (member: number) => (loads[member] as number) < (bounds[member] as number)
  const listOf = (range: number) => lists.subarray(range * places, (range + 1) * places)
  function* replacements(member: number) {
    for (let range = owners.indexOf(member); range !== -1; range = owners.indexOf(member, range + 1)) {
      for (const by of listOf(range)) yield { range, by }
    }
  }
  const above = (member: number) => (loads[member] as number) - (bounds[member] as number)

  for (let range = 0; range < ranges; range++) {
    const list = listOf(range)
    let owner = list.find(hasRoom)
    if (owner === undefined) {
      for (const swap of swapsFor({ size: bounds.length, wanted: list, hasRoom, replacements }) ?? []) {
        owners[swap.range] = swap.by
        loads[swap.member]!--
        loads[swap.by]!++
      }
      owner = list.reduce((least, member) => (above(member) < above(least) ? member : least))
    }
    owners[range] = owner
    loads[owner]!++
  }
  return owners
}
