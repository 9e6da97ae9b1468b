/**
 * Guests: runs of tasks that other engines own, for handlers of this engine's near workers. They wait in the same queues
 * as this engine's own runs and go to the same workers, under the same credit. What a worker says of one goes back over
 * the link that it came from, byte for byte.
 *
 * A run never goes on from here: guests only go to near workers, and only the handlers of those are announced. So it is at
 * one place at a time, and its owner gets one outcome for it, or sees the link end.
 *
 * Who is told of what changed: windows change all the time, and are said every `announceMs` at most; what has gone is
 * said at once.
 */

import { invariant } from '../invariant.ts'
import type { ByteWriter } from '../lib/bytes.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import { type AbortReason, bareOutcome, type OutcomeMessage } from '../wire/work.ts'
import type { Desk, Dispatcher } from './dispatcher.ts'
import type { DispatcherHost } from './due-run.ts'
import { GuestLink, type GuestLinkHost, type LinkWorker } from './guest-link.ts'
import type { GuestRun } from './guest-run.ts'
import { guestWindow } from './guest-windows.ts'

export interface GuestsOptions {
  /**
   * Most runs of one handler that are taken for one other engine. More: a busy engine has more of its runs here, and all
   * of them begin anew if the link is lost. Fewer: its runs arrive more singly where handlers are quick.
   */
  readonly guestWindowMax: number
  /** Windows are announced this often at most, ms. More: others know later who has room. Less: more small messages. */
  readonly announceMs: number
}

/** What guests ask of the dispatcher. */
export type GuestDesk = Desk<GuestRun> &
  Pick<
    Dispatcher<GuestRun>,
    'nearVersion' | 'loadVersion' | 'nearRoom' | 'nearLoads' | 'runsNear' | 'waiting'
  >

export interface GuestsParts {
  readonly clock: Pick<Clock, 'monotonic' | 'setTimer'>
  readonly dispatcher: () => GuestDesk
  /** Names this engine at the others; new at each start of it. */
  readonly worker: () => string
  /** Something has to go out: the turn must be ended. */
  readonly stir: () => void
}

export class Guests implements Omit<DispatcherHost<GuestRun>, 'noWorker'>, GuestLinkHost {
  readonly #options: GuestsOptions
  readonly #parts: GuestsParts
  readonly #links = new Set<GuestLink>()
  #closing = false
  /** The near workers as they were when guests without one were given back. */
  #settledVersion = 0
  /** The same, and what they had, when windows were looked at. */
  #lookedVersion = 0
  #lookedLoad = 0
  #lookedAt = Number.NEGATIVE_INFINITY
  #isUrgent = false
  #timer: Timer | undefined

  constructor(options: GuestsOptions, parts: GuestsParts) {
    this.#options = options
    this.#parts = parts
  }

  /** A link to another engine, not open yet. `ready`: a turn ends that has something to take. */
  link(_node: string, ready?: () => void): LinkWorker {
    return new GuestLink(this, ready)
  }

