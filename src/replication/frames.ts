/**
 * Frames of the planes `replication` and `bulk`: many messages, of many ranges, to one peer. Layout: u8 'C', u8 'R',
 * u8 version, u8 kind, 16 bytes mesh id; then messages, each u32 length and its bytes; or, of a message that is longer
 * than a frame, u32 length of all, u32 where this part begins, and the part. Parts come in order, as frames do; a part
 * that does not follow the one before is CorruptBytes, and the connection has to be closed.
 */

import { ByteReader, ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { type ActorNames, readHex, writeHex } from './context-codec.ts'
import { CHANGE_BYTES_MAX, EXTRAS_BYTES_MAX, readMessage, writeMessage } from './message-codec.ts'
import type { Message } from './messages.ts'

const MAGIC_C = 0x43
const MAGIC_R = 0x52
const VERSION = 3
const WHOLE = 0
const PART = 1
const MESH_BYTES = 16
export const FRAME_HEADER_BYTES = 4 + MESH_BYTES
/** Longest message: the longest change or list of requests, and room for what it goes with. */
export const MESSAGE_BYTES_MAX = CHANGE_BYTES_MAX + EXTRAS_BYTES_MAX

/** What goes over the plane for large things. */
export function isBulk({ type }: Message): boolean {
  return type === 'append' || type === 'copy-chunk'
}

/** Gathers the messages of a turn to one peer and plane, and makes as few frames of them as can be. */
export class FrameWriter {
  readonly #mesh: string
  readonly #names: ActorNames
  readonly #bytesMax: number
  readonly #message = new ByteWriter(4096)
  #frame: ByteWriter | undefined
  #frames: Uint8Array[] = []

  constructor(mesh: string, names: ActorNames, bytesMax: number) {
    this.#mesh = mesh
    this.#names = names
    this.#bytesMax = bytesMax
  }

  add(message: Message): void {
    this.#message.reset()
    writeMessage(this.#message, message, this.#names)
    const bytes = this.#message.view()
    if (FRAME_HEADER_BYTES + 4 + bytes.length > this.#bytesMax) return this.#addParts(bytes)
    if (this.#frame !== undefined && this.#frame.position + 4 + bytes.length > this.#bytesMax) this.#end()
    this.#frame ??= this.#begin(WHOLE)
    this.#frame.u32le(bytes.length)
    this.#frame.bytes(bytes)
  }

  /** The frames so far, in order. */
  take(): Uint8Array[] {
    this.#end()
    const frames = this.#frames
    this.#frames = []
    return frames
  }

  #addParts(bytes: Uint8Array): void {
    if (bytes.length > MESSAGE_BYTES_MAX) throw new RangeError(`a message of ${bytes.length} bytes`)
    this.#end()
    const room = this.#bytesMax - FRAME_HEADER_BYTES - 8
    for (let at = 0; at < bytes.length; at += room) {
      const out = this.#begin(PART)
      out.u32le(bytes.length)
      out.u32le(at)
      out.slice(bytes, at, Math.min(at + room, bytes.length))
      this.#frames.push(out.take())
    }
  }

  #begin(kind: number): ByteWriter {
    const out = new ByteWriter(4096)
    out.u8(MAGIC_C)
    out.u8(MAGIC_R)
    out.u8(VERSION)
    out.u8(kind)
    writeHex(out, this.#mesh, MESH_BYTES)
    return out
  }

  #end(): void {
    if (this.#frame !== undefined) this.#frames.push(this.#frame.take())
    this.#frame = undefined
  }
}

/** Takes the frames of one peer and plane apart. */
export class FrameReader {
  readonly #mesh: string
  readonly #names: ActorNames
  #parts: Uint8Array[] = []
  #partsBytes = 0
  #partsTotal = 0

  constructor(mesh: string, names: ActorNames) {
    this.#mesh = mesh
    this.#names = names
  }

  /** Throws CorruptBytes; nothing of such a frame counts. */
  read(frame: Uint8Array): Message[] {
    const reader = new ByteReader(frame)
    if (reader.u8() !== MAGIC_C || reader.u8() !== MAGIC_R) throw new CorruptBytes('not a replication frame')
    const version = reader.u8()
    if (version !== VERSION) throw new CorruptBytes(`frame version ${version}, known is ${VERSION}`)
    const kind = reader.u8()
    const mesh = readHex(reader, MESH_BYTES)
    if (mesh !== this.#mesh) throw new CorruptBytes(`a frame of mesh ${mesh}`)
    if (kind === PART) return this.#readPart(reader)
    if (kind !== WHOLE) throw new CorruptBytes(`unknown kind ${kind} of a frame`)
    if (this.#partsTotal > 0) throw new CorruptBytes('a frame in the midst of a message')
    const messages: Message[] = []
    while (reader.remaining > 0) {
      const length = reader.u32le()
      if (length > reader.remaining)
        throw new CorruptBytes(`message of ${length} bytes, ${reader.remaining} left`)
      const end = reader.position + length
      messages.push(readMessage(new ByteReader(frame, reader.position, end), this.#names))
      reader.position = end
    }
    return messages
  }

  #readPart(reader: ByteReader): Message[] {
    const [total, at] = [reader.u32le(), reader.u32le()]
    const isNext = at === this.#partsBytes && (at === 0 || total === this.#partsTotal)
    const { remaining } = reader
    if (!isNext || total > MESSAGE_BYTES_MAX || remaining === 0 || at + remaining > total)
      throw new CorruptBytes(`part of ${remaining} bytes at ${at} of ${total}`)
    this.#parts.push(reader.bytes(remaining).slice())
    this.#partsBytes += remaining
    this.#partsTotal = total
    if (this.#partsBytes < total) return []
    const bytes = new Uint8Array(total)
    let offset = 0
    for (const part of this.#parts) {
      bytes.set(part, offset)
      offset += part.length
    }
    this.#parts = []
    this.#partsBytes = 0
    this.#partsTotal = 0
    return [readMessage(new ByteReader(bytes), this.#names)]
  }
}
