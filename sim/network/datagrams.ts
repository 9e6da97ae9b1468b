/**
 * The liveness plane of a connection, in one direction. Each frame is on its own: lost, late, twice or overtaken, as
 * the link has it. No TCP is that unkind; who bears this bears any adapter. A frame never outlives its connection.
 */

import type { ConnectionEnd } from './connection.ts'
import { LATE_MS_MAX, latencyOf } from './link.ts'
import { FRAME_OVERHEAD_BYTES } from './traffic.ts'

export class Datagrams {
  readonly #end: ConnectionEnd
  readonly #creditBytes: number
  /** Sent, and neither taken nor lost. */
  #inFlightBytes = 0
  #isWanted = false
  /** Behind a clog, or an end that isn't open yet. */
  #held: Uint8Array[] = []

  constructor(end: ConnectionEnd) {
    this.#end = end
    this.#creditBytes = end.holder.creditBytes.liveness
  }

  send(frame: Uint8Array): boolean {
    if (this.#inFlightBytes + frame.length > this.#creditBytes) {
      this.#isWanted = true
      return false
    }
    const { link, other, host } = this.#end
    host.traffic.sent('liveness', frame.length)
    if (link.isCut) {
      host.traffic.lost('liveness')
      return true
    }
    const copy = frame.slice()
    this.#inFlightBytes += frame.length
    if (link.isClogged || other.state === 'opening') this.#held.push(copy)
    else this.#fly(copy)
    return true
  }

  flush(): void {
    for (const frame of this.#held.splice(0)) this.#fly(frame)
  }

  close(): void {
    this.#held = []
  }

  #fly(frame: Uint8Array): void {
    const { link, host } = this.#end
    const { clock, random } = host.switch
    const bytes = frame.length
    const transferMs = this.#end.transfer(bytes + FRAME_OVERHEAD_BYTES)
    const isLost = link.loss > 0 && random.float() < link.loss
    if (isLost) host.traffic.lost('liveness')
    const delayMs = transferMs + this.#delayMs()
    clock.setTimer(delayMs, () => {
      if (isLost) this.#released(bytes)
      else this.#arrive(frame, () => this.#released(bytes))
    })
    if (!isLost && link.duplicate > 0 && random.float() < link.duplicate) {
      const again = frame.slice()
      clock.setTimer(transferMs + this.#delayMs(), () => this.#arrive(again, () => {}))
    }
  }

  #delayMs(): number {
    const { link, host } = this.#end
    const { random } = host.switch
    const isLate = link.late > 0 && random.float() < link.late
    return latencyOf(link, random) + (isLate ? random.float() * LATE_MS_MAX : 0)
  }

  #arrive(frame: Uint8Array, taken: () => void): void {
    const { other } = this.#end
    other.holder.process.deliver(() => {
      if (other.state !== 'open') return
      other.host.traffic.received('liveness', frame.length)
      other.holder.received(other, 'liveness', frame)
      taken()
    })
  }

  /** By chance the sender's process hears of it later than it is true: no matter, as it only says that there is room. */
  #released(bytes: number): void {
    this.#inFlightBytes -= bytes
    if (!this.#isWanted || this.#inFlightBytes > this.#creditBytes / 2) return
    this.#isWanted = false
    this.#end.holder.process.deliver(() => {
      if (this.#end.state === 'open') this.#end.holder.hasRoom(this.#end, 'liveness')
    })
  }
}
