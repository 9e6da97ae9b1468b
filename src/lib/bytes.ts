/**
 * ByteWriter and ByteReader: the two hands of every codec. They run some million times a second, so a write
 * allocates nothing, and strings go the way that measured fastest: a short one by a loop over its characters, a
 * long one through Node's native writers (a loop costs 2 ns a character, the native call 35 ns at once).
 *
 * The writer's faults are the program's (RangeError); what a reader finds may come from a disk or a peer, so it
 * checks every length before it reads and throws CorruptBytes.
 */

/** Bytes that are not what a codec wrote. */
export class CorruptBytes extends Error {
  override readonly name = 'CorruptBytes'
}

/** After a large message the buffer goes back to this size, bytes (see {@link ByteWriter.reset}). */
const RETAINED_BYTES = 1 << 20
/** Up to this length a loop writes a string faster than a native call. */
const LOOP_LENGTH_MAX = 16
/** From this length on a string's bytes are counted first rather than three reserved for each character. */
const COUNT_LENGTH_MIN = 1024

const PAST_ASCII = 'holds a character that is not ASCII'

/** Buffer's native string functions, which @types/node leaves out. They take byte positions. */
interface NativeStrings {
  utf8Write(text: string, at: number): number
  latin1Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
}
const native = Buffer.prototype as unknown as NativeStrings

/**
 * Copies of small things, which share buffers of some size: one for each costs more than the copy. Who keeps one holds its
 * buffer. Larger: fewer buffers, more memory where few are kept for long.
 */
export class Copies {
  readonly #sharedBytes: number
  #bytes = Buffer.allocUnsafeSlow(0)
  #position = 0

  constructor(sharedBytes: number) {
    this.#sharedBytes = sharedBytes
  }

