import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../sim/virtual-clock.ts'

describe('VirtualClock', () => {
  test('runs any set of timers in the order of instant, then of asking', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), async delays => {
        const clock = new VirtualClock()
        const fired: number[] = []
        for (const [at, delay] of delays.entries()) {
          const timer = clock.setTimer(delay, () => fired.push(at))
          if (at % 5 === 4) timer.cancel()
        }
        await clock.advanceTo(20)
        const expected = delays.map((delay, at) => ({ delay, at })).filter(({ at }) => at % 5 !== 4)
        expected.sort((a, b) => a.delay - b.delay || a.at - b.at)
        expect(fired).toEqual(expected.map(({ at }) => at))
        expect(clock.pending).toBe(0)
      }),
      { numRuns: 100 },
    )
  })

  test('lets all that follows from an event happen before the next one, however long the chain', async () => {
    const clock = new VirtualClock()
    const order: string[] = []
    clock.setTimer(1, async () => {
      for (let turn = 0; turn < 500; turn++) await Promise.resolve()
      order.push('the end of the chain')
    })
    clock.setTimer(1, () => order.push('the next event'))
    await clock.advanceBy(1)
    expect(order).toEqual(['the end of the chain', 'the next event'])
  })

  test('lets what was started before the drive happen before the first event', async () => {
    const clock = new VirtualClock()
    const order: string[] = []
    clock.defer(() => order.push('event'))
    void Promise.resolve().then(() => order.push('continuation'))
    await clock.step()
    expect(order).toEqual(['continuation', 'event'])
  })

  test('jumps the wall clock, and neither the monotonic clock nor the timers', async () => {
    const clock = new VirtualClock({ wallMs: 1_000_000 })
    let fired = 0
    clock.setTimer(10, () => fired++)
    clock.jump(-500_000)
    expect([clock.now(), clock.monotonic()]).toEqual([500_000, 0])
    await clock.advanceBy(10)
    expect([clock.now(), clock.monotonic(), fired]).toEqual([500_010, 10, 1])
  })

  test('steps one event at a time, to its instant', async () => {
    const clock = new VirtualClock()
    clock.setTimer(5, () => {})
    clock.setTimer(9, () => {})
    expect(clock.nextAt).toBe(5)
    expect(await clock.step()).toBe(true)
    expect(clock.monotonic()).toBe(5)
    expect(await clock.step()).toBe(true)
    expect(await clock.step()).toBe(false)
    expect(clock.monotonic()).toBe(9)
  })

  test('runs until the predicate holds, or to the limit', async () => {
    const clock = new VirtualClock()
    let count = 0
    const again = (): void => {
      count++
      clock.setTimer(10, again)
    }
    clock.setTimer(10, again)
    expect(await clock.runUntil(() => count === 3, 1000)).toBe(true)
    expect(clock.monotonic()).toBe(30)
    expect(await clock.runUntil(() => false, 15)).toBe(false)
    expect([clock.monotonic(), count]).toEqual([45, 4])
  })

  test('fires within the jitter it was given, never before it was asked', async () => {
    const random = { float: () => 0, bytes: () => new Uint8Array(0) }
    const clock = new VirtualClock({ jitter: { random, earlyMsMax: 0.8, lateMsMax: 2 } })
    const fired: number[] = []
    clock.setTimer(10, () => fired.push(clock.monotonic()))
    clock.setTimer(0.5, () => fired.push(clock.monotonic()))
    await clock.advanceBy(20)
    expect(fired).toEqual([0, 9.2])
  })

  test('hands on what a callback throws, and goes on after it', async () => {
    const clock = new VirtualClock()
    let fired = 0
    clock.setTimer(1, () => {
      throw new Error('broken')
    })
    clock.setTimer(2, () => fired++)
    await expect(clock.advanceBy(5)).rejects.toThrow('broken')
    await clock.advanceBy(5)
    expect(fired).toBe(1)
  })

  test('has one driver at a time', async () => {
    const clock = new VirtualClock()
    const first = clock.advanceBy(1)
    await expect(clock.advanceBy(1)).rejects.toThrow('one driver')
    await first
  })
})
