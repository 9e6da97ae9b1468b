/**
 * One ordered plane of a connection, in one direction. A packet that is lost holds back all that come after it until
 * it has been sent again, as TCP does. Credit comes back as yamux gives it: the receiver announces what it has taken
 * once that is half of the window, so a process that is stopped stops whoever sends to it.
 */

import { Deque } from '../../src/lib/bounded-queue.ts'
import type { Plane } from '../../src/ports/network.ts'
import { type ConnectionEnd, SILENCE_MS } from './connection.ts'
import { latencyOf } from './link.ts'
import { RETRANSMISSION } from './switch.ts'
import { FRAME_OVERHEAD_BYTES } from './traffic.ts'

export class Pipe {
  readonly #end: ConnectionEnd
  readonly #plane: Plane
  readonly #creditBytes: number
  /** Sent, and not announced as taken. */
  #inFlightBytes = 0
  /** Somebody was refused, and waits for room. */
  #isWanted = false
  /** At the receiver: taken, and not announced. */
  #takenBytes = 0
  /** Each arrival takes the first of these: so no rounding of instants can change the order. */
  readonly #flying = new Deque<Uint8Array>()
  /** Behind a lost one, or a link or an end that lets nothing pass. */
  readonly #waiting = new Deque<Uint8Array>()
  #waitingSince = 0
  #againMs: number = RETRANSMISSION.firstMs
  #again: { cancel(): void } | undefined
  #arrivesAt = 0

  constructor(end: ConnectionEnd, plane: Plane) {
    this.#end = end
    this.#plane = plane
    this.#creditBytes = end.holder.creditBytes[plane]
  }

  /** When the last of what is on its way arrives. */
  get arrivesAt(): number {
    return this.#arrivesAt
  }

  send(frame: Uint8Array): boolean {
    if (this.#inFlightBytes + frame.length > this.#creditBytes) {
      this.#isWanted = true
      return false
    }
    this.#inFlightBytes += frame.length
    this.#end.host.traffic.sent(this.#plane, frame.length)
    const copy = frame.slice()
    if (this.#waiting.length > 0 || !this.#transmit(copy)) this.#wait(copy)
    return true
  }

  /** What waits may be able to pass now. */
  flush(): void {
    while (this.#waiting.length > 0) {
      if (!this.#transmit(this.#waiting.peek() as Uint8Array)) {
        this.#sendAgainLater()
        return
      }
      this.#waiting.shift()
      this.#waitingSince = this.#end.host.switch.clock.monotonic()
      this.#againMs = RETRANSMISSION.firstMs
    }
    this.#again?.cancel()
    this.#again = undefined
  }

  close(): void {
    this.#again?.cancel()
    this.#waiting.clear()
  }

  /** False if it did not get through. */
  #transmit(frame: Uint8Array): boolean {
    const { link, other, host } = this.#end
    const { clock, random } = host.switch
    if (other.state === 'opening' || link.isBlocked) return false
    const transferMs = this.#end.transfer(frame.length + FRAME_OVERHEAD_BYTES)
    if (link.loss > 0 && random.float() < link.loss) {
      host.traffic.lost(this.#plane)
      return false
    }
    const now = clock.monotonic()
    this.#arrivesAt = Math.max(this.#arrivesAt, now + transferMs + latencyOf(link, random))
    this.#flying.push(frame)
    clock.setTimer(this.#arrivesAt - now, () => this.#arrive(this.#flying.shift() as Uint8Array))
    return true
  }

  #wait(frame: Uint8Array): void {
    if (this.#waiting.length === 0) {
      this.#waitingSince = this.#end.host.switch.clock.monotonic()
      this.#againMs = RETRANSMISSION.firstMs
      this.#sendAgainLater()
    }
    this.#waiting.push(frame)
  }

  #sendAgainLater(): void {
    const { clock } = this.#end.host.switch
    this.#again?.cancel()
    this.#again = clock.setTimer(this.#againMs, () => {
      this.flush()
      const isStuck = this.#waiting.length > 0 && clock.monotonic() - this.#waitingSince >= SILENCE_MS
      if (isStuck) this.#end.timedOut()
    })
    this.#againMs = Math.min(this.#againMs * 2, RETRANSMISSION.mostMs)
  }

  #arrive(frame: Uint8Array): void {
    const { other } = this.#end
    other.holder.process.deliver(() => {
      if (other.state !== 'open') return
      this.#taken(frame.length)
      other.host.traffic.received(this.#plane, frame.length)
      other.holder.received(other, this.#plane, frame)
    })
  }

  #taken(bytes: number): void {
    this.#takenBytes += bytes
    if (this.#takenBytes < this.#creditBytes / 2) return
    const announced = this.#takenBytes
    this.#takenBytes = 0
    const { other, host } = this.#end
    const isOver = (): boolean => this.#end.state === 'closed' || other.state === 'closed'
    host.switch.packet(other.host, host, isOver, () =>
      this.#end.holder.process.deliver(() => this.#released(announced)),
    )
  }

  #released(bytes: number): void {
    this.#inFlightBytes -= bytes
    if (!this.#isWanted || this.#inFlightBytes > this.#creditBytes / 2 || this.#end.state !== 'open') return
    this.#isWanted = false
    this.#end.holder.hasRoom(this.#end, this.#plane)
  }
}
