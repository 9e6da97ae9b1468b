/** Where each row of each lane stands, from top to bottom. Pure. */

import type { Row } from '../kinds.ts'
import type { Recording } from '../recording.ts'
import type { RowItems } from './rows.ts'

export interface PlacedRow {
  readonly items: RowItems
  readonly y: number
  readonly height: number
  /** Of one track. */
  readonly trackPx: number
  /** Those beyond lie on these, one after the other. */
  readonly trackCount: number
}

export interface PlacedLane {
  readonly lane: number
  readonly y: number
  readonly height: number
  readonly rows: readonly PlacedRow[]
}

export type Density = 'roomy' | 'dense'

interface RowSize {
  readonly trackPx: number
  readonly tracksMax: number
}

const SIZES: Readonly<Record<Density, Readonly<Record<Row, RowSize>>>> = {
  roomy: {
    phases: { trackPx: 15, tracksMax: 1 },
    faults: { trackPx: 13, tracksMax: 4 },
    owners: { trackPx: 3, tracksMax: 16 },
    state: { trackPx: 7, tracksMax: 1 },
    view: { trackPx: 14, tracksMax: 1 },
    acts: { trackPx: 2, tracksMax: 16 },
    calls: { trackPx: 9, tracksMax: 6 },
    runs: { trackPx: 6, tracksMax: 7 },
    marks: { trackPx: 10, tracksMax: 1 },
  },
  dense: {
    phases: { trackPx: 12, tracksMax: 1 },
    faults: { trackPx: 5, tracksMax: 2 },
    owners: { trackPx: 1, tracksMax: 16 },
    state: { trackPx: 5, tracksMax: 1 },
    view: { trackPx: 6, tracksMax: 1 },
    acts: { trackPx: 0.75, tracksMax: 16 },
    calls: { trackPx: 5, tracksMax: 2 },
    runs: { trackPx: 4, tracksMax: 3 },
    marks: { trackPx: 5, tracksMax: 1 },
  },
}

const LANE_PX_MIN = 18
const ROW_GAP_PX = 1
const LANE_GAP_PX = 5
/** More ranges than this don't get more room. */
const STRIPS_PX_MAX = 64

export function layoutOf(
  recording: Recording,
  rows: readonly RowItems[],
  density: Density,
): { readonly lanes: readonly PlacedLane[]; readonly height: number } {
  let y = 0
  const lanes = recording.lanes.map((_, lane): PlacedLane => {
    const top = y
    y += LANE_GAP_PX / 2
    const placed = rows
      .filter(each => each.lane === lane)
      .map((items): PlacedRow => {
        const size = sizeOf(items, recording.ranges, density)
        const row = { items, y, ...size }
        y += size.height + ROW_GAP_PX
        return row
      })
    y = Math.max(y + LANE_GAP_PX / 2, top + LANE_PX_MIN)
    return { lane, y: top, height: y - top, rows: placed }
  })
  return { lanes, height: y }
}

function sizeOf(
  { row, trackCount }: RowItems,
  ranges: number,
  density: Density,
): Pick<PlacedRow, 'height' | 'trackPx' | 'trackCount'> {
  const { trackPx, tracksMax } = SIZES[density][row]
  if (row === 'acts' || row === 'owners') {
    const height = Math.min(Math.max(trackPx * ranges, 6), STRIPS_PX_MAX)
    return { height, trackPx: height / Math.max(ranges, 1), trackCount: ranges }
  }
  const count = Math.min(Math.max(trackCount, 1), tracksMax)
  return { height: count * trackPx, trackPx, trackCount: count }
}

/** The lane and the row at a height, if one is there. */
export function placeAt(
  lanes: readonly PlacedLane[],
  y: number,
): { readonly lane: PlacedLane; readonly row: PlacedRow | undefined } | undefined {
  const lane = lanes.find(each => y >= each.y && y < each.y + each.height)
  if (lane === undefined) return undefined
  return { lane, row: lane.rows.find(each => y >= each.y - 1 && y <= each.y + each.height + 1) }
}
