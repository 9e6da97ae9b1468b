/** What a host's frames cost, per plane, over all lives of its process. */

import type { Plane } from '../../src/ports/network.ts'

/**
 * Bytes around each frame, if it travels alone: IP 20, TCP with timestamps 32, Noise's length and tag 18, yamux's
 * header 12. Frames that are sent together share some of it; retransmissions and acknowledgements aren't counted.
 */
export const FRAME_OVERHEAD_BYTES = 82

export interface PlaneTraffic {
  sentFrames: number
  /** With the overhead, as the rest. */
  sentBytes: number
  receivedFrames: number
  receivedBytes: number
  /** Frames sent from here that a link lost; of the ordered planes each try. */
  lostFrames: number
}

export class Traffic {
  readonly planes: Readonly<Record<Plane, PlaneTraffic>> = {
    liveness: none(),
    replication: none(),
    bulk: none(),
    calls: none(),
  }
  /** Dials that were begun from here. */
  dials = 0

  sent(plane: Plane, bytes: number): void {
    const traffic = this.planes[plane]
    traffic.sentFrames++
    traffic.sentBytes += bytes + FRAME_OVERHEAD_BYTES
  }

  received(plane: Plane, bytes: number): void {
    const traffic = this.planes[plane]
    traffic.receivedFrames++
    traffic.receivedBytes += bytes + FRAME_OVERHEAD_BYTES
  }

  lost(plane: Plane): void {
    this.planes[plane].lostFrames++
  }
}

function none(): PlaneTraffic {
  return { sentFrames: 0, sentBytes: 0, receivedFrames: 0, receivedBytes: 0, lostFrames: 0 }
}
