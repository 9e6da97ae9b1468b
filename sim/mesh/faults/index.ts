/** The faults of a mesh. */

import { clockStep } from './clock-step.ts'
import { clog } from './clog.ts'
import { crash } from './crash.ts'
import type { MeshFault } from './fault.ts'
import { flipFlop } from './flip-flop.ts'
import { halves } from './halves.ts'
import { isolate } from './isolate.ts'
import { loss } from './loss.ts'
import { massCrash } from './mass-crash.ts'
import { oneWay } from './one-way.ts'
import { pause } from './pause.ts'
import { powerCut } from './power-cut.ts'
import { restart } from './restart.ts'
import { rollback } from './rollback.ts'
import { slowLinks } from './slow-links.ts'
import { wipe } from './wipe.ts'

export const MESH_FAULTS: readonly MeshFault[] = [
  crash,
  powerCut,
  restart,
  massCrash,
  wipe,
  rollback,
  pause,
  halves,
  isolate,
  oneWay,
  loss,
  flipFlop,
  slowLinks,
  clog,
  clockStep,
]

export function meshFault(name: string): MeshFault {
  const fault = MESH_FAULTS.find(each => each.name === name)
  if (fault === undefined) throw new Error(`there is no fault ${name}`)
  return fault
}
