import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type RetryPolicy, retryDelayMs, retryStepMs } from '../../src/task/retry.ts'

const exponential: RetryPolicy = {
  kind: 'exponential',
  baseMs: 1000,
  maxDelayMs: 60_000,
  max: 5,
  jitter: true,
}
const half = () => 0.5

describe('retryDelayMs', () => {
  test.each<[string, Partial<RetryPolicy>, number[]]>([
    ['immediate', { kind: 'immediate', jitter: false }, [0, 0, 0, 0, 0, 0, 0, 0]],
    ['immediate with jitter', { kind: 'immediate' }, [0, 0, 0, 0, 0, 0, 0, 0]],
    ['fixed', { kind: 'fixed', jitter: false }, [1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000]],
    ['fixed with jitter', { kind: 'fixed' }, [500, 500, 500, 500, 500, 500, 500, 500]],
    ['fixed, capped', { kind: 'fixed', jitter: false, maxDelayMs: 10 }, [10, 10, 10, 10, 10, 10, 10, 10]],
    ['exponential', { jitter: false }, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]],
    ['exponential with jitter', {}, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
  ])('%s', (_name, policy, delays) => {
    expect(delays.map((_, retry) => retryDelayMs({ ...exponential, ...policy }, retry, half))).toEqual(delays)
  })

  test('follows the formula, and never overflows', () => {
    const policy = fc.record<RetryPolicy>({
      kind: fc.constantFrom('immediate', 'fixed', 'exponential'),
      baseMs: fc.nat(),
      maxDelayMs: fc.nat(),
      max: fc.nat(),
      jitter: fc.boolean(),
    })
    const retry = fc.oneof(fc.nat(70), fc.maxSafeNat())
    fc.assert(
      fc.property(
        policy,
        retry,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (policy, retry, drawn) => {
          const factor =
            policy.kind === 'immediate' ? 0 : policy.kind === 'fixed' ? 1 : 2 ** Math.min(retry, 60)
          const step = Math.min(policy.baseMs * factor, policy.maxDelayMs)
          expect(retryStepMs(policy, retry)).toBe(step)
          expect(retryDelayMs(policy, retry, () => drawn)).toBe(policy.jitter ? drawn * step : step)
        },
      ),
      { numRuns: 1000 },
    )
  })
})
