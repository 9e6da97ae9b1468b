/** The small parts: what is held for sending again, when a change counts, and which lists have to be asked. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  Acknowledgements,
  type AckView,
  type Copies,
  defaultCopies,
} from '../../src/replication/acknowledgements.ts'
import { ChangeLog } from '../../src/replication/change-log.ts'
import { Context } from '../../src/replication/context.ts'
import { mayLetGo } from '../../src/replication/custody.ts'
import { isSure, Round, wantedOf } from '../../src/replication/exchange.ts'
import { FormerLists } from '../../src/replication/lists.ts'
import { runs } from '../support/tasks.ts'

const upTo = (n: number, actor = 1): Context => (n === 0 ? Context.EMPTY : Context.from([{ actor, n }]))

describe('the change log', () => {
  const filled = (count: number, changesMax = 1000): ChangeLog => {
    const log = new ChangeLog({ changesMax, bytesMax: 1e6 })
    for (let n = 1; n <= count; n++) log.push({ actor: 1, n, after: [], bytes: new Uint8Array(10) })
    return log
  }

  test('gives what a peer lacks, in order', () => {
    expect(
      filled(9)
        .lacking(upTo(9), upTo(6), 1e6)
        ?.map(({ n }) => n),
    ).toEqual([7, 8, 9])
    expect(filled(9).lacking(upTo(9), upTo(9), 1e6)).toEqual([])
  })

  test('says that it no longer holds all of it', () => {
    const log = filled(9)
    log.trim(upTo(5))
    expect(log.lacking(upTo(9), upTo(4), 1e6)).toBeUndefined()
    expect(log.lacking(upTo(9), upTo(5), 1e6)).toHaveLength(4)
    // What a hole hides is in records only.
    expect(
      log.lacking(upTo(9), Context.from([{ actor: 1, n: 9 }], [{ actor: 1, n: 7 }]), 1e6),
    ).toBeUndefined()
  })

  test('is bounded', () => {
    const log = filled(5000, 100)
    expect(log.length).toBeLessThanOrEqual(125)
    expect(log.lacking(upTo(5000), upTo(4950), 1e6)).toHaveLength(50)
    expect(log.lacking(upTo(5000), upTo(100), 1e6)).toBeUndefined()
  })

  test('gives the changes of several actors in the order in which they were applied', () => {
    const log = new ChangeLog({ changesMax: 100, bytesMax: 1e6 })
    const order = ['1 1', '2 1', '1 2', '2 2', '2 3', '1 3']
    for (const each of order) {
      const [actor, n] = each.split(' ').map(Number) as [number, number]
      log.push({ actor, n, after: [], bytes: new Uint8Array(1) })
    }
    const context = (one: number, two: number): Context =>
      Context.from([
        { actor: 1, n: one },
        { actor: 2, n: two },
      ])
    const lacking = (has: Context): string[] | undefined =>
      log.lacking(context(3, 3), has, 1e6)?.map(({ actor, n }) => `${actor} ${n}`)
    expect(lacking(Context.EMPTY)).toEqual(order)
    expect(lacking(context(2, 1))).toEqual(['2 2', '2 3', '1 3'])
    expect(lacking(context(3, 2))).toEqual(['2 3'])
    expect(lacking(context(3, 3))).toEqual([])
  })

  test('holds no frames for changes that stay', () => {
    const log = new ChangeLog({ changesMax: 100, bytesMax: 1e6 })
    const frame = new Uint8Array(1000).fill(7)
    const push = (n: number): void => log.push({ actor: 1, n, after: [], bytes: frame.subarray(n, n + 5) })
    const framed = (): number[] =>
      log.lacking(upTo(log.length), upTo(0), 1e6)?.flatMap(({ n, bytes }) => {
        expect(bytes).toEqual(new Uint8Array(5).fill(7))
        return bytes.buffer === frame.buffer ? [n] : []
      }) ?? []
    push(1)
    log.tick(0)
    push(2)
    log.tick(1000)
    expect(framed()).toEqual([1, 2])
    log.tick(2000)
    expect(framed()).toEqual([2])
    push(3)
    log.tick(4000)
    expect(framed()).toEqual([3])
    log.trim(upTo(2))
    log.tick(6000)
    expect(log.lacking(upTo(3), upTo(2), 1e6)?.[0]?.bytes.buffer).not.toBe(frame.buffer)
  })

  test('sends no more at once than it may', () => {
    expect(filled(100).lacking(upTo(100), upTo(0), 55)).toHaveLength(6)
  })
})

describe('a change counts', () => {
  const view = (has: Record<string, number>, parts: Partial<AckView> = {}): AckView => ({
    list: ['a', 'b', 'c'],
    quorum: 2,
    former: new Set(),
    confirmed: store => upTo(has[store] ?? 0),
    isDurable: () => true,
    ...parts,
  })
  const dot = { actor: 1, n: 5 }
  const copies = (which: Copies, of: AckView): number | undefined =>
    new Acknowledgements().copiesOf({ ...dot, copies: which }, of)

  test.each<[string, Copies, AckView, number | undefined]>([
    ['with one copy of two that are wanted', 'majority', view({ a: 5 }), undefined],
    ['with two', 'majority', view({ a: 5, c: 7 }), 2],
    ['with copies outside of the list', 'majority', view({ a: 5, d: 5, e: 5 }), undefined],
    [
      'where nobody is admitted',
      'majority',
      view({ a: 5, b: 5, c: 5 }, { quorum: Number.POSITIVE_INFINITY }),
      undefined,
    ],
    ['with any', 'any', view({ a: 5 }), 1],
    ['firmly with all but one', 'all', view({ a: 5, b: 5 }), undefined],
    ['firmly with all', 'all', view({ a: 5, b: 5, c: 5 }), 3],
    [
      'firmly while a former list has it not',
      'all',
      view({ a: 5, b: 5, c: 5 }, { former: new Set(['d']) }),
      undefined,
    ],
    [
      'with two of which one is in memory',
      'majority',
      view({ a: 5, c: 7 }, { isDurable: s => s !== 'c' }),
      undefined,
    ],
    [
      'with two on disks and one in memory',
      'majority',
      view({ a: 5, b: 5, c: 7 }, { isDurable: s => s !== 'c' }),
      2,
    ],
    ['with any in memory', 'any', view({ c: 5 }, { isDurable: () => false }), 1],
    [
      'firmly with all, of which W have disks',
      'all',
      view({ a: 5, b: 5, c: 5 }, { isDurable: s => s !== 'c' }),
      2,
    ],
    [
      'firmly with all, of which one has a disk',
      'all',
      view({ a: 5, b: 5, c: 5 }, { isDurable: s => s === 'c' }),
      undefined,
    ],
    ['firmly once that has it', 'all', view({ a: 5, b: 5, c: 5, d: 5 }, { former: new Set(['d']) }), 3],
  ])('%s', (_, which, of, wanted) => {
    expect(copies(which, of)).toBe(wanted)
  })

  test('once, and each for itself', () => {
    const acks = new Acknowledgements()
    const told: string[] = []
    acks.wait({ actor: 1, n: 1 }, 'majority', count => told.push(`1: ${count}`))
    acks.wait({ actor: 1, n: 3 }, 'majority', count => told.push(`3: ${count}`))
    acks.settle(view({ a: 2, b: 2 }))
    acks.settle(view({ a: 3, b: 2 }))
    expect(told).toEqual(['1: 2'])
    acks.settle(view({ a: 3, b: 3, c: 3 }))
    expect(told).toEqual(['1: 2', '3: 3'])
    expect(acks.length).toBe(0)
  })

  test('not for who has given up', () => {
    const acks = new Acknowledgements()
    const told: string[] = []
    const giveUps = ['a', 'b', 'c'].map(name =>
      acks.wait({ actor: 1, n: 4 }, 'majority', () => told.push(name)),
    )
    giveUps[1]?.()
    giveUps[1]?.()
    expect(acks.length).toBe(2)
    acks.settle(view({ a: 4, b: 4 }))
    expect(told).toEqual(['a', 'c'])
    giveUps[0]?.()
    expect(acks.length).toBe(0)
  })

  test('as the plain rule says, whatever waits and however far the stores are', () => {
    const stores = ['a', 'b', 'c', 'd']
    const context = fc.record({ n: fc.nat(6), hole: fc.nat(6), other: fc.nat(3) }).map(({ n, hole, other }) =>
      Context.from(
        [
          { actor: 1, n },
          { actor: 2, n: other },
        ].filter(dot => dot.n > 0),
        hole > 0 && hole <= n ? [{ actor: 1, n: hole }] : [],
      ),
    )
    const wait = fc.record({
      actor: fc.integer({ min: 1, max: 2 }),
      n: fc.integer({ min: 1, max: 6 }),
      copies: fc.constantFrom<Copies>('any', 'majority', 'all'),
      givesUp: fc.boolean(),
    })
    const has = fc.array(context, { minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(
        fc.array(wait),
        fc.array(has, { maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        fc.constantFrom('a', 'b', 'none'),
        (waits, views, quorum, former, memoryOnly) => {
          const acks = new Acknowledgements()
          const told = new Set<number>()
          const giveUps = waits.map((each, i) =>
            acks.wait(each, each.copies, () => {
              expect(told.has(i)).toBe(false)
              told.add(i)
            }),
          )
          for (const [i, { givesUp }] of waits.entries()) if (givesUp) giveUps[i]?.()
          const open = new Set(waits.flatMap(({ givesUp }, i) => (givesUp ? [] : [i])))
          const counted = new Set<number>()
          for (const contexts of views) {
            const of = view(
              {},
              {
                quorum,
                former: new Set(former ? ['d'] : []),
                isDurable: store => store !== memoryOnly,
                confirmed: store => contexts[stores.indexOf(store)] as Context,
              },
            )
            acks.settle(of)
            for (const i of open) {
              const each = waits[i] as (typeof waits)[number]
              if (new Acknowledgements().copiesOf(each, of) === undefined) continue
              counted.add(i)
              open.delete(i)
            }
            expect(told).toEqual(counted)
            expect(acks.length).toBe(open.size)
          }
        },
      ),
      runs(500),
    )
  })
})

test('of two stores one is enough, else a majority', () => {
  expect([1, 2, 3, 5].map(defaultCopies)).toEqual(['majority', 'any', 'majority', 'majority'])
})

test('a store lets go only if all of the list have what it has, and W of them on a disk', () => {
  const letsGo = (
    durables: readonly boolean[],
    parts: { durable?: boolean; isBusy?: boolean; n?: number } = {},
  ) => {
    const round = new Round(1, 'v', 0)
    const list = ['a', 'b', 'c']
    for (const [i, durable] of durables.entries())
      round.answered(list[i] as string, 1, {
        viewId: 'v',
        context: upTo(parts.n ?? 4),
        ready: true,
        active: false,
        durable,
      })
    const { durable = true, isBusy = false } = parts
    return mayLetGo(
      round,
      { viewId: 'v', list, quorum: 2, applied: upTo(4), synced: upTo(4), isBusy, durable },
      'me',
    )
  }
  expect(letsGo([true, true, true])).toBe(true)
  expect(letsGo([true, true])).toBe(false)
  expect(letsGo([true, true, true], { n: 3 })).toBe(false)
  expect(letsGo([true, true, true], { isBusy: true })).toBe(false)
  expect(letsGo([true, false, true])).toBe(true)
  expect(letsGo([true, false, false])).toBe(false)
  // Memory for memory: nothing is lost by that.
  expect(letsGo([false, false, false], { durable: false })).toBe(true)
})

describe('lists', () => {
  test('any W of a list and as many as are asked have one in common', () => {
    for (let size = 1; size <= 7; size++) {
      for (let quorum = 1; quorum <= size; quorum++)
        expect(wantedOf({ members: Array.from({ length: size }, (_, i) => `${i}`), quorum }) + quorum).toBe(
          size + 1,
        )
    }
  })

  test('of two words about a list the later one counts, and of equal times that it is over', () => {
    const open = FormerLists.NONE.add(['a', 'b'], 2, 1000)
    const over = open.retire(() => true)
    expect(open.join(over).open).toEqual([])
    expect(over.join(open).open).toEqual([])
    const again = over.add(['b', 'a'], 2, 500)
    expect(again.open).toHaveLength(1)
    expect(again.join(over).open).toHaveLength(1)
    expect(over.join(again).open).toHaveLength(1)
  })

  test('are a join: any order ends alike', () => {
    const step = fc.record({ of: fc.nat(2), at: fc.nat(5), retire: fc.boolean() })
    const lists = fc.array(step, { maxLength: 6 }).map(steps =>
      steps.reduce((all, { of, at, retire }) => {
        const next = all.add([`s${of}`, 'x'], 2, at)
        return retire ? next.retire(list => list.members[0] === `s${of}`) : next
      }, FormerLists.NONE),
    )
    fc.assert(
      fc.property(lists, lists, lists, (a, b, c) => {
        const one = a.join(b).join(c).all
        expect(c.join(a.join(b)).all).toEqual(one)
        expect(b.join(c).join(a).join(a).all).toEqual(one)
      }),
      runs(500),
    )
  })

  test('an answer counts when what it had is applied, and only in its own round', () => {
    const round = new Round(7, 'v', 0)
    const list = [{ members: ['me', 'b', 'c'], quorum: 2 }]
    const answer = { viewId: 'v', context: upTo(4), ready: true, active: false, durable: true }
    expect(round.answered('b', 6, answer)).toBe(false)
    expect(isSure(round, list, 'me', upTo(4), () => false)).toBe(false)
    round.answered('b', 7, answer)
    expect(isSure(round, list, 'me', upTo(3), () => false)).toBe(false)
    expect(isSure(round, list, 'me', upTo(4), () => false)).toBe(true)
  })

  test('who has left the mesh, or is gone for long, is waited for no longer', () => {
    const round = new Round(7, 'v', 0)
    const list = [{ members: ['a', 'b', 'c'], quorum: 2 }]
    const gone = new Set(['a'])
    const isGone = (store: string): boolean => gone.has(store)
    round.answered('b', 7, { viewId: 'v', context: upTo(4), ready: true, active: false, durable: true })
    expect(isSure(round, list, 'me', upTo(4), isGone)).toBe(false)
    gone.add('c')
    expect(isSure(round, list, 'me', upTo(4), isGone)).toBe(true)
    expect(isSure(round, list, 'me', upTo(3), isGone)).toBe(false)
  })
})
