/** All checkers, in the order in which their words are the most telling. */

import { cancel } from './cancel.ts'
import type { Checker } from './checker.ts'
import { completion } from './completion.ts'
import { corrupt } from './corrupt.ts'
import { duplicates } from './duplicates.ts'
import { keys } from './keys.ts'
import { limits } from './limits.ts'
import { recurrence } from './recurrence.ts'
import { strict } from './strict.ts'
import { timeliness } from './timeliness.ts'

export const CHECKERS: readonly Checker[] = [
  completion,
  strict,
  corrupt,
  cancel,
  duplicates,
  recurrence,
  keys,
  timeliness,
  limits,
]
