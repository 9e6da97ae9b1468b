/**
 * Holds a connection to an address: dials it, waits longer after each failure, and dials again at once when a
 * connection that stood is lost. An address may stand for several machines (places.ts): it is looked up every few seconds,
 * and whoever is there is dialled, each with a backoff of its own.
 */

import type { Clock, Timer } from '../../ports/clock.ts'
import type { DialFailure } from '../../ports/network.ts'
import type { Random } from '../../ports/random.ts'
import { type Endpoint, endpointText } from './addresses.ts'
import type { Found, Place } from './places.ts'

/** How one dial ended. */
export type Dialled =
  /** There is a connection with the peer, this one or another; `ended` is called when it is no more. */
  | { kind: 'attached'; peer: string }
  /** `isTold`: who operates this node was told why. */
  | { kind: 'failed'; why: DialFailure; isTold?: boolean }
  /** It was this very node. */
  | { kind: 'self' }
  /** Nothing was wrong: later it may be otherwise. */
  | { kind: 'later' }
  /** What was in the way has just been removed. */
  | { kind: 'again' }

export interface DialHost {
  readonly clock: Clock
  readonly random: Random
  /** What the address stands for. */
  place(address: string): Place
  /** Never rejects. */
  dial(endpoint: Endpoint, address: string, signal: AbortSignal): Promise<Dialled>
  attached(peer: string, dial: EndpointDial): void
  failed(address: string, why: DialFailure): void
}

const FIRST_BACKOFF_MS = 100
/** After the loss of a connection that had stood; so that not all come in the same moment. */
const REDIAL_MS_MAX = 20
/** A connection that stood for so long was a good one. */
const GOOD_MS = 1000
const RESOLVE_MS = 5000
/** Addresses move: now and then it is seen whether it is still this node that answers there. */
const SELF_MS = 60_000

/** How long to wait after so many failures in a row; `chance` in [0, 1). */
export function backoffMs(failures: number, chance: number, msMax: number): number {
  const most = Math.min(msMax, FIRST_BACKOFF_MS * 2 ** Math.max(0, failures - 1))
  return most * (0.5 + chance / 2)
}

export class Dialler {
  readonly address: string
  readonly #host: DialHost
  readonly #place: Place
  readonly #dials = new Map<string, EndpointDial>()
  #timer: Timer | undefined
  #failures = 0
  #isOver = false
  #isSelfTold = false
  /** All that the address stands for were looked up once. */
  #isResolved = false

  constructor(host: DialHost, address: string) {
    this.#host = host
    this.address = address
    this.#place = host.place(address)
    queueMicrotask(() => void this.#look())
  }

  /** Of somebody who may be there no dial has shown yet whether he is. */
  get isSought(): boolean {
    return !this.#isResolved || [...this.#dials.values()].some(({ isSought }) => isSought)
  }

  cancel(): void {
    this.#isOver = true
    this.#timer?.cancel()
    for (const dial of this.#dials.values()) dial.cancel()
    this.#dials.clear()
  }

  /** One of its dials failed. It is told when nobody at the address is reached, and no other is being dialled. */
  failed(why: DialFailure): void {
    if (this.#isOver) return
    const all = [...this.#dials.values()]
    if (all.every(({ state }) => state === 'waiting' || state === 'self'))
      this.#host.failed(this.address, why)
  }

  isSelf(): void {
    const isAll = [...this.#dials.values()].every(({ state }) => state === 'self')
    if (this.#isOver || this.#isSelfTold || !isAll) return
    this.#isSelfTold = true
    this.#host.failed(this.address, 'rejected')
  }

  get backoffMsMax(): number {
    return this.#place.backoffMsMax
  }

  async #look(): Promise<void> {
    if (this.#isOver) return
    const found = await this.#place.find()
    if (this.#isOver) return
    this.#isResolved ||= found.isWhole
    if (found.endpoints.length === 0) {
      this.#failures++
      this.failed('unreachable')
      this.#again(backoffMs(this.#failures, this.#host.random.float(), this.backoffMsMax))
      return
    }
    this.#failures = 0
    this.#dial(found)
    if (!this.#place.isFixed) this.#again(found.isWhole ? RESOLVE_MS : FIRST_BACKOFF_MS)
  }

  #dial({ endpoints }: Found): void {
    const texts = new Set(endpoints.map(endpointText))
    for (const [text, dial] of this.#dials) {
      if (texts.has(text)) continue
      dial.cancel()
      this.#dials.delete(text)
    }
    for (const endpoint of endpoints) {
      const text = endpointText(endpoint)
      if (!this.#dials.has(text)) this.#dials.set(text, new EndpointDial(this.#host, this, endpoint))
    }
  }

  #again(afterMs: number): void {
    if (!this.#isOver) this.#timer = this.#host.clock.setTimer(afterMs, () => void this.#look())
  }
}

function showsWhoIsThere(dialled: Dialled): boolean {
  if (dialled.kind === 'failed') return dialled.why !== 'timeout'
  return dialled.kind === 'attached' || dialled.kind === 'self'
}

/** One machine at an address. */
export class EndpointDial {
  state: 'dialling' | 'waiting' | 'attached' | 'self' | 'over' = 'dialling'
  isSought = true
  readonly #host: DialHost
  readonly #dialler: Dialler
  readonly #endpoint: Endpoint
  readonly #abort = new AbortController()
  #timer: Timer | undefined
  #failures = 0

  constructor(host: DialHost, dialler: Dialler, endpoint: Endpoint) {
    this.#host = host
    this.#dialler = dialler
    this.#endpoint = endpoint
    // So that all of an address are there before the first of them fails.
    queueMicrotask(() => void this.#dial())
  }

  cancel(): void {
    this.state = 'over'
    this.#timer?.cancel()
    this.#abort.abort()
  }

  /** The connection that it was attached to is no more, and had stood for so long, ms. */
  ended(stoodMs: number): void {
    if (this.state !== 'attached') return
    this.state = 'waiting'
    if (stoodMs < GOOD_MS) {
      this.#later()
      return
    }
    this.#failures = 0
    this.#after(this.#host.random.float() * REDIAL_MS_MAX)
  }

  async #dial(): Promise<void> {
    if (this.state === 'over') return
    this.state = 'dialling'
    const dialled = await this.#host.dial(this.#endpoint, this.#dialler.address, this.#abort.signal)
    if (this.#isOver()) return
    if (showsWhoIsThere(dialled)) this.isSought = false
    switch (dialled.kind) {
      case 'attached':
        this.state = 'attached'
        this.#host.attached(dialled.peer, this)
        return
      case 'self':
        this.state = 'self'
        this.#after(SELF_MS)
        this.#dialler.isSelf()
        return
      case 'again':
        this.state = 'waiting'
        this.#after(0)
        return
      case 'later':
        this.state = 'waiting'
        this.#later()
        return
      case 'failed':
        this.state = 'waiting'
        this.#later()
        this.#dialler.failed(dialled.why)
    }
  }

  #isOver(): boolean {
    return this.state === 'over'
  }

  #later(): void {
    this.#failures++
    this.#after(backoffMs(this.#failures, this.#host.random.float(), this.#dialler.backoffMsMax))
  }

  #after(ms: number): void {
    this.#timer = this.#host.clock.setTimer(ms, () => void this.#dial())
  }
}
