/**
 * How long to wait before an attempt that failed is made again. With jitter the delay is drawn evenly between 0 and
 * the step ("full jitter", M. Brooker, Exponential Backoff And Jitter, AWS 2015): callers that failed together do
 * not come back together. What was drawn is stored with the retry, so that every owner waits for the same instant.
 */

export type RetryPolicy = {
  readonly kind: 'immediate' | 'fixed' | 'exponential'
  /** The delay (fixed), or the step before the first retry (exponential). */
  readonly baseMs: number
  readonly maxDelayMs: number
  /** Most attempts, the first one included. */
  readonly max: number
  /** Draw the delay from [0, step). On by default for `exponential`, off for `fixed`. */
  readonly jitter: boolean
}

/** `retry` is 0 for the first retry, that is after the first attempt. `random` is uniform in [0, 1). */
export function retryDelayMs(policy: RetryPolicy, retry: number, random: () => number): number {
  const stepMs = retryStepMs(policy, retry)
  return policy.jitter ? random() * stepMs : stepMs
}

/** The delay without jitter: the most that {@link retryDelayMs} gives. */
export function retryStepMs(policy: RetryPolicy, retry: number): number {
  if (policy.kind === 'immediate') return 0
  if (policy.kind === 'fixed') return Math.min(policy.baseMs, policy.maxDelayMs)
  // 2 ** 1024 is Infinity, and 0 * Infinity would be NaN.
  return Math.min(policy.baseMs * 2 ** Math.min(retry, 1000), policy.maxDelayMs)
}
