/** Promises in virtual time. */

import { expect } from 'vitest'
import type { VirtualClock } from '../../sim/virtual-clock.ts'

/** What the promise gives, after the virtual time that it takes. `note` is told if that is too long. */
export async function settledWithin<T>(
  clock: VirtualClock,
  promise: Promise<T>,
  limitMs: number,
  note: () => string = () => '',
): Promise<T> {
  let settled = false
  const settle = (): void => {
    settled = true
  }
  promise.then(settle, settle)
  await clock.runUntil(() => settled, limitMs)
  expect(settled, `the promise settles within ${limitMs} virtual ms${note()}`).toBe(true)
  return promise
}
