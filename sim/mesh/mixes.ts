/** Named mixes: which faults may strike a mesh, and how it begins. */

import { MESH_FAULTS, TASK_FAULTS } from './faults/index.ts'

/** Each seed draws one of the others. */
export const ANY_MIX = 'any'

export interface Mix {
  readonly faults: readonly string[]
  /** Of the faults each seed draws some. */
  readonly isDrawn?: boolean
  /** Nobody that is up may ever be thought dead: faults that would excuse it don't strike. */
  readonly isGentle?: boolean
  /** Default: a draw. `crowd`: more fresh nodes than `expect`. */
  readonly founding?: 'alone' | 'expect' | 'crowd'
  /** The faults strike from the first moment on, not once the mesh has been founded. */
  readonly isEarly?: boolean
  /** Users ask for tasks, and handlers carry them out. */
  readonly hasTasks?: boolean
  /** Some handlers hang, and some fail for good. */
  readonly hasBadHandlers?: boolean
  /** Users call all the time. */
  readonly isRush?: boolean
  /** It is a night on which clocks change, and recurring tasks have calendars. */
  readonly isNight?: boolean
  /** Default: 3. */
  readonly nodesMin?: number
  /** Default: 20. */
  readonly nodesMax?: number
}

/** Without tasks: who is there, and nothing else. */
export const MEMBERSHIP_MIXES: Readonly<Record<string, Mix>> = {
  /** No fault at all. */
  calm: { faults: [] },
  loss: { faults: ['loss', 'clock-step'], isGentle: true },
  'one-way': { faults: ['one-way', 'clog'], isGentle: true },
  'flip-flop': { faults: ['flip-flop', 'slow-links'], isGentle: true },
  /** All that no healthy node may suffer from, together. */
  gentle: {
    faults: ['loss', 'one-way', 'flip-flop', 'slow-links', 'clock-step', 'crash', 'power-cut', 'pause'],
    isGentle: true,
  },
  crash: { faults: ['crash', 'power-cut', 'restart', 'pause'] },
  'mass-crash': { faults: ['mass-crash'], nodesMin: 6 },
  partition: { faults: ['halves', 'isolate', 'flip-flop', 'clog'] },
  store: { faults: ['wipe', 'rollback', 'crash', 'halves'] },
  founding: {
    faults: ['crash', 'power-cut', 'halves', 'isolate', 'one-way', 'loss', 'pause'],
    founding: 'expect',
    isEarly: true,
  },
  /**
   * Nobody is cut off or down here: of four stores that expect three, two pairs that don't know of each other are both
   * a majority of three, and nothing could keep them from founding two meshes.
   */
  crowd: {
    faults: ['loss', 'slow-links', 'clock-step'],
    founding: 'crowd',
    isEarly: true,
    nodesMin: 3,
    nodesMax: 9,
  },
  all: { faults: MESH_FAULTS.map(fault => fault.name), isDrawn: true },
}

/** With tasks. Nobody may lose what the design promises to keep: see the planner. */
export const TASK_MIXES: Readonly<Record<string, Mix>> = {
  'task-calm': { faults: [], hasTasks: true },
  'task-crash': {
    faults: ['crash', 'power-cut', 'restart', 'pause', 'worker-loss', 'slow-disk', 'failed-sync'],
    hasTasks: true,
  },
  'task-partition': {
    faults: ['halves', 'isolate', 'flip-flop', 'one-way', 'clog', 'loss', 'slow-links'],
    hasTasks: true,
  },
  'task-moves': {
    faults: ['join', 'leave', 'replace', 'restart', 'rolling-restart', 'worker-loss'],
    hasTasks: true,
  },
  /** Nobody fails: all that runs twice here does so for nothing, unless somebody that is late is held for away. */
  'task-busy': { faults: ['busy-machine', 'join', 'restart', 'rolling-restart'], hasTasks: true },
  /** Who is isolated has nobody to share with what it is asked for: if its disk goes then, that must not have counted. */
  'task-disks': {
    faults: ['wipe', 'rollback', 'isolate', 'restart-all', 'power-cut', 'slow-disk', 'failed-sync'],
    hasTasks: true,
  },
  /** A night on which clocks change somewhere. */
  'task-night': {
    faults: ['crash', 'power-cut', 'restart', 'halves', 'isolate', 'join', 'worker-loss'],
    isDrawn: true,
    hasTasks: true,
    isNight: true,
  },
  /** Users call so often that there is always something under way, also while those that were cut off catch up. */
  'task-rush': {
    faults: ['halves', 'isolate', 'flip-flop', 'crash'],
    hasTasks: true,
    isRush: true,
    nodesMax: 5,
  },
  'task-clocks': { faults: ['clock-skew', 'clock-drift', 'crash', 'restart', 'worker-loss'], hasTasks: true },
  'task-handlers': { faults: ['worker-loss', 'crash', 'restart'], hasTasks: true, hasBadHandlers: true },
  /** The wire of the version before is not known any more. */
  'task-upgrade': { faults: ['upgrade', 'worker-loss', 'crash'], hasTasks: true },
  'task-lone': { faults: ['lone-wipe', 'worker-loss', 'restart'], hasTasks: true },
  'task-links': { faults: ['bridge', 'swizzle', 'one-way', 'crash'], hasTasks: true },
  /** What disks do short of dying: the engine stops, or waits, and nothing is lost. */
  'task-rot': { faults: ['torn-write', 'bit-flip', 'disk-full', 'failed-sync', 'crash'], hasTasks: true },
  'task-storm': {
    faults: [...MESH_FAULTS, ...TASK_FAULTS].map(fault => fault.name),
    isDrawn: true,
    hasTasks: true,
    hasBadHandlers: true,
  },
}

export const MESH_MIXES: Readonly<Record<string, Mix>> = { ...MEMBERSHIP_MIXES, ...TASK_MIXES }
