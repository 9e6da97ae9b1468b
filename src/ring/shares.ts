/**
 * What is each store's share of the places in the lists, and how far above it may it get: the bound of consistent
 * hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016), for weights and zones. A share is in proportion
 * to the weight, but nobody is twice in one list, and zones take turns; what a store can't use, the others share.
 *
 * Shares are counted in whole UNITs, never in fractions: every node must find the same numbers.
 */

/**
 * The bound is (1 + EPSILON) of the share, rounded up. Lower: more even, and more moves, as who is at the bound passes
 * on what others lose. Over the least there is to move, 100 stores and 256 ranges (4,096): 1/10 moves 1.5 (1.1) times
 * the copies and 2.7 (1.5) times the ownership, 1/4 moves 1.25 (1.0) and 1.4 (1.1), 1/2 moves 1.05 (1.0) and 1.25 (1.0).
 */
export const EPSILON = 1 / 4

/** The bound over the share, as whole numbers. */
const BOUND_OVER = 5
const BOUND_UNDER = 4

/** One place in a list. */
const UNIT = 65_536

export interface Zones {
  /** The zone of each member. */
  readonly zoneOf: Int32Array
  /** How many places of each list a zone surely has: as many as all have in turn, or all its members. */
  readonly base: Int32Array
  /** Whether it has a member left for one place more. */
  readonly mayHaveMore: readonly boolean[]
  /** Places of a list that are left when each zone has its base: a zone that may have more gets one or none. */
  readonly extra: number
}

/**
 * Zones get their places in turns: none has two more than another that still has members left. A member without a
 * zone is one of its own.
 */
export function zonesOf(zoneNames: readonly string[], places: number): Zones {
  const numbers = new Map<string, number>()
  const zoneOf = Int32Array.from(zoneNames, name => {
    const number = numbers.get(name) ?? numbers.size
    numbers.set(name, number)
    return number
  })
  const sizes = new Int32Array(numbers.size)
  for (const zone of zoneOf) sizes[zone]!++
  const placesAfter = (turns: number) => sizes.reduce((sum, size) => sum + Math.min(size, turns), 0)
  let turns = 0
  while (turns < places && placesAfter(turns + 1) <= places) turns++
  return {
    zoneOf,
    base: sizes.map(size => Math.min(size, turns)),
    mayHaveMore: Array.from(sizes, size => size > turns),
    extra: places - placesAfter(turns),
  }
}

/** How many places in all lists together each member may have. */
export function placeBounds(
  weights: readonly number[],
  zones: Zones,
  ranges: number,
  places: number,
): Int32Array {
  const membersOf: number[][] = Array.from(zones.base, () => [])
  zones.zoneOf.forEach((zone, member) => {
    membersOf[zone]!.push(member)
  })
  const lists = ranges * UNIT
  const zoneShares = sharesOf(
    membersOf.map(members => members.reduce((sum, member) => sum + (weights[member] as number), 0)),
    Array.from(zones.base, base => base * lists),
    Array.from(zones.base, (base, zone) => (base + (zones.mayHaveMore[zone] ? 1 : 0)) * lists),
    places * lists,
  )
  const bounds = new Int32Array(weights.length)
  membersOf.forEach((members, zone) => {
    const shares = sharesOf(
      members.map(member => weights[member] as number),
      members.map(() => 0),
      members.map(() => lists),
      zoneShares[zone] as number,
    )
    members.forEach((member, i) => {
      bounds[member] = boundOf(shares[i] as number, ranges)
    })
  })
  return bounds
}

/** How many lists each member may be the first of. */
export function ownerBounds(weights: readonly number[], ranges: number): Int32Array {
  const lists = ranges * UNIT
  const shares = sharesOf(
    weights,
    weights.map(() => 0),
    weights.map(() => lists),
    lists,
  )
  return Int32Array.from(shares, share => boundOf(share, ranges))
}

function boundOf(share: number, ranges: number): number {
  return Math.min(ranges, Math.ceil((share * BOUND_OVER) / (BOUND_UNDER * UNIT)))
}

/**
 * Shares out `total` by weight, each share within its floor and its ceiling: finds the greatest level at which what
 * they hold, a `level` for each unit of weight, is no more than the total.
 */
function sharesOf(
  weights: readonly number[],
  floors: readonly number[],
  ceilings: readonly number[],
  total: number,
): number[] {
  const held = (level: number, i: number): number => {
    const weight = weights[i] as number
    const ceiling = ceilings[i] as number
    // Not the product first: it may be beyond the whole numbers.
    return level >= ceiling / weight ? ceiling : Math.max(floors[i] as number, level * weight)
  }
  const heldByAll = (level: number) => weights.reduce((sum, _, i) => sum + held(level, i), 0)
  let low = 0
  let high = ceilings.reduce((most, ceiling) => Math.max(most, ceiling), 0)
  while (low < high) {
    const level = low + Math.ceil((high - low) / 2)
    if (heldByAll(level) <= total) low = level
    else high = level - 1
  }
  return weights.map((_, i) => held(low, i))
}
