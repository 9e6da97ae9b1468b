/**
 * Requests that were carried out, by requestId (caller, n), so that a request that comes twice is carried out once,
 * also after its task has ended and gone (PROTOCOLS B6, trace 11).
 *
 * A request carries its caller's mark, below which the caller has all answers: what lies below is forgotten, and what
 * lies from the mark up is remembered for `windowMs`. A request that may have been forgotten is refused (TOO_OLD)
 * rather than carried out again. Numbers of one call follow each other, so they are kept as spans.
 */

import { CarillonError } from '../errors.ts'
import { openJson, sealJson } from '../lib/sealed.ts'

/** The change that a request made. */
export interface RequestDot {
  readonly range: number
  readonly actor: number
  readonly n: number
}

/** What was answered to one request: undefined for a plain "created". */
export interface KnownRequest {
  readonly answer: string | undefined
  /** Of a mesh: the change that it made, if it made one. */
  readonly dot?: RequestDot | undefined
}

/** What is remembered of requests, alone or in a mesh (mesh-requests.ts). */
export interface Requests {
  /** The caller has all answers below `mark`. */
  raiseMark(caller: string, mark: number, now: number): void
  /**
   * What was answered, or undefined if the request is new. Throws TOO_OLD if that can no longer be told: `madeAt` is
   * the request's own instant, and callers that were silent for the window are forgotten whole.
   */
  find(caller: string, n: number, madeAt: number, now: number): KnownRequest | undefined
  /** Requests [from, to] were carried out, all with this answer. */
  add(caller: string, from: number, to: number, now: number, answer?: string): void
  /** A request was carried out, as its change says; `dot` is that of the change. */
  learn(caller: string, n: number, at: number, answer: string | undefined, dot: RequestDot): void
  /** Forgets what is older than the window; cheap, to be called now and then. */
  sweep(now: number): void
}

export function tooOld(caller: string, n: number, windowMs: number): CarillonError {
  return new CarillonError(
    'TOO_OLD',
    `the call reached the engine more than ${windowMs} ms after it was made (was the thread blocked, or the clock set?): whether it was carried out is not known (request ${n} of ${caller})`,
  )
}

interface Span {
  readonly from: number
  to: number
  readonly at: number
  readonly answer: string | undefined
}

interface Caller {
  mark: number
  /** All numbers below were given at some time, as far as is known. */
  highest: number
  /** Requests below this were forgotten by age: whether they were carried out is not known. */
  forgotten: number
  seenAt: number
  spans: Span[]
}

/** A caller's name is kept for so many windows longer than what it asked for. */
export const CALLER_WINDOWS = 10

const KNOWN_PLAIN: KnownRequest = { answer: undefined }

export class RequestLog implements Requests {
  readonly #windowMs: number
  readonly #callers = new Map<string, Caller>()
  #sweptAt = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  raiseMark(caller: string, mark: number, now: number): void {
    const known = this.#caller(caller, now)
    if (mark <= known.mark) return
    known.mark = mark
    if (known.spans.length > 0) known.spans = known.spans.filter(span => span.to >= mark)
  }

  find(caller: string, n: number, madeAt: number, now: number): KnownRequest | undefined {
    const found = this.peek(caller, n)
    if (found !== undefined) return found
    const known = this.#callers.get(caller)
    if (madeAt < now - this.#windowMs || (known !== undefined && (n < known.mark || n <= known.forgotten)))
      throw tooOld(caller, n, this.#windowMs)
    return undefined
  }

  /** What was answered, or undefined if nothing is known of the request. */
  peek(caller: string, n: number): KnownRequest | undefined {
    for (const span of this.#callers.get(caller)?.spans ?? []) {
      if (n >= span.from && n <= span.to)
        return span.answer === undefined ? KNOWN_PLAIN : { answer: span.answer }
    }
    return undefined
  }

  add(caller: string, from: number, to: number, now: number, answer?: string): void {
    const known = this.#caller(caller, now)
    if (to > known.highest) known.highest = to
    const last = known.spans.at(-1)
    if (last !== undefined && last.to + 1 === from && last.answer === answer && last.at === now) last.to = to
    else known.spans.push({ from, to, at: now, answer })
  }

  /** Whoever is alone acknowledges by its own sync: the dot is not needed. */
  learn(caller: string, n: number, at: number, answer: string | undefined): void {
    this.add(caller, n, n, at, answer)
  }

  sweep(now: number): void {
    if (now - this.#sweptAt < this.#windowMs / 4 && now >= this.#sweptAt) return
    this.#sweptAt = now
    const before = now - this.#windowMs
    for (const [name, caller] of this.#callers) {
      let old = 0
      while (old < caller.spans.length && (caller.spans[old] as Span).at < before) old++
      for (const span of caller.spans.splice(0, old)) caller.forgotten = Math.max(caller.forgotten, span.to)
      // Who is forgotten whole may ask again unrecognized, should the clock have been ahead meanwhile.
      if (caller.spans.length === 0 && caller.seenAt < now - CALLER_WINDOWS * this.#windowMs)
        this.#callers.delete(name)
    }
  }

  /** For the index: everything still remembered. */
  encode(): Uint8Array {
    return sealJson([...this.#callers])
  }

  /** Throws STORE_CORRUPT. */
  decode(bytes: Uint8Array): void {
    const callers = openJson(bytes, "the store's list of requests", value => {
      if (!Array.isArray(value) || !value.every(isEntry)) throw new TypeError('it is no list of callers')
      return value
    })
    for (const [name, caller] of callers) this.#callers.set(name, caller)
  }

  #caller(name: string, now: number): Caller {
    let known = this.#callers.get(name)
    if (known === undefined) {
      known = { mark: 0, highest: -1, forgotten: -1, seenAt: now, spans: [] }
      this.#callers.set(name, known)
    }
    known.seenAt = now
    return known
  }
}

function isEntry(value: unknown): value is [string, Caller] {
  if (!Array.isArray(value) || typeof value[0] !== 'string') return false
  const caller = value[1] as Partial<Caller> | null | undefined
  if (typeof caller !== 'object' || caller === null || !Array.isArray(caller.spans)) return false
  const { mark, highest, forgotten, seenAt } = caller
  if (![mark, highest, forgotten, seenAt].every(n => typeof n === 'number')) return false
  return caller.spans.every(
    (span: unknown) =>
      typeof span === 'object' && span !== null && 'from' in span && 'to' in span && 'at' in span,
  )
}
