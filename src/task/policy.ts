/**
 * How a task is to be treated: guarantee, retry, timeout and the rest. A policy is a plain value; what a user left
 * out has the value of DEFAULT_POLICY, or of the profile of the node that made the task (written out by then, so
 * that a task means the same on every node).
 */

import type { RetryPolicy } from './retry.ts'

export type Guarantee = 'at-least-once' | 'at-most-once' | 'exactly-once'
/** How far fires may be batched under load: high 100 ms, normal 1 s, low 10 s. */
export type Precision = 'high' | 'normal' | 'low'
/** What to do with a scheduled instant that is reached when the one before still runs. */
export type Overlap = 'allow' | 'skip' | 'queue-one' | 'cancel-old'

export interface MisfirePolicy {
  /** Of the instants that were missed while nobody was there: the latest only, all up to `max` (the latest ones), or none. */
  readonly kind: 'once' | 'all' | 'skip'
  readonly max: number
  /** An occurrence counts as missed when it is late by more than this, ms. */
  readonly afterMs: number
}

export interface Policy {
  readonly guarantee: Guarantee
  readonly precision: Precision
  /** Higher first, -100 to 100. */
  readonly priority: number
  readonly retry: RetryPolicy
  /** Per attempt, from the start of the handler, ms; 0: none. */
  readonly timeoutMs: number
  readonly misfire: MisfirePolicy
  readonly overlap: Overlap
  readonly tags: readonly string[]
}

export const DEFAULT_POLICY: Policy = Object.freeze({
  guarantee: 'at-least-once',
  precision: 'normal',
  priority: 0,
  retry: Object.freeze({ kind: 'exponential', baseMs: 1000, maxDelayMs: 3_600_000, max: 5, jitter: true }),
  timeoutMs: 0,
  misfire: Object.freeze({ kind: 'once', max: 100, afterMs: 60_000 }),
  overlap: 'allow',
  tags: Object.freeze([]) as readonly string[],
})

/** How late a fire may be, ms, when batching makes it cheaper. */
export const PRECISION_MS: Readonly<Record<Precision, number>> = { high: 100, normal: 1000, low: 10_000 }

/** JSON of what differs from the default, '' if nothing does. */
export function policyText(policy: Partial<Policy>): string {
  const differing = Object.entries(policy).filter(
    ([field, value]) => JSON.stringify(value) !== JSON.stringify(DEFAULT_POLICY[field as keyof Policy]),
  )
  return differing.length === 0 ? '' : JSON.stringify(Object.fromEntries(differing))
}
