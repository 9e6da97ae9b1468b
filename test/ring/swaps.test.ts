import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Swap, swapsFor } from '../../src/ring/swaps.ts'

/** Each range has one member of those that may have it: what owners are. */
interface Table {
  readonly allowed: readonly (readonly number[])[]
  readonly held: readonly (number | undefined)[]
  readonly bounds: readonly number[]
}

function way({ allowed, held, bounds }: Table, wanted: readonly number[]): Swap[] | undefined {
  return swapsFor({
    size: bounds.length,
    wanted,
    hasRoom: member => held.filter(other => other === member).length < (bounds[member] as number),
    *replacements(member) {
      for (const [range, by] of held.entries())
        if (by === member) for (const other of allowed[range] ?? []) yield { range, by: other }
    },
  })
}

/** The judge: is there any way to give each range one of its members, within the bounds? */
function possible({ allowed, bounds }: Table, range = 0, loads = bounds.map(() => 0)): boolean {
  if (range === allowed.length) return true
  return (allowed[range] as readonly number[]).some(member => {
    if ((loads[member] as number) >= (bounds[member] as number)) return false
    return possible(
      { allowed, held: [], bounds },
      range + 1,
      loads.with(member, (loads[member] as number) + 1),
    )
  })
}

test('finds the shortest way to a member with room, the last swap first', () => {
  const allowed = [
    [0, 1],
    [1, 2],
    [2, 3],
    [0, 3, 4],
  ]
  const table: Table = { allowed, held: [0, 1, 2, undefined], bounds: [1, 1, 1, 1, 0] }
  expect(way({ ...table, held: [0, 1, 2, 3] }, [0])).toBeUndefined()
  expect(way(table, [0])).toEqual([
    { range: 2, member: 2, by: 3 },
    { range: 1, member: 1, by: 2 },
    { range: 0, member: 0, by: 1 },
  ])
})

test('places all ranges within the bounds wherever that is possible', () => {
  const tables = fc.integer({ min: 1, max: 5 }).chain(size =>
    fc.record({
      allowed: fc.array(fc.uniqueArray(fc.nat(size - 1), { minLength: 1, maxLength: 2 }), {
        minLength: 1,
        maxLength: 9,
      }),
      bounds: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: size, maxLength: size }),
    }),
  )
  let impossible = 0
  fc.assert(
    fc.property(tables, ({ allowed, bounds }) => {
      const held: (number | undefined)[] = allowed.map(() => undefined)
      const loadOf = (member: number) => held.filter(other => other === member).length
      const hasRoom = (member: number) => loadOf(member) < (bounds[member] as number)
      const placed = allowed.every((members, range) => {
        if (!members.some(hasRoom)) {
          const swaps = way({ allowed, held, bounds }, members) ?? []
          for (const swap of swaps) {
            expect(held[swap.range]).toBe(swap.member)
            expect(allowed[swap.range]).toContain(swap.by)
            held[swap.range] = swap.by
          }
        }
        held[range] = members.find(hasRoom)
        return held[range] !== undefined
      })
      expect(placed).toBe(possible({ allowed, held: [], bounds }))
      if (!placed) impossible++
    }),
    { numRuns: 500 },
  )
  expect(impossible).toBeGreaterThan(20)
})
