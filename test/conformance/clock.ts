/**
 * What every Clock keeps. `pass(ms)` lets time go by: really for the system's, at once for a virtual one.
 */

import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/ports/clock.ts'

export interface ClockUnderTest {
  readonly clock: Clock
  pass(ms: number): Promise<void>
}

/** Node fires timers up to a millisecond early. */
const earlyMsMax = 1

export function clockConformance(name: string, make: () => ClockUnderTest): void {
  describe(`${name} keeps the contract of Clock`, () => {
    test('tells the wall time in whole milliseconds', () => {
      expect(Number.isInteger(make().clock.now())).toBe(true)
    })

    test('advances both clocks by the time that passed', async () => {
      const { clock, pass } = make()
      const wallMs = clock.now()
      const monotonicMs = clock.monotonic()
      await pass(20)
      expect(clock.monotonic() - monotonicMs).toBeGreaterThanOrEqual(20 - earlyMsMax)
      expect(clock.now() - wallMs).toBeGreaterThanOrEqual(20 - 2 * earlyMsMax)
    })

    test('fires a timer once, after its delay, never inside setTimer', async () => {
      const { clock, pass } = make()
      const startedAt = clock.monotonic()
      const fired: number[] = []
      clock.setTimer(10, () => fired.push(clock.monotonic() - startedAt))
      expect(fired).toEqual([])
      await pass(60)
      expect(fired).toHaveLength(1)
      expect(fired[0]).toBeGreaterThanOrEqual(10 - earlyMsMax)
    })

    test('fires timers in the order of their instants', async () => {
      const { clock, pass } = make()
      const fired: string[] = []
      clock.setTimer(30, () => fired.push('c'))
      clock.setTimer(10, () => fired.push('a'))
      clock.setTimer(20, () => fired.push('b'))
      await pass(80)
      expect(fired).toEqual(['a', 'b', 'c'])
    })

    test('takes a delay below 0 for 0, and still not inside setTimer', async () => {
      const { clock, pass } = make()
      let fired = 0
      clock.setTimer(-5, () => fired++)
      clock.setTimer(0, () => fired++)
      clock.setTimer(Number.NEGATIVE_INFINITY, () => fired++)
      expect(fired).toBe(0)
      await pass(20)
      expect(fired).toBe(3)
    })

    test('does not fire a timer of more than 2^31 ms at once', async () => {
      const { clock, pass } = make()
      let fired = 0
      const timers = [2 ** 31, 2 ** 40, Infinity].map(ms => clock.setTimer(ms, () => fired++))
      await pass(20)
      expect(fired).toBe(0)
      for (const timer of timers) timer.cancel()
    })

    test('does not fire a cancelled timer, also when an earlier one cancels it', async () => {
      const { clock, pass } = make()
      const fired: string[] = []
      const timer = clock.setTimer(10, () => fired.push('cancelled'))
      timer.cancel()
      timer.cancel()
      const later = clock.setTimer(25, () => fired.push('cancelled by an earlier one'))
      clock.setTimer(5, () => later.cancel())
      await pass(60)
      expect(fired).toEqual([])
    })

    test('lets a fired timer be cancelled without effect', async () => {
      const { clock, pass } = make()
      let fired = 0
      const timer = clock.setTimer(1, () => fired++)
      await pass(20)
      timer.cancel()
      expect(fired).toBe(1)
    })

    test('runs deferred callbacks soon, in order, and not inside defer', async () => {
      const { clock, pass } = make()
      const ran: string[] = []
      clock.defer(() => {
        ran.push('first')
        clock.defer(() => ran.push('third'))
      })
      clock.defer(() => ran.push('second'))
      expect(ran).toEqual([])
      await pass(5)
      expect(ran).toEqual(['first', 'second', 'third'])
    })

    test('refuses a delay that is not a number', () => {
      expect(() => make().clock.setTimer(Number.NaN, () => {})).toThrow('delay')
    })
  })
}
