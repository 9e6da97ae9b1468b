/** Named mixes: which faults may strike a mesh, and how it begins. */

import { MESH_FAULTS } from './faults/index.ts'

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
  /** Default: 3. */
  readonly nodesMin?: number
  /** Default: 20. */
  readonly nodesMax?: number
}

export const MESH_MIXES: Readonly<Record<string, Mix>> = {
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
  crowd: { faults: ['loss', 'slow-links', 'clock-step'], founding: 'crowd', isEarly: true, nodesMax: 9 },
  all: { faults: MESH_FAULTS.map(fault => fault.name), isDrawn: true },
}
