/**
 * The layout of the store: one ordered key space, cut by the first byte.
 *
 *   m                          meta: store id, boot, where the journal begins (one value)
 *   mr                         there if the next start is to take a new store id
 *   a/<actor>                  actors: index -> (store, boot, start id)
 *   c                          context of the index: range -> actor -> n (one value, as of the last spill)
 *   c/<range>                  of a mesh, instead of c: state of a range, as of the last segment that was dropped
 *   q                          requestIds still remembered, as of the last spill (one value)
 *   q/<seq>                    of a mesh, instead of q: requestIds that came up to that blob
 *   j/<seq>                    journal blobs
 *   t/<range>/<id>             task records that outlived their journal segment
 *   d/<range>/<due>/<id>       due index of those: a hint, the record decides
 *   e/<range>/<id>/<instant>   ended runs of recurring tasks
 *   r/<range>/<id>/<instant>   ended runs of one-shots that are kept for a while
 *   x/<seq>                    journal blobs that were set aside as unreadable by a repair
 *   v/...                      views: what membership keeps (membership/persistence.ts has the layout below the letter)
 */

import { putF64 } from '../lib/keys.ts'

const T = 0x74
const D = 0x64
const J = 0x6a
const E = 0x65
const R = 0x72

export const META_KEY = Uint8Array.of(0x6d)
export const RENEWAL_KEY = Uint8Array.of(0x6d, 0x72)
export const CONTEXT_KEY = Uint8Array.of(0x63)
export const REQUESTS_KEY = Uint8Array.of(0x71)

export function journalKey(seq: number): Uint8Array {
  return numbered(J, seq)
}

/** What the segment that ended with this blob brought of requestIds. */
export function requestsKey(seq: number): Uint8Array {
  return numbered(0x71, seq)
}

export function stateKey(range: number): Uint8Array {
  return ranged(0x63, range)
}

/** Not CONTEXT_KEY, which is shorter. */
export function allStates(): { gte: Uint8Array; lt: Uint8Array } {
  return { gte: Uint8Array.of(0x63, 0), lt: Uint8Array.of(0x64) }
}

/** All keys of a range under a letter. */
export function allOfRange(
  letter: 't' | 'd' | 'e' | 'r',
  range: number,
): { gte: Uint8Array; lt: Uint8Array } {
  const code = letter.charCodeAt(0)
  const lt = range === 65_535 ? Uint8Array.of(code + 1) : ranged(code, range + 1)
  return { gte: ranged(code, range), lt }
}

export function setAsideKey(seq: number): Uint8Array {
  return numbered(0x78, seq)
}

export function actorKey(index: number): Uint8Array {
  return numbered(0x61, index)
}

/** All keys that begin with this letter. */
export function allOf(letter: 'a' | 'c' | 'd' | 'e' | 'j' | 'q' | 'r' | 't' | 'x'): {
  gte: Uint8Array
  lt: Uint8Array
} {
  const code = letter.charCodeAt(0)
  return { gte: Uint8Array.of(code), lt: Uint8Array.of(code + 1) }
}

/** The number in a journal, actor or set-aside key. */
export function numberOf(key: Uint8Array): number {
  let value = 0
  for (let i = 1; i < 8; i++) value = value * 256 + (key[i] as number)
  return value
}

export function taskKey(range: number, id: string): Uint8Array {
  return withId(T, range, 3, id)
}

export function taskIdOf(key: Uint8Array): string {
  return asciiFrom(key, 3, key.length)
}

export function rangeOfKey(key: Uint8Array): number {
  return ((key[1] as number) << 8) | (key[2] as number)
}

export function dueKey(range: number, due: number, id: string): Uint8Array {
  const key = withId(D, range, 11, id)
  putF64(key, 3, due)
  return key
}

/** The first key of a range's due index, or the first at or after an instant. */
export function dueFrom(range: number, due?: number): Uint8Array {
  if (due === undefined) return ranged(D, range)
  const key = new Uint8Array(11)
  key[0] = D
  key[1] = range >> 8
  key[2] = range & 255
  putF64(key, 3, due)
  return key
}

export function dueIdOf(key: Uint8Array): string {
  return asciiFrom(key, 11, key.length)
}

/** Ended runs: `e` of recurring tasks, `r` of one-shots. */
export function endedKey(recurring: boolean, range: number, id: string, instant: number): Uint8Array {
  const key = new Uint8Array(3 + id.length + 1 + 8)
  key[0] = recurring ? E : R
  key[1] = range >> 8
  key[2] = range & 255
  for (let i = 0; i < id.length; i++) key[3 + i] = id.charCodeAt(i)
  putF64(key, 4 + id.length, instant)
  return key
}

function withId(letter: number, range: number, at: number, id: string): Uint8Array {
  const key = new Uint8Array(at + id.length)
  key[0] = letter
  key[1] = range >> 8
  key[2] = range & 255
  for (let i = 0; i < id.length; i++) key[at + i] = id.charCodeAt(i)
  return key
}

function ranged(letter: number, range: number): Uint8Array {
  return Uint8Array.of(letter, range >> 8, range & 255)
}

function numbered(letter: number, n: number): Uint8Array {
  const key = new Uint8Array(8)
  key[0] = letter
  let rest = n
  for (let i = 7; i > 0; i--) {
    key[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return key
}

function asciiFrom(key: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let i = start; i < end; i++) text += String.fromCharCode(key[i] as number)
  return text
}
