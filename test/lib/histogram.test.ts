import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Histogram } from '../../src/lib/histogram.ts'

describe('Histogram', () => {
  test('a percentile is within 2 % of the one of the sorted values', () => {
    const values = fc.array(fc.double({ min: 0.001, max: 1e9, noNaN: true }), {
      minLength: 1,
      maxLength: 200,
    })
    fc.assert(
      fc.property(values, fc.constantFrom(0.1, 50, 90, 99, 99.9, 100), (values, percent) => {
        const histogram = new Histogram()
        for (const value of values) histogram.record(value)
        const sorted = values.toSorted((a, b) => a - b)
        const exact = sorted[Math.ceil((values.length * percent) / 100) - 1] as number
        expect(Math.abs(histogram.percentile(percent) / exact - 1)).toBeLessThan(0.02)
        expect(histogram.max).toBe(sorted.at(-1))
        expect(histogram.count).toBe(values.length)
        expect(histogram.mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 0)
      }),
    )
  })

  test('merging two is as if all had been recorded in one', () => {
    const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { maxLength: 50 })
    fc.assert(
      fc.property(values, values, (some, others) => {
        const [a, b, all] = [new Histogram(), new Histogram(), new Histogram()]
        for (const value of some) a.record(value)
        for (const value of others) b.record(value)
        for (const value of [...some, ...others]) all.record(value)
        a.merge(b)
        for (const percent of [1, 50, 99]) expect(a.percentile(percent)).toBe(all.percentile(percent))
        expect([a.count, a.max]).toEqual([all.count, all.max])
        expect(a.mean).toBeCloseTo(all.mean)
      }),
    )
  })

  test('counts a value many times at once, and starts again after a reset', () => {
    const histogram = new Histogram()
    histogram.record(1, 99)
    histogram.record(1000)
    expect([histogram.count, histogram.mean, histogram.max]).toEqual([100, 10.99, 1000])
    expect(histogram.percentile(99)).toBeCloseTo(1, 1)
    expect(histogram.percentile(100)).toBe(1000)
    histogram.reset()
    expect([histogram.count, histogram.mean, histogram.max, histogram.percentile(50)]).toEqual([0, 0, 0, 0])
  })

  test('takes 0 and what is beyond its buckets', () => {
    const histogram = new Histogram()
    histogram.record(0)
    histogram.record(1e300)
    expect(histogram.percentile(50)).toBeLessThan(0.001)
    expect([histogram.count, histogram.max]).toEqual([2, 1e300])
  })
})
