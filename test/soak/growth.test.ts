import { expect, test } from 'vitest'
import { growthOf, median } from './growth.ts'

test('what rises and stays is no growth, what goes on rising is, and a peak is nothing', () => {
  expect(growthOf([1, 5, 9, 10, 10, 10, 10, 10, 10])).toBe(0)
  expect(growthOf([10, 10, 10, 10, 10, 10, 11, 12, 13])).toBeCloseTo(0.2)
  expect(growthOf([10, 10, 10, 10, 10, 10, 10, 99, 10])).toBe(0)
  expect(growthOf([20, 20, 10, 10, 9, 9])).toBeCloseTo(-0.1)
  expect(growthOf([1, 2])).toBeNaN()
})

test('the median lies in the middle', () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5])
})
