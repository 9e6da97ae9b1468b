/** Profiles: what a task has that its user did not choose. */

import { type Policy, policyText } from './policy.ts'

export type Profile = 'performance' | 'balanced' | 'economy'

/** performance: exactly once and ±100 ms; balanced: at least once and ±1 s; economy: at most once and ±10 s. */
export const PROFILES: Readonly<Record<Profile, Partial<Policy>>> = {
  performance: { precision: 'high', guarantee: 'exactly-once' },
  balanced: {},
  economy: { precision: 'low', guarantee: 'at-most-once' },
}

export const PROFILE_TEXTS: Readonly<Record<Profile, string>> = {
  performance: policyText(PROFILES.performance),
  balanced: policyText(PROFILES.balanced),
  economy: policyText(PROFILES.economy),
}
