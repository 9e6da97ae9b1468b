import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isCarillonError } from '../../src/errors.ts'
import { parseDuration } from '../../src/task/duration.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

describe('parseDuration', () => {
  test.each<[string | number, number]>([
    [0, 0],
    [-0, 0],
    [-0.3, 0],
    [1500, 1500],
    [1.5, 2],
    ['0ms', 0],
    ['500ms', 500],
    ['1.5s', 1500],
    ['10m', 10 * MINUTE],
    ['1h30m', 90 * MINUTE],
    ['1h 30m', 90 * MINUTE],
    [' 1h30m ', 90 * MINUTE],
    ['1.5h', 90 * MINUTE],
    ['2d', 2 * DAY],
    ['1w', 7 * DAY],
    ['1w2d3h4m5s6ms', 9 * DAY + 3 * HOUR + 4 * MINUTE + 5 * SECOND + 6],
    ['3 weeks', 21 * DAY],
    ['1 day 12 hours', 36 * HOUR],
    ['90 minutes', 90 * MINUTE],
    ['1 hour 1 minute 1 second 1 millisecond', HOUR + MINUTE + SECOND + 1],
    ['5 min', 5 * MINUTE],
    ['0.0004s', 0],
    ['0.1ms', 0],
    ['PT10M', 10 * MINUTE],
    ['pt10m', 10 * MINUTE],
    ['P1DT2H', DAY + 2 * HOUR],
    ['P2W', 14 * DAY],
    ['P1D', DAY],
    ['PT0.5S', 500],
    ['PT0,5S', 500],
    ['PT36H', 36 * HOUR],
    ['P1DT10M', DAY + 10 * MINUTE],
  ])('reads %j as %d ms', (written, ms) => {
    expect(Object.is(parseDuration(written, 'after'), ms)).toBe(true)
  })

  test.each<unknown[]>([
    [''],
    [' '],
    ['10'],
    ['m'],
    ['-5m'],
    ['5m1h'],
    ['1m1m'],
    ['1h30'],
    ['weeks'],
    ['1 minute 1 hour'],
    ['2 fortnights'],
    ['ten minutes'],
    ['1e3s'],
    ['P'],
    ['PT'],
    ['P1DT'],
    ['1M'],
    ['10m;'],
    ['9'.repeat(70)],
    [`${'9'.repeat(40)}w`],
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [2 ** 60],
    [null],
    [true],
    [{}],
    [Object.create(null)],
    [[5]],
    [5n],
  ])('refuses %o, and says what is allowed', written => {
    const error = refusal(() => parseDuration(written as string, 'retry.base'))
    expect(error.field).toBe('retry.base')
    expect(error.message).toMatch(/^retry\.base is /)
    expect(error.message).toContain("'1h30m'")
  })

  test.each(['P1M', 'P1Y', 'P1Y2M', 'P1W2M', '1y', '1 year', '2 years', '3mo', '2 months', '1y6h'])(
    'refuses %s, a length that depends on the calendar',
    written => {
      expect(refusal(() => parseDuration(written, 'every')).message).toBe(
        `every is '${written}': months and years have no fixed length; use cron`,
      )
    },
  )

  test('shows the value, shortened', () => {
    expect(refusal(() => parseDuration('soon', 'after')).message).toMatch(/^after is 'soon': /)
    expect(refusal(() => parseDuration('x'.repeat(10_000), 'after')).message.length).toBeLessThan(300)
  })

  test('reads what is written from whole parts as their sum', () => {
    const part = fc.nat(999)
    fc.assert(
      fc.property(part, part, part, part, part, part, (w, d, h, m, s, ms) => {
        const expected = (((w * 7 + d) * 24 + h) * 60 + m) * MINUTE + s * SECOND + ms
        expect(parseDuration(`${w}w${d}d${h}h${m}m${s}s${ms}ms`, 'after')).toBe(expected)
        expect(parseDuration(`P${w}W${d}DT${h}H${m}M${s}S`, 'after')).toBe(expected - ms)
      }),
    )
  })

  test('throws nothing but its refusal, whatever it gets', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.stringMatching(/^[P0-9.,wdhmsYMTWDHS -]{0,30}$/)), value => {
        try {
          const ms = parseDuration(value as string, 'after')
          expect(Number.isSafeInteger(ms) && ms >= 0).toBe(true)
        } catch (error) {
          expect(isCarillonError(error, 'INVALID')).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

function refusal(call: () => unknown): { message: string; field: string | undefined } {
  try {
    call()
  } catch (error) {
    if (isCarillonError(error, 'INVALID')) return error
    throw error
  }
  throw new Error('it was accepted')
}
