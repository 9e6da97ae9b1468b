import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TimingWheel } from '../../src/schedule/timing-wheel.ts'

/** The judge: a list that is sorted when it is asked. */
class SortedList {
  items: Array<{ due: number; item: number }> = []
  add(due: number, item: number): void {
    this.items.push({ due, item })
  }
  cancel(item: number): boolean {
    const before = this.items.length
    this.items = this.items.filter(each => each.item !== item)
    return this.items.length < before
  }
  /** What a wheel with ticks of 1 ms gives: a fractional instant counts from the next whole millisecond. */
  advance(now: number, max: number): number[] {
    const sorted = this.items.map((each, i) => ({ ...each, i })).sort((a, b) => a.due - b.due || a.i - b.i)
    const due = sorted.filter(each => Math.ceil(each.due) <= Math.floor(now)).slice(0, max)
    for (const { item } of due) this.cancel(item)
    return due.map(each => each.item)
  }
}

const steps = fc.oneof(
  fc.constantFrom(0, 1, 63, 64, 65, 4095, 4096, 4097, 262_144, 16_777_216, 2 ** 30, 2 ** 30 + 5),
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: 2 ** 31 }),
)
const commands = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), ahead: steps, past: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat() }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('advance' as const), by: steps, max: fc.constantFrom(1, 3, 1000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('sleep' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('rebase' as const), by: fc.integer({ min: -5000, max: 5000 }) }) },
  ),
  { maxLength: 80 },
)

test('gives what a sorted list gives, in the same order', () => {
  fc.assert(
    fc.property(commands, fc.constantFrom<number>(0, 1_795_000_000_000), (list, start) => {
      let now = start
      const wheel = new TimingWheel<number>(now, { capacity: 16 })
      const judge = new SortedList()
      const handles = new Map<number, number>()
      let next = 0
      for (const command of list) {
        if (command.kind === 'add') {
          const due = command.past ? now - (command.ahead % 1000) : now + command.ahead
          handles.set(next, wheel.add(due, next))
          judge.add(due, next++)
        } else if (command.kind === 'cancel' && next > 0) {
          const item = command.which % next
          expect(wheel.cancel(handles.get(item) as number)).toBe(judge.cancel(item))
        } else if (command.kind === 'advance') {
          now += command.by
          const out: number[] = []
          wheel.advance(now, out, command.max)
          expect(out).toEqual(judge.advance(now, command.max))
        } else if (command.kind === 'sleep' && judge.items.length > 0) {
          now = Math.max(now, wheel.nextDue())
          const earliest = Math.min(...judge.items.map(each => each.due))
          expect(wheel.nextDue()).toBeLessThanOrEqual(Math.ceil(earliest))
        } else if (command.kind === 'rebase') {
          now += command.by
          wheel.rebase(now)
        }
        expect(wheel.size).toBe(judge.items.length)
      }
      // Sleeping until nextDue reaches every item, in a bounded number of steps.
      for (let step = 0; judge.items.length > 0; step++) {
        expect(step).toBeLessThan(10_000)
        now = Math.max(now, wheel.nextDue())
        const out: number[] = []
        wheel.advance(now, out, 1000)
        expect(out).toEqual(judge.advance(now, 1000))
      }
      expect(wheel.nextDue()).toBe(Number.POSITIVE_INFINITY)
    }),
    { numRuns: 2000 },
  )
})

test('a fractional instant is not early', () => {
  const wheel = new TimingWheel<string>(1000.25)
  wheel.add(1000.5, 'a')
  const out: string[] = []
  expect(wheel.advance(1000.4, out, 10)).toBe(0)
  expect(wheel.advance(1001, out, 10)).toBe(1)
})

test('a stale handle cancels nothing, also when its place was used again', () => {
  const wheel = new TimingWheel<string>(0)
  const first = wheel.add(10, 'first')
  expect(wheel.advance(10, [], 10)).toBe(1)
  const second = wheel.add(20, 'second')
  expect(wheel.cancel(first)).toBe(false)
  expect(wheel.dueOf(second)).toBe(20)
  expect(wheel.cancel(second)).toBe(true)
  expect(wheel.cancel(second)).toBe(false)
})

test('an earlier now gives nothing early and breaks nothing', () => {
  const wheel = new TimingWheel<string>(1000)
  wheel.add(2000, 'a')
  const out: string[] = []
  expect(wheel.advance(1500, out, 10)).toBe(0)
  expect(wheel.advance(900, out, 10)).toBe(0)
  wheel.add(1200, 'b')
  expect(wheel.advance(1100, out, 10)).toBe(0)
  expect(wheel.advance(2000, out, 10)).toBe(2)
  expect(out).toEqual(['b', 'a'])
})
