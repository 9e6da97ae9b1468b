import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { WallClock } from '../../src/schedule/wall-clock.ts'
import { runs } from '../support/tasks.ts'

const BEGAN_AT = 1_800_000_000_000

/** Time in fractions of a millisecond; the wall shows whole ones, as the system's clock does. */
class SetClock implements Clock {
  elapsed = 0
  offset: number

  constructor(offset = BEGAN_AT) {
    this.offset = offset
  }

  now(): number {
    return Math.floor(this.offset + this.elapsed)
  }

  monotonic(): number {
    return this.elapsed
  }

  setTimer(): never {
    throw new Error('a wall clock sets no timer')
  }

  defer(): void {
    this.setTimer()
  }
}

describe('WallClock', () => {
  test('runs evenly between two readings, with fractions', () => {
    const clock = new SetClock()
    const wall = new WallClock(clock)
    expect(wall.now()).toBe(BEGAN_AT)
    clock.elapsed = 0.25
    expect(wall.now()).toBe(BEGAN_AT + 0.25)
    clock.elapsed = 700.5
    expect(wall.now()).toBe(BEGAN_AT + 700.5)
  })

  test('does not see a step of the clock before it reads', async () => {
    const clock = new VirtualClock({ wallMs: BEGAN_AT })
    const wall = new WallClock(clock)
    await clock.advanceBy(100)
    clock.jump(3_600_000)
    expect(wall.now()).toBe(BEGAN_AT + 100)
    expect(wall.read()).toBe(3_600_000)
    expect(wall.now()).toBe(BEGAN_AT + 100 + 3_600_000)
    expect(wall.read()).toBe(0)
  })

  test.each([
    ['forwards by an hour', 3_600_000, 3_600_000],
    ['back by an hour', -3_600_000, -3_600_000],
    ['forwards by a little more than a second', 1001, 1001],
    ['back by a little more than a second', -1001, -1001],
    ['forwards by a second, which is not worth telling', 1000, 0],
    ['back by half a second, which is not worth telling', -500, 0],
    ['forwards by years', 1e12, 1e12],
  ])('after a step %s it shows the new time at once', async (_, by, told) => {
    const clock = new VirtualClock({ wallMs: BEGAN_AT })
    const wall = new WallClock(clock)
    await clock.advanceBy(10)
    clock.jump(by)
    expect(wall.read()).toBe(told)
    expect(wall.now()).toBe(clock.now())
    await clock.advanceBy(10)
    expect(wall.now()).toBe(BEGAN_AT + 20 + by)
  })

  test('a step there and back within one sleep is none', async () => {
    const clock = new VirtualClock({ wallMs: BEGAN_AT })
    const wall = new WallClock(clock)
    clock.jump(86_400_000)
    await clock.advanceBy(500)
    clock.jump(-86_400_000)
    expect(wall.read()).toBe(0)
    expect(wall.now()).toBe(BEGAN_AT + 500)
  })

  test('a slow slew is followed, and is no jump', () => {
    const clock = new SetClock()
    const wall = new WallClock(clock)
    for (let second = 1; second <= 3600; second++) {
      clock.elapsed += 1000
      // 500 ppm back, as NTP does at most.
      clock.offset -= 0.5
      expect(wall.read()).toBe(0)
      expect(Math.abs(wall.now() - (clock.offset + clock.elapsed))).toBeLessThan(2.5)
    }
  })

  test('what was cut off at the first reading comes back by later ones', () => {
    // The offset has .9 ms that no reading within this millisecond shows.
    const clock = new SetClock(BEGAN_AT + 0.9)
    const wall = new WallClock(clock)
    expect(wall.now()).toBe(BEGAN_AT)
    clock.elapsed = 0.1
    wall.read()
    expect(wall.now()).toBeCloseTo(BEGAN_AT + 1, 3)
    clock.elapsed = 0.5
    wall.read()
    expect(wall.now()).toBeCloseTo(BEGAN_AT + 1.4, 3)
  })

  test('without a step it never goes back, is never ahead, and loses less than a reading can', () => {
    const step = fc.tuple(fc.double({ min: 0, max: 1500, noNaN: true }), fc.boolean())
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.array(step, { maxLength: 50 }),
        (fraction, steps) => {
          const clock = new SetClock(BEGAN_AT + fraction)
          const wall = new WallClock(clock)
          let before = wall.now()
          for (const [ms, reads] of steps) {
            clock.elapsed += ms
            if (reads) expect(wall.read()).toBe(0)
            const now = wall.now()
            const truth = clock.offset + clock.elapsed
            expect(now).toBeGreaterThanOrEqual(before)
            // Sums of such size have an error of their own.
            expect(now).toBeLessThanOrEqual(truth + 0.001)
            expect(truth - now).toBeLessThanOrEqual(1.001)
            before = now
          }
        },
      ),
      runs(500),
    )
  })

  test('what is due by it is due by the clock of the handler, whatever steps there were', () => {
    const event = fc.oneof(
      fc.record({ type: fc.constant('sleep' as const), ms: fc.double({ min: 0, max: 1000, noNaN: true }) }),
      fc.record({ type: fc.constant('step' as const), ms: fc.integer({ min: -10_000, max: 10_000 }) }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), events => {
        const clock = new SetClock()
        const wall = new WallClock(clock)
        for (const { type, ms } of events) {
          if (type === 'sleep') clock.elapsed += ms
          else clock.offset += ms
          const told = wall.read()
          expect(Math.abs(told) > 1000 || told === 0).toBe(true)
          // A step back of no more than the grain can't be told from a reading that was cut off.
          expect(Math.floor(wall.now() - 0.001)).toBeLessThanOrEqual(clock.now() + 1)
          expect(wall.now()).toBeGreaterThan(clock.now() - 1.001)
        }
      }),
      runs(500),
    )
  })
})
