/**
 * The worker half of a link to another engine: towards that one this engine is a worker, which runs the handlers of its
 * own near workers. It says what they have room for, takes runs in as guests, and tells what becomes of each.
 *
 * The rules: while the link stands, every run that came over it is answered exactly once, with an outcome; what is said
 * of a run comes before its outcome; a hello comes before the outcomes of its turn, so that who gets a run back, as
 * nobody here runs its handler any more, knows that by then. After the link is lost nothing more is said of what came
 * over it, and what runs is aborted: its owner has it begun anew.
 */

import { invariant } from '../invariant.ts'
import { type ByteReader, ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { ITEMS_MAX, MESSAGE } from '../wire/frame.ts'
import {
  ABORT_REASONS,
  type AbortReason,
  bareOutcome,
  type HelloHandler,
  type OutcomeMessage,
  type RunMessage,
  readRun,
  relayOutcome,
} from '../wire/work.ts'
import { GuestRun, type Origin } from './guest-run.ts'

/** The worker half of a link to another engine: what is announced there, and what it sends. One for each link. */
export interface LinkWorker {
  /** The link is open (again): says hello. Whatever goes out is taken by takeOutgoing() at the end of the turn. */
  opened(): void
  /** One message of the worker protocol that came from that engine (runs, abort); false if it is none. Throws CorruptBytes. */
  handleMessage(type: number, reader: ByteReader): boolean
  /** Appends what this turn has for that engine (hello, started, outcomes, progress, log). */
  takeOutgoing(out: ByteWriter): void
  /** The link is lost: its attempts here are aborted ('elsewhere'), nothing more is said. Safe to call twice. */
  closed(): void
}

export interface GuestLinkHost {
  opened(link: GuestLink): void
  closed(link: GuestLink): void
  /** A guest came in. */
  arrived(run: GuestRun): void
  /** It is not to be run any more. */
  takeBack(run: GuestRun, reason: AbortReason): void
  stir(): void
}

/** A handler that was announced, in the order in which the other side numbers them. */
interface Announced {
  readonly name: string
  /** Guests of it that have not been answered. */
  held: number
}

export class GuestLink implements LinkWorker, Origin {
  readonly #host: GuestLinkHost
  readonly #ready: (() => void) | undefined
  #open = false
  /** Not answered yet, by their handles at the other engine. */
  #guests = new Map<number, GuestRun>()
  #handlers: Announced[] = []
  #byName = new Map<string, Announced>()
  /** The hello that was said last. */
  #said = ''
  #hello: string | undefined
  readonly #lines = new ByteWriter(1024)
  readonly #outcomes = new ByteWriter(1024)
  #outcomeCount = 0

  constructor(host: GuestLinkHost, ready?: () => void) {
    this.#host = host
    this.#ready = ready
  }

  // --- LinkWorker

  opened(): void {
    this.closed()
    this.#open = true
    this.#host.opened(this)
    this.#host.stir()
  }

  handleMessage(type: number, reader: ByteReader): boolean {
    if (type === MESSAGE.runs) this.#runs(reader)
    else if (type === MESSAGE.abort) {
      const run = this.#guests.get(reader.varuint())
      const reason = ABORT_REASONS[reader.u8()] ?? 'cancelled'
      if (run !== undefined) this.#host.takeBack(run, reason)
    } else return false
    this.#host.stir()
    return true
  }

  takeOutgoing(out: ByteWriter): void {
    if (!this.#open) return
    if (this.#hello !== undefined) {
      out.u8(MESSAGE.hello)
      out.utf8(this.#hello)
      this.#hello = undefined
    }
    this.#endOutcomes()
    out.bytes(this.#lines.view())
    this.#lines.reset()
  }

  closed(): void {
    if (!this.#open) return
    this.#open = false
    const guests = [...this.#guests.values()]
    this.#guests.clear()
    this.#handlers = []
    this.#byName.clear()
    this.#said = ''
    this.#hello = undefined
    this.#lines.reset()
    this.#outcomes.reset()
    this.#outcomeCount = 0
    for (const run of guests) {
      run.origin = undefined
      this.#host.takeBack(run, 'elsewhere')
    }
    this.#host.closed(this)
    this.#host.stir()
  }

  // --- for Guests

  /** Guests that have not been answered. */
  get guests(): Iterable<GuestRun> {
    return this.#guests.values()
  }

  get held(): number {
    return this.#guests.size
  }

  heldOf(name: string): number {
    return this.#byName.get(name)?.held ?? 0
  }

  /** Says hello with these windows, if that is news. Who was announced and is not among them is gone. */
  announce(worker: string, windows: ReadonlyMap<string, number>, room: number): void {
    for (const name of windows.keys()) {
      if (this.#byName.has(name)) continue
      const handler: Announced = { name, held: 0 }
      this.#handlers.push(handler)
      this.#byName.set(name, handler)
    }
    let sum = 0
    const handlers = this.#handlers.map(({ name }): HelloHandler => {
      const window = windows.get(name)
      sum += window ?? 0
      return window === undefined ? { name, window: 0, gone: true } : { name, window }
    })
    const window = Math.min(ITEMS_MAX, sum, this.held + room)
    const text = JSON.stringify({ worker, window, handlers, running: [], events: false })
    if (text === this.#said) return
    this.#said = text
    this.#hello = text
  }

  /** The end of a turn: who owns the link is told if there is something to take. */
  endTurn(): void {
    const isNothing = this.#hello === undefined && this.#outcomeCount === 0 && this.#lines.position === 0
    if (!isNothing) this.#ready?.()
  }

  // --- Origin

  started(run: GuestRun, at: number): void {
    this.#lines.u8(MESSAGE.started)
    this.#lines.varuint(run.remoteHandle)
    this.#lines.f64(at)
    this.#host.stir()
  }

  progress(run: GuestRun, json: string): void {
    this.#line(MESSAGE.progress, run, json)
  }

  log(run: GuestRun, json: string): void {
    this.#line(MESSAGE.log, run, json)
  }

  answer(run: GuestRun, outcome: OutcomeMessage): void {
    const { remoteHandle } = run
    invariant(this.#guests.get(remoteHandle) === run, 'a guest is answered once, and over its own link')
    this.#guests.delete(remoteHandle)
    run.origin = undefined
    const handler = this.#byName.get(run.name)
    invariant(handler !== undefined && handler.held > 0, 'a guest is counted until it is answered')
    handler.held--
    relayOutcome(this.#outcomes, remoteHandle, outcome)
    if (++this.#outcomeCount === ITEMS_MAX) this.#endOutcomes()
    this.#host.stir()
  }

  #line(type: number, run: GuestRun, json: string): void {
    this.#lines.u8(type)
    this.#lines.varuint(run.remoteHandle)
    this.#lines.utf8(json)
    this.#host.stir()
  }

  #endOutcomes(): void {
    if (this.#outcomeCount === 0) return
    this.#lines.u8(MESSAGE.outcomes)
    this.#lines.varuint(this.#outcomeCount)
    this.#lines.bytes(this.#outcomes.view())
    this.#outcomes.reset()
    this.#outcomeCount = 0
  }

  #runs(reader: ByteReader): void {
    const count = reader.varuint()
    if (count > ITEMS_MAX) throw new CorruptBytes(`${count} runs in a message`)
    for (let i = 0; i < count; i++) this.#take(readRun(reader))
  }

  #take(message: RunMessage): void {
    if (!this.#open) return
    const handler = this.#handlers[message.handler]
    if (handler === undefined) {
      throw new CorruptBytes(`a run of handler ${message.handler}, of ${this.#handlers.length} announced`)
    }
    if (this.#guests.has(message.handle)) throw new CorruptBytes(`run ${message.handle} came twice`)
    const run = new GuestRun(handler.name, message, this)
    this.#guests.set(message.handle, run)
    handler.held++
    if (this.held > ITEMS_MAX) this.answer(run, bareOutcome(0, 'unstarted'))
    else this.#host.arrived(run)
  }
}
