/** All checkers of a mesh, in the order in which their words are the most telling. */

import { boots } from './boots.ts'
import { cancel } from './cancel.ts'
import type { MeshChecker } from './checker.ts'
import { convergence } from './convergence.ts'
import { duplicates } from './duplicates.ts'
import { durability } from './durability.ts'
import { falseAlarm } from './false-alarm.ts'
import { founding } from './founding.ts'
import { limits } from './limits.ts'
import { oneView } from './one-view.ts'
import { quiet } from './quiet.ts'
import { recurrence } from './recurrence.ts'
import { requests } from './requests.ts'
import { timeliness } from './timeliness.ts'
import { viewIds } from './view-ids.ts'

/** They judge what users saw of their tasks. */
export const TASK_CHECKERS: readonly MeshChecker[] = [
  durability,
  cancel,
  duplicates,
  requests,
  timeliness,
  recurrence,
  convergence,
  limits,
]

/** `windowMs`: how long a member must have been healthy, so that an alarm about it is false. */
export function meshCheckers(windowMs: number): MeshChecker[] {
  const ofMembership = [founding, boots, viewIds, falseAlarm(windowMs), oneView, quiet]
  return [...ofMembership, ...TASK_CHECKERS]
}
