/**
 * Frames on a plane's stream: a head of eight bytes, and what it says follows. The head is checked before anything is
 * allocated, and a length is never believed beyond the plane's limit.
 *
 *     0  magic 0xCA    1  version    2  type    3  zero    4-7  length of what follows, big-endian
 *
 * `data` is a frame of the node above; `credit` (four bytes) lets the far side send so many bytes of data more; `ping`
 * and `pong` (nothing) show that a silent peer still lives.
 */

import { CorruptBytes } from '../../lib/bytes.ts'

export const FRAME_HEAD_BYTES = 8
const MAGIC = 0xca
const VERSION = 1
export const FRAME = { data: 1, credit: 2, ping: 3, pong: 4 } as const
const CREDIT_BYTES = 4

export type FrameType = keyof typeof FRAME

export interface FrameSink {
  /** Bytes of its own. */
  data(frame: Uint8Array): void
  credit(bytes: number): void
  ping(): void
  pong(): void
}

/** Writes a head into `target`. */
export function writeHead(target: Uint8Array, at: number, type: FrameType, length: number): void {
  target[at] = MAGIC
  target[at + 1] = VERSION
  target[at + 2] = FRAME[type]
  target[at + 3] = 0
  target[at + 4] = length >>> 24
  target[at + 5] = length >>> 16
  target[at + 6] = length >>> 8
  target[at + 7] = length
}

export function creditFrame(bytes: number): Uint8Array {
  const frame = new Uint8Array(FRAME_HEAD_BYTES + CREDIT_BYTES)
  writeHead(frame, 0, 'credit', CREDIT_BYTES)
  new DataView(frame.buffer).setUint32(FRAME_HEAD_BYTES, bytes)
  return frame
}

export function emptyFrame(type: 'ping' | 'pong'): Uint8Array {
  const frame = new Uint8Array(FRAME_HEAD_BYTES)
  writeHead(frame, 0, type, 0)
  return frame
}

/** Takes bytes as they come, cut anywhere, and hands over whole frames. */
export class FrameDecoder {
  readonly #bytesMax: number
  readonly #sink: FrameSink
  readonly #head = new Uint8Array(FRAME_HEAD_BYTES)
  #headBytes = 0
  /** Of the frame that has begun. */
  #body: Uint8Array | undefined
  #bodyBytes = 0
  #type = 0

  /** `bytesMax`: the longest frame of data that is taken. */
  constructor(bytesMax: number, sink: FrameSink) {
    this.#bytesMax = bytesMax
    this.#sink = sink
  }

  /** Throws CorruptBytes; nothing can be pushed after that. */
  push(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      at = this.#body === undefined ? this.#pushHead(bytes, at) : this.#pushBody(this.#body, bytes, at)
    }
  }

  #pushHead(bytes: Uint8Array, from: number): number {
    let head = bytes
    let at = from
    if (this.#headBytes > 0 || bytes.length - from < FRAME_HEAD_BYTES) {
      const part = bytes.subarray(from, from + FRAME_HEAD_BYTES - this.#headBytes)
      this.#head.set(part, this.#headBytes)
      this.#headBytes += part.length
      if (this.#headBytes < FRAME_HEAD_BYTES) return from + part.length
      head = this.#head
      at = 0
      from += part.length
    } else {
      from += FRAME_HEAD_BYTES
    }
    this.#headBytes = 0
    const length = this.#checkHead(head, at)
    if (length === 0) this.#deliver(new Uint8Array(0))
    else {
      this.#body = new Uint8Array(length)
      this.#bodyBytes = 0
    }
    return from
  }

  #pushBody(body: Uint8Array, bytes: Uint8Array, from: number): number {
    const to = Math.min(bytes.length, from + body.length - this.#bodyBytes)
    body.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), this.#bodyBytes)
    this.#bodyBytes += to - from
    if (this.#bodyBytes === body.length) {
      this.#body = undefined
      this.#deliver(body)
    }
    return to
  }

  #checkHead(head: Uint8Array, at: number): number {
    if (head[at] !== MAGIC || head[at + 3] !== 0) throw new CorruptBytes('no frame of Carillon')
    if (head[at + 1] !== VERSION) throw new CorruptBytes(`frame version ${head[at + 1]}`)
    const length =
      (head[at + 4] as number) * 0x1000000 +
      (((head[at + 5] as number) << 16) | ((head[at + 6] as number) << 8) | (head[at + 7] as number))
    this.#type = head[at + 2] as number
    switch (this.#type) {
      case FRAME.data:
        if (length < 1 || length > this.#bytesMax) {
          throw new CorruptBytes(`a frame of ${length} bytes, at most ${this.#bytesMax}`)
        }
        return length
      case FRAME.credit:
        if (length !== CREDIT_BYTES) throw new CorruptBytes(`a credit of ${length} bytes`)
        return length
      case FRAME.ping:
      case FRAME.pong:
        if (length !== 0) throw new CorruptBytes(`a ping of ${length} bytes`)
        return length
      default:
        throw new CorruptBytes(`frame type ${this.#type}`)
    }
  }

  #deliver(body: Uint8Array): void {
    switch (this.#type) {
      case FRAME.data:
        this.#sink.data(body)
        return
      case FRAME.credit:
        this.#sink.credit(new DataView(body.buffer).getUint32(0))
        return
      case FRAME.ping:
        this.#sink.ping()
        return
      default:
        this.#sink.pong()
    }
  }
}
