/** A checker judges a run from what its users saw, and from nothing else. */

import type { History } from '../history.ts'

export interface Checker {
  readonly name: string
  check(history: History, fail: (text: string) => void): void
}