  of(bytes: Uint8Array): Uint8Array {
    const { length } = bytes
    if (length > this.#sharedBytes / 8) return new Uint8Array(bytes)
    if (length > this.#bytes.length - this.#position) {
      this.#bytes = Buffer.allocUnsafeSlow(this.#sharedBytes)
      this.#position = 0
    }
    const at = this.#position
    this.#position += length
    this.#bytes.set(bytes, at)
    return new Uint8Array(this.#bytes.buffer, at, length)
  }
}

/** Appends to a buffer that grows by doubling and is used again after {@link reset}. */
export class ByteWriter {
  readonly #initialBytes: number
  #bytes: Buffer
  #data: DataView
  #position = 0

  constructor(initialBytes = 1024) {
    this.#initialBytes = Math.max(64, initialBytes)
    this.#bytes = Buffer.allocUnsafeSlow(this.#initialBytes)
    this.#data = new DataView(this.#bytes.buffer)
  }

  /** How many bytes were written. */
  get position(): number {
    return this.#position
  }

  /** Starts again at 0; earlier views become invalid. A buffer that was hardly used is let go if it is large. */
  reset(): void {
    const size = this.#bytes.length
    const keep = Math.max(RETAINED_BYTES, this.#initialBytes)
    if (size > keep && this.#position < size / 8) this.#allocate(keep)
    this.#position = 0
  }

  /** Drops what was written from `position` on: the way back out of a message that failed halfway. */
  truncate(position: number): void {
    if (!(position >= 0 && position <= this.#position)) throw new RangeError(`truncate to ${position}`)
    this.#position = position
  }

  /** What was written from `start` on, without a copy: valid until the next write or reset. */
  view(start = 0): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, start, this.#position - start)
  }

  /** What was written, as a copy with an ArrayBuffer of its own (so that it can be transferred). */
  take(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes.buffer as ArrayBuffer, 0, this.#position).slice()
  }

  u8(value: number): void {
    if (this.#position === this.#bytes.length) this.#grow(1)
    this.#bytes[this.#position++] = value
  }

  u16be(value: number): void {
    this.#reserve(2)
    this.#data.setUint16(this.#position, value)
    this.#position += 2
  }

  u32le(value: number): void {
    this.#reserve(4)
    this.#data.setUint32(this.#position, value, true)
    this.#position += 4
  }

  /** Overwrites four bytes that were written before, little-endian like {@link u32le}. */
  patchU32(at: number, value: number): void {
    if (!(at >= 0 && at + 4 <= this.#position)) throw new RangeError(`patch at ${at} of ${this.#position}`)
    this.#data.setUint32(at, value, true)
  }

  f64(value: number): void {
    this.#reserve(8)
    this.#data.setFloat64(this.#position, value, true)
    this.#position += 8
  }

  /** LEB128 of an integer from 0 to 2^53-1: 1 to 8 bytes. */
  varuint(value: number): void {
    this.#reserve(8)
    this.#varuint(value)
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#position)
    this.#position += bytes.length
  }

  /** Bytes [start, end) of `source`. */
  slice(source: Uint8Array, start: number, end: number): void {
    if (!(start >= 0 && start <= end && end <= source.length)) {
      throw new RangeError(`slice ${start} to ${end} of ${source.length} bytes`)
    }
    this.bytes(source.subarray(start, end))
  }

  /** varuint length, then the bytes. */
  lenBytes(bytes: Uint8Array): void {
    this.#reserve(8 + bytes.length)
    this.#varuint(bytes.length)
    this.#bytes.set(bytes, this.#position)
    this.#position += bytes.length
  }

  /** u8 length, then the characters: at most 255, all ASCII, or a RangeError (and nothing was written). */
  ascii(text: string): void {
    const length = text.length
    if (length > 255) throw new RangeError(`text of ${length} characters, at most 255`)
    this.#reserve(1 + 3 * length)
    const start = this.#position + 1
    if (length <= LOOP_LENGTH_MAX) {
      if (!this.#asciiLoop(text, start)) throw new RangeError(`"${text}" ${PAST_ASCII}`)
    } else if (native.utf8Write.call(this.#bytes, text, start) !== length) {
      throw new RangeError(`"${text}" ${PAST_ASCII}`)
    }
    this.#bytes[this.#position] = length
    this.#position = start + length
  }

  /** varuint length in bytes, then the text as UTF-8 (a lone surrogate becomes U+FFFD). */
  utf8(text: string): void {
    const length = text.length
    if (length >= COUNT_LENGTH_MIN) {
      const byteLength = Buffer.byteLength(text)
      this.#reserve(8 + byteLength)
      this.#varuint(byteLength)
      this.#position += native.utf8Write.call(this.#bytes, text, this.#position)
      return
    }
    // The length comes first and is known last: room is left for the length that ASCII would have.
    this.#reserve(2 + 3 * length)
    const head = this.#position
    const width = length < 128 ? 1 : 2
    const written = this.#writeUtf8(text, head + width)
    if (width === 1 && written >= 128) this.#bytes.copyWithin(head + 2, head + 1, head + 1 + written)
    this.#varuint(written)
    this.#position += written
  }

  /** The text as UTF-8 without its length. */
  rawUtf8(text: string): void {
    const length = text.length
    if (length >= COUNT_LENGTH_MIN) this.#reserve(Buffer.byteLength(text))
    else this.#reserve(3 * length)
    this.#position += this.#writeUtf8(text, this.#position)
  }

  /** Needs 3 bytes of room for each character, or as many as the text really has. */
  #writeUtf8(text: string, at: number): number {
    if (text.length <= LOOP_LENGTH_MAX && this.#asciiLoop(text, at)) return text.length
    return native.utf8Write.call(this.#bytes, text, at)
  }

  /** False if the text is not ASCII; what was written is then of no use. */
  #asciiLoop(text: string, at: number): boolean {
    const bytes = this.#bytes
    let seen = 0
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      seen |= code
      bytes[at + i] = code
    }
    return seen < 128
  }

  /** Needs 8 bytes of room. */
  #varuint(value: number): void {
    const bytes = this.#bytes
    let at = this.#position
    let rest = value
    if (rest >>> 0 !== rest) {
      if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a varuint`)
      while (rest > 0x7fffffff) {
        bytes[at++] = (rest % 128) | 128
        rest = Math.floor(rest / 128)
      }
    }
    while (rest > 127) {
      bytes[at++] = (rest & 127) | 128
      rest >>>= 7
    }
    bytes[at++] = rest
    this.#position = at
  }

  #reserve(byteCount: number): void {
    if (this.#position + byteCount > this.#bytes.length) this.#grow(byteCount)
  }

  #grow(byteCount: number): void {
    const old = this.#bytes
    let size = old.length * 2
    while (size < this.#position + byteCount) size *= 2
    this.#allocate(size)
    this.#bytes.set(old.subarray(0, this.#position))
  }

  #allocate(size: number): void {
    this.#bytes = Buffer.allocUnsafeSlow(size)
    this.#data = new DataView(this.#bytes.buffer)
  }
}

/** Reads bytes [start, end) of `source`, forwards; every read past the end throws {@link CorruptBytes}. */
export class ByteReader {
  readonly source: Uint8Array
  readonly end: number
  #position: number
  #data: DataView | undefined

  constructor(source: Uint8Array, start = 0, end = source.length) {
    if (!(start >= 0 && start <= end && end <= source.length)) {
      throw new CorruptBytes(`bytes ${start} to ${end} of ${source.length}`)
    }
    this.source = source
    this.end = end
    this.#position = start
  }

  get position(): number {
    return this.#position
  }

  /** Goes to a position, which must lie in the bytes or at their end. */
  set position(position: number) {
    if (!(position >= 0 && position <= this.end))
      throw new CorruptBytes(`position ${position} of ${this.end}`)
    this.#position = position
  }

  get remaining(): number {
    return this.end - this.#position
  }

  u8(): number {
    return this.source[this.#advance(1)] as number
  }

  u16be(): number {
    return this.#view().getUint16(this.#advance(2))
  }

  u32le(): number {
    return this.#view().getUint32(this.#advance(4), true)
  }

  f64(): number {
    return this.#view().getFloat64(this.#advance(8), true)
  }

  /** Only the shortest form of a number is accepted: equal values have equal bytes. */
  varuint(): number {
    const source = this.source
    const first = source[this.#advance(1)] as number
    if (first < 128) return first
    let value = first & 127
    let scale = 128
    for (let i = 0; i < 7; i++) {
      const byte = source[this.#advance(1)] as number
      value += (byte & 127) * scale
      scale *= 128
      if (byte > 127) continue
      if (byte === 0 || value > Number.MAX_SAFE_INTEGER) break
      return value
    }
    throw new CorruptBytes('varuint is not in its shortest form, or too large')
  }

  skip(byteCount: number): void {
    this.#advance(byteCount)
  }

  /** A view of the next bytes, not a copy. */
  bytes(byteCount: number): Uint8Array {
    const start = this.#advance(byteCount)
    return this.source.subarray(start, start + byteCount)
  }

  /** Counterpart of {@link ByteWriter.lenBytes}; a view. Longer than `maxLength` is corrupt. */
  lenBytes(maxLength: number): Uint8Array {
    return this.bytes(this.#length(maxLength))
  }

  ascii(): string {
    const length = this.u8()
    const start = this.#advance(length)
    const source = this.source
    let seen = 0
    for (let i = start; i < start + length; i++) seen |= source[i] as number
    if (seen > 127) throw new CorruptBytes(`text ${PAST_ASCII}`)
    if (length === 18) return textOf18(source, start)
    if (length <= 12) return textOfShort(source, start, length)
    return native.latin1Slice.call(source, start, start + length)
  }

  /** The same; a text that equals `known` is that very string. */
  asciiLike(known: string): string {
    const { length } = known
    const start = this.#position
    if (this.source[start] !== length || this.end - start <= length) return this.ascii()
    for (let i = 0; i < length; i++)
      if (this.source[start + 1 + i] !== known.charCodeAt(i)) return this.ascii()
    this.#position = start + 1 + length
    return known
  }

  /** Counterpart of {@link ByteWriter.utf8}; bytes that are not UTF-8 are corrupt, as is more than `maxLength`. */
  utf8(maxLength: number): string {
    const length = this.#length(maxLength)
    const start = this.#advance(length)
    return utf8Of(this.source, start, start + length)
  }

  #length(maxLength: number): number {
    const length = this.varuint()
    if (length > maxLength) throw new CorruptBytes(`length ${length}, at most ${maxLength}`)
    return length
  }

  /** Moves on and returns where it was. */
  #advance(byteCount: number): number {
    const start = this.#position
    // Not `byteCount > remaining`: NaN has to fail as well.
    if (!(byteCount >= 0 && byteCount <= this.end - start)) {
      throw new CorruptBytes(`${byteCount} bytes wanted at ${start}, the end is at ${this.end}`)
    }
    this.#position = start + byteCount
    return start
  }

  #view(): DataView {
    this.#data ??= new DataView(this.source.buffer, this.source.byteOffset, this.source.byteLength)
    return this.#data
  }
}

/** Bytes [start, end) as text; throws {@link CorruptBytes} if they are not UTF-8. */
export function utf8Of(source: Uint8Array, start = 0, end = source.length): string {
  const text = native.utf8Slice.call(source, start, end)
  // The decoder puts U+FFFD for what it can't read; the text may also really hold one.
  if (text.includes('\ufffd') && !sameBytes(Buffer.from(text), source, start, end)) {
    throw new CorruptBytes('text is not UTF-8')
  }
  return text
}

function sameBytes(bytes: Uint8Array, source: Uint8Array, start: number, end: number): boolean {
  return bytes.length === end - start && Buffer.compare(bytes, source.subarray(start, end)) === 0
}

/** Generated ids have 18 characters: one call of fromCharCode is twice as fast as a native slice, and hashes faster. */
function textOf18(b: Uint8Array, i: number): string {
  // biome-ignore format: a table
  return String.fromCharCode(
    b[i] as number, b[i + 1] as number, b[i + 2] as number, b[i + 3] as number, b[i + 4] as number, b[i + 5] as number,
    b[i + 6] as number, b[i + 7] as number, b[i + 8] as number, b[i + 9] as number, b[i + 10] as number, b[i + 11] as number,
    b[i + 12] as number, b[i + 13] as number, b[i + 14] as number, b[i + 15] as number, b[i + 16] as number, b[i + 17] as number,
  )
}

/** Up to 12 characters: V8 joins such short strings flat. */
function textOfShort(b: Uint8Array, start: number, length: number): string {
  let text = ''
  let i = start
  const end = start + length
  for (; i + 4 <= end; i += 4) {
    text += String.fromCharCode(b[i] as number, b[i + 1] as number, b[i + 2] as number, b[i + 3] as number)
  }
  for (; i < end; i++) text += String.fromCharCode(b[i] as number)
  return text
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Two lower-case digits for each byte. */
export function hexOf(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += HEX[bytes[i] as number] as string
  return text
}
