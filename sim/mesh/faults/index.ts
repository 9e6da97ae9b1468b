/** The faults of a mesh; what only matters to tasks is apart, so that seeds of membership stay what they are. */

import { bitFlip } from './bit-flip.ts'
import { bridge } from './bridge.ts'
import { busyMachine } from './busy-machine.ts'
import { clockDrift } from './clock-drift.ts'
import { clockSkew } from './clock-skew.ts'
import { clockStep } from './clock-step.ts'
import { clog } from './clog.ts'
import { crash } from './crash.ts'
import { diskFull } from './disk-full.ts'
import { failedSync } from './failed-sync.ts'
import type { MeshFault } from './fault.ts'
import { flipFlop } from './flip-flop.ts'
import { halves } from './halves.ts'
import { isolate } from './isolate.ts'
import { join } from './join.ts'
import { leave } from './leave.ts'
import { loneWipe } from './lone-wipe.ts'
import { loss } from './loss.ts'
import { massCrash } from './mass-crash.ts'
import { oneWay } from './one-way.ts'
import { pause } from './pause.ts'
import { powerCut } from './power-cut.ts'
import { replace } from './replace.ts'
import { restart } from './restart.ts'
import { restartAll } from './restart-all.ts'
import { rollback } from './rollback.ts'
import { rollingRestart } from './rolling-restart.ts'
import { slowDisk } from './slow-disk.ts'
import { slowLinks } from './slow-links.ts'
import { swizzle } from './swizzle.ts'
import { tornWrite } from './torn-write.ts'
import { upgrade } from './upgrade.ts'
import { wipe } from './wipe.ts'
import { workerLoss } from './worker-loss.ts'

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

export const TASK_FAULTS: readonly MeshFault[] = [
  join,
  leave,
  replace,
  restartAll,
  workerLoss,
  slowDisk,
  failedSync,
  rollingRestart,
  busyMachine,
  bridge,
  swizzle,
  clockSkew,
  clockDrift,
  diskFull,
  tornWrite,
  bitFlip,
  upgrade,
  loneWipe,
]

const BY_NAME = new Map([...MESH_FAULTS, ...TASK_FAULTS].map(fault => [fault.name, fault]))

export function meshFault(name: string): MeshFault {
  const fault = BY_NAME.get(name)
  if (fault === undefined) throw new Error(`there is no fault ${name}`)
  return fault
}
