import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Deque } from '../../src/lib/bounded-queue.ts'

describe('Deque', () => {
  test('does what an array does, in any order of calls', () => {
    const call = fc.oneof(
      { weight: 3, arbitrary: fc.record({ call: fc.constant('push' as const), times: fc.nat(3000) }) },
      { weight: 3, arbitrary: fc.record({ call: fc.constant('shift' as const), times: fc.nat(3000) }) },
      { weight: 1, arbitrary: fc.record({ call: fc.constant('unshift' as const), times: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.record({ call: fc.constant('clear' as const), times: fc.constant(1) }) },
    )
    fc.assert(
      fc.property(fc.array(call, { maxLength: 12 }), calls => {
        const deque = new Deque<number>()
        let model: number[] = []
        let next = 0
        for (const { call, times } of calls) {
          if (call === 'clear') {
            deque.clear()
            model = []
          } else if (call === 'shift') {
            const taken = Array.from({ length: times }, () => deque.shift())
            expect(taken).toEqual(Array.from({ length: times }, (_, i) => model[i]))
            model = model.slice(times)
          } else {
            for (let i = 0; i < times; i++) {
              deque[call](next)
              model[call](next++)
            }
          }
          expect(deque.length).toBe(model.length)
          expect(deque.peek()).toBe(model[0])
          expect([...deque]).toEqual(model)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('refuses more than its max, and takes again after a shift', () => {
    const deque = new Deque<string>(2)
    expect([deque.push('a'), deque.push('b'), deque.push('c'), deque.unshift('c')]).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect([...deque]).toEqual(['a', 'b'])
    deque.shift()
    expect(deque.push('c')).toBe(true)
    expect([...deque]).toEqual(['b', 'c'])
    expect(new Deque<number>(0).push(1)).toBe(false)
  })
})