  /** The engine closes: what waits goes back, and nothing more is taken. What runs goes on. */
  close(): void {
    this.#closing = true
    this.#isUrgent = true
    for (const link of this.#links) {
      for (const run of [...link.guests]) if (run.place === 'queued') this.#giveBack(run)
    }
    this.#parts.stir()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** Before runs are handed out: guests whose handler nobody here runs any more go back. */
  settle(): void {
    const dispatcher = this.#parts.dispatcher()
    if (this.#links.size === 0 || this.#settledVersion === dispatcher.nearVersion) return
    this.#settledVersion = dispatcher.nearVersion
    for (const link of this.#links) {
      for (const run of [...link.guests])
        if (run.place === 'queued' && !dispatcher.runsNear(run.name)) this.#giveBack(run)
    }
  }

  /** The end of a turn: says what windows have become, and has the links send. */
  flush(): void {
    if (this.#links.size === 0) return
    this.#look()
    for (const link of this.#links) link.endTurn()
  }

  // --- GuestLinkHost

  opened(link: GuestLink): void {
    this.#links.add(link)
    this.#isUrgent = true
  }

  closed(link: GuestLink): void {
    this.#links.delete(link)
    if (this.#links.size === 0) this.stop()
  }

  arrived(run: GuestRun): void {
    const dispatcher = this.#parts.dispatcher()
    if (!this.#closing && dispatcher.runsNear(run.name) && dispatcher.roomFor(run.name) > 0)
      return dispatcher.offer(run)
    // It would come again at once if its owner did not know.
    this.#isUrgent = true
    run.origin?.answer(run, bareOutcome(0, 'unstarted'))
  }

  takeBack(run: GuestRun, reason: AbortReason): void {
    const dispatcher = this.#parts.dispatcher()
    if (run.place === 'queued') this.#giveBack(run)
    // Else it holds its worker's credit until that says how it ended, and so its owner's.
    else if (run.place === 'sent' && !dispatcher.abort(run, reason))
      run.origin?.answer(run, bareOutcome(0, 'unstarted'))
  }

  stir(): void {
    this.#parts.stir()
  }

  // --- what the dispatcher tells

  starting(): void {}

  claim(): void {
    invariant(false, 'a guest was claimed where it came from')
  }

  write(run: GuestRun, out: ByteWriter, handle: number, handler: number): void {
    run.write(out, handle, handler)
  }

  started(run: GuestRun, at: number): void {
    run.origin?.started(run, at)
  }

  outcome(run: GuestRun, outcome: OutcomeMessage): void {
    run.origin?.answer(run, outcome)
  }

  timedOut(): void {
    invariant(false, 'the timeout of a guest is measured where it came from')
  }

  lost(run: GuestRun): void {
    run.origin?.answer(run, bareOutcome(0, 'lost'))
  }

  label(run: GuestRun): string {
    return run.taskId
  }

  lateEnd(run: GuestRun, _: string, __: number, outcome: OutcomeMessage | undefined): void {
    run.origin?.answer(run, outcome ?? bareOutcome(0, 'lost'))
  }

  progress(run: GuestRun, json: string): void {
    run.origin?.progress(run, json)
  }

  log(run: GuestRun, json: string): void {
    run.origin?.log(run, json)
  }

  #giveBack(run: GuestRun): void {
    invariant(this.#parts.dispatcher().withdraw(run), 'what is queued can be withdrawn')
    run.origin?.answer(run, bareOutcome(0, 'unstarted'))
  }

  // --- windows

  #look(): void {
    const { clock, dispatcher, stir } = this.#parts
    const { nearVersion, loadVersion } = dispatcher()
    const isPressing = this.#isUrgent || this.#lookedVersion !== nearVersion
    if (!isPressing && this.#lookedLoad === loadVersion) return
    const now = clock.monotonic()
    const waitMs = this.#lookedAt + this.#options.announceMs - now
    if (waitMs > 0 && !isPressing) {
      this.#timer ??= clock.setTimer(waitMs, () => {
        this.#timer = undefined
        stir()
      })
      return
    }
    this.stop()
    this.#isUrgent = false
    this.#lookedVersion = nearVersion
    this.#lookedLoad = loadVersion
    this.#lookedAt = now
    this.#announce()
  }

  #announce(): void {
    const dispatcher = this.#parts.dispatcher()
    const { guestWindowMax } = this.#options
    const loads = dispatcher.nearLoads()
    const room = this.#closing ? 0 : dispatcher.nearRoom
    for (const link of this.#links) {
      const windows = new Map<string, number>()
      for (const [name, load] of loads) {
        const waiting = dispatcher.waiting(name)
        const queueRoom = dispatcher.roomFor(name)
        const held = link.heldOf(name)
        const window = guestWindow({ ...load, waiting, queueRoom, held }, guestWindowMax)
        windows.set(name, this.#closing ? 0 : window)
      }
      link.announce(this.#parts.worker(), windows, room)
    }
  }
}
