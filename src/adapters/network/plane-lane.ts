/**
 * One plane of one connection: frames both ways over one lane, with a credit of their own. What is sent waits here, not
 * in the connection: there it would stand in the way of the other planes. Frames of one turn leave in one write.
 *
 * Credit: each side lets the other send a window's worth, and more once half of it was consumed. So a peer that doesn't
 * read costs its window, and no more.
 */

import { Deque } from '../../lib/bounded-queue.ts'
import { CorruptBytes } from '../../lib/bytes.ts'
import { creditFrame, emptyFrame, FRAME_HEAD_BYTES, FrameDecoder, writeHead } from './frames.ts'
import type { Lane } from './libp2p.ts'

export interface PlaneHost {
  /** The far side is there, and lets us send. Told once. */
  isReady(): void
  frame(frame: Uint8Array): void
  drained(): void
  /** Something came. */
  heard(): void
  /** It closed, or is broken. Told once. */
  ended(why: 'lost' | 'corrupt'): void
}

export interface PlaneLimits {
  readonly frameBytesMax: number
  /** What the peer may send before it was consumed. At least twice the longest frame, as credit comes in halves. */
  readonly creditBytes: number
}

/** One write: with yamux's head it is one message of Noise. */
const WRITE_BYTES = 65_507
/** No peer may let us send more than this, however often it says so. */
const CREDIT_BYTES_MAX = 64 * 1024 * 1024

export class PlaneLane {
  readonly #lane: Lane
  readonly #limits: PlaneLimits
  readonly #host: PlaneHost
  readonly #waiting = new Deque<Uint8Array>()
  #isFlushing = false
  #isOver = false
  #isReady = false
  /** What the peer still lets us send. */
  #credit = 0
  /** Somebody was refused. */
  #isWanted = false
  /** What it may send, and has not. */
  #granted = 0
  #consumed = 0
  /** Bytes of all frames that were taken. */
  sentBytes = 0

  constructor(lane: Lane, limits: PlaneLimits, host: PlaneHost) {
    this.#lane = lane
    this.#limits = limits
    this.#host = host
  }

  /** From now on it tells. */
  start(): void {
    const decoder = new FrameDecoder(this.#limits.frameBytesMax, {
      data: frame => this.#received(frame),
      credit: bytes => this.#allowed(bytes),
      // One that asks and doesn't read gets no pile of answers.
      ping: () => {
        if (!this.#lane.isFull) this.#lane.send(emptyFrame('pong'))
      },
      pong: () => {},
    })
    this.#lane.listen({
      data: bytes => {
        if (this.#isOver) return
        this.#host.heard()
        try {
          decoder.push(bytes)
        } catch (error) {
          if (!(error instanceof CorruptBytes)) throw error
          this.#end('corrupt')
        }
      },
      drain: () => this.flush(),
      closed: () => this.#end('lost'),
    })
    this.#grant(this.#limits.creditBytes)
  }

  /** False if the credit is used up; `drained` is told later then. */
  send(frame: Uint8Array): boolean {
    if (this.#isOver) return false
    if (frame.length > this.#credit) {
      this.#isWanted = true
      return false
    }
    this.#credit -= frame.length
    this.sentBytes += frame.length
    this.#waiting.push(frame)
    if (!this.#isFlushing) {
      this.#isFlushing = true
      queueMicrotask(() => this.flush())
    }
    return true
  }

  /** Writes what waits, as far as the lane takes it. */
  flush(): void {
    this.#isFlushing = false
    while (!this.#isOver && this.#waiting.length > 0 && !this.#lane.isFull) this.#lane.send(this.#nextWrite())
  }

  ping(): void {
    if (!this.#isOver) this.#lane.send(emptyFrame('ping'))
  }

  /** It tells nothing more. */
  stop(): void {
    this.#isOver = true
    this.#waiting.clear()
  }

  /** As many of the waiting frames as go together: one at least. */
  #nextWrite(): Uint8Array {
    const frames: Uint8Array[] = []
    let bytes = 0
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      const more = FRAME_HEAD_BYTES + next.length
      if (frames.length > 0 && bytes + more > WRITE_BYTES) break
      frames.push(next)
      bytes += more
      this.#waiting.shift()
    }
    const write = Buffer.allocUnsafeSlow(bytes)
    let at = 0
    for (const frame of frames) {
      writeHead(write, at, 'data', frame.length)
      write.set(frame, at + FRAME_HEAD_BYTES)
      at += FRAME_HEAD_BYTES + frame.length
    }
    return write
  }

  #received(frame: Uint8Array): void {
    if (this.#isOver) return
    this.#granted -= frame.length
    if (this.#granted < 0) throw new CorruptBytes('more than the credit')
    this.#host.frame(frame)
    this.#consumed += frame.length
    if (this.#consumed < this.#limits.creditBytes / 2 || this.#isOver) return
    this.#grant(this.#consumed)
    this.#consumed = 0
  }

  #grant(bytes: number): void {
    this.#granted += bytes
    this.#lane.send(creditFrame(bytes))
  }

  #allowed(bytes: number): void {
    if (this.#isOver) return
    this.#credit += bytes
    if (this.#credit > CREDIT_BYTES_MAX) throw new CorruptBytes(`a credit of ${this.#credit} bytes`)
    if (!this.#isReady) {
      this.#isReady = true
      this.#host.isReady()
    } else if (this.#isWanted) {
      this.#isWanted = false
      this.#host.drained()
    }
  }

  #end(why: 'lost' | 'corrupt'): void {
    if (this.#isOver) return
    this.stop()
    this.#host.ended(why)
  }
}
