/**
 * The trace of a run: a hash over everything that happens, in order (timers, frames, writes, handlers, faults), and
 * the latest of it as text. Two runs with the same hash were the same run; a seed whose hash differs the second time
 * has found something that the ports don't cover.
 */

import { closeSync, openSync, writeSync } from 'node:fs'
import type { VirtualClock } from './virtual-clock.ts'

/** Latest lines that are kept for a report. */
const LINES_MAX = 120

export interface TraceNote {
  readonly at: number
  readonly text: string
}

interface Line extends TraceNote {
  readonly wall: number
}

/** As text only for who reads it: most of what is noted nobody does. */
function shown({ at, wall, text }: Line): string {
  return `${at.toFixed(3).padStart(12)} ${new Date(wall).toISOString()} ${text}`
}

export class Trace {
  readonly #clock: VirtualClock
  #low = 0x811c9dc5
  #high = 0x01000193
  #latest: Line[] = []
  readonly #file: number | undefined
  readonly verbose: boolean
  readonly #keepsNotes: boolean
  readonly notes: TraceNote[] = []
  events = 0

  constructor(
    clock: VirtualClock,
    options: {
      readonly file?: string | undefined
      readonly verbose?: boolean
      /** All notes are kept, not only the latest. */
      readonly keepsNotes?: boolean
    },
  ) {
    this.#clock = clock
    this.#file = options.file === undefined ? undefined : openSync(options.file, 'w')
    this.verbose = options.verbose === true
    this.#keepsNotes = options.keepsNotes === true
  }

  /** Something happened that matters only to the hash. */
  mark(kind: number, value: number): void {
    this.events++
    this.#mix(kind)
    this.#mix(this.#clock.monotonic() * 1000)
    this.#mix(value)
  }

  markBytes(kind: number, bytes: Uint8Array): void {
    this.mark(kind, bytes.length)
    for (let i = 0; i < bytes.length; i++) this.#mixByte(bytes[i] as number)
  }

  /** Something that a reader of the report wants to see. The text is asked for at once, and only its hash kept. */
  note(text: string): void {
    this.mark(1, text.length)
    for (let i = 0; i < text.length; i++) this.#mixByte(text.charCodeAt(i))
    const line = { at: this.#clock.monotonic(), wall: this.#clock.now(), text }
    if (this.#keepsNotes) this.notes.push({ at: line.at, text })
    if (this.#latest.push(line) > LINES_MAX * 2) this.#latest = this.#latest.slice(-LINES_MAX)
    if (this.#file !== undefined) writeSync(this.#file, `${shown(line)}\n`)
    if (this.verbose) process.stdout.write(`${shown(line)}\n`)
  }

  get latest(): readonly string[] {
    return this.#latest.slice(-LINES_MAX).map(shown)
  }

  get hash(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0')
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
  }

  #mix(value: number): void {
    const whole = Math.floor(value)
    this.#mixByte(whole | 0)
    this.#mixByte((whole / 2 ** 32) | 0)
  }

  /** FNV-1a on one half, its mirror on the other: quick, and no collision by accident. */
  #mixByte(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193)
    this.#high = Math.imul((this.#high << 5) ^ (this.#high >>> 27) ^ value, 0x9e3779b1)
  }
}

export const KIND = { note: 1, timer: 2, write: 3, frameIn: 4, frameOut: 5, read: 6, connection: 7 } as const
