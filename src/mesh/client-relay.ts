/**
 * A client of a mesh: it owns nothing, and stands between the user's thread and one node at a time, its gateway. Messages
 * go through unchanged, and those that ask for something are kept until they have their answer. When the gateway is lost
 * the next one gets the same bytes again, in their order: requests carry their numbers, so what was carried out already
 * is recognised, and a question is simply asked again. Every call gets exactly one answer.
 *
 * Attempts that run here are lost with their gateway, which hands them to others: the worker is told to abort them, and
 * what it says of them later is dropped. They may have run to their end all the same, and run again (at-least-once).
 */

import { CarillonError, type ErrorCode } from '../errors.ts'
import { ByteReader, ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import type { Network, NetworkEvents } from '../ports/network.ts'
import type { Random } from '../ports/random.ts'
import type { WorkerChannel } from '../ports/worker-channel.ts'
import type { CallAnswers, EngineEvent } from '../wire/calls.ts'
import { JSON_BYTES_MAX, MESSAGE, wireError } from '../wire/frame.ts'
import type { Hello } from '../wire/work.ts'
import { GatewaySession, type RelayedAnswer } from './gateway-session.ts'
import { Gateways, type GatewaysOptions } from './gateways.ts'
import { HandleMap } from './handle-map.ts'
import { PeerChannels } from './peer-channels.ts'
import { relayAbort, relayReport, relayRuns } from './relayed-work.ts'
import { Unanswered } from './unanswered.ts'
import { readUserMessage, type UserMessage } from './user-message.ts'
import { UserOutbox } from './user-outbox.ts'

export interface ClientOptions extends GatewaysOptions {
  /** How long a call waits while no gateway is there, ms. More: a longer cut is not seen. Less: callers learn sooner that nobody is there. */
  readonly callDeadlineMs: number
  /** How often the gateway is asked for a sign of life, ms. Less: a link that is half open is found sooner, for more traffic at rest. */
  readonly probeMs: number
  /** A gateway of which nothing has come for so long after it was asked is given up, ms. Less: a slow one is taken for a lost one, and its attempts run again. */
  readonly silenceMs: number
  /** How often the gateway is asked where other nodes are, ms. */
  readonly peersMs: number
  /** Messages, and bytes of them, that are kept for their answers; what comes beyond is refused with TOO_MANY. More: more memory. */
  readonly unansweredMax: number
  readonly unansweredBytesMax: number
  /** At the end: how long the gateway may take to say that it has heard everything, ms. */
  readonly farewellMs: number
}

export interface ClientPorts {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
}

/** What is sent again goes in frames of about this many bytes. */
const FRAME_BYTES = 1024 * 1024

export class ClientRelay {
  readonly #clock: Clock
  readonly #network: Network
  readonly #options: ClientOptions
  readonly #channels: PeerChannels
  readonly #gateways: Gateways
  readonly #unanswered: Unanswered
  readonly #handles = new HandleMap()
  #state: 'new' | 'open' | 'closing' | 'farewell' | 'ended' | 'over' = 'new'
  #user: WorkerChannel | undefined
  readonly #outbox = new UserOutbox()
  #session: GatewaySession | undefined
  /** What the gateway said shows that it is about to end. */
  #isLeaving = false
  #hello: Hello | undefined
  /** Monotonic ms. */
  #lostAt = Number.NEGATIVE_INFINITY
  #peersAt = Number.NEGATIVE_INFINITY
  #lookedAt = 0
  #closeCall = 0
  #tick: Timer | undefined
  #deadline: Timer | undefined
  #end: Timer | undefined
  #first: { readonly resolve: () => void; readonly reject: (error: CarillonError) => void } | undefined
  /** Why a node did not let it in last. */
  #refusal: CarillonError | undefined
  /** Resolves when it has closed, for whatever reason. */
  readonly stopped: Promise<void>
  #resolveStopped!: () => void

  constructor(ports: ClientPorts, options: ClientOptions, join: readonly string[]) {
    this.#clock = ports.clock
    this.#network = ports.network
    this.#options = options
    this.#gateways = new Gateways(ports, options, join)
    this.#unanswered = new Unanswered({
      countMax: options.unansweredMax,
      bytesMax: options.unansweredBytesMax,
    })
    // A client serves nobody.
    this.#channels = new PeerChannels(ports.network, { opened: (_node, _kind, channel) => channel.close() })
    this.stopped = new Promise(resolve => {
      this.#resolveStopped = resolve
    })
  }

  /**
   * Resolves once a gateway has answered; rejects, and is over, with NOT_CONNECTED if none has in `waitMs`, and with the reason
   * as soon as no node there is lets it in.
   */
  async start(waitMs: number): Promise<void> {
    await this.#network.start(this.#events)
    this.#state = 'open'
    this.#lookedAt = this.#clock.monotonic()
    const first = new Promise<void>((resolve, reject) => {
      this.#first = { resolve, reject }
    })
    const timer = this.#clock.setTimer(waitMs, () => this.#first?.reject(this.#notConnected(waitMs)))
    this.#gateways.dial()
    this.#again()
    try {
      await first
    } catch (error) {
      await this.stop()
      throw error
    } finally {
      timer.cancel()
      this.#first = undefined
    }
  }

  /** The user's thread. */
  attach(channel: WorkerChannel): void {
    this.#user = channel
    channel.start({ frame: bytes => this.#userFrame(bytes), closed: () => void this.stop() })
    this.#flush()
  }

  /** The network was told why a node does not let it in. */
  refused(code: string, line: string): void {
    this.#refusal = new CarillonError(code as ErrorCode, line)
    this.#outbox.event({ type: 'refused', code, line })
    this.#flush()
  }

  /** The node that takes the calls now. */
  get gateway(): string | undefined {
    return this.#session?.isProven === true ? this.#session.node : undefined
  }

  /** Ends at once: what waits has no answer. Safe to call twice. */
  stop(): Promise<void> {
    if (this.#state === 'over') return this.stopped
    this.#state = 'over'
    for (const timer of [this.#tick, this.#deadline, this.#end]) timer?.cancel()
    this.#first?.reject(new CarillonError('CLOSED', 'the client was closed'))
    const session = this.#session
    this.#session = undefined
    session?.close()
    this.#user?.close()
    this.#network.stop().then(this.#resolveStopped, this.#resolveStopped)
    return this.stopped
  }

  // --- the network

  readonly #events: NetworkEvents = {
    connected: (node, address) => {
      if (!this.#gateways.connected(node, address)) return
      this.#channels.connected(node)
      this.#choose()
      this.#flush()
    },
    disconnected: (node, why) => {
      // First: its session must not be opened again with whom it has just lost.
      this.#gateways.disconnected(node, why)
      this.#channels.disconnected(node)
    },
    dialFailed: (address, why) => {
      this.#gateways.dialFailed(address, why)
      if (this.#refusal !== undefined && this.#gateways.areClosed) this.#first?.reject(this.#refusal)
    },
    frame: (node, plane, frame) => {
      if (plane !== 'calls') return
      // Parts of a long frame are a sign of life, too.
      if (this.#session?.node === node) this.#session.heardAt = this.#clock.monotonic()
      this.#channels.frame(node, frame)
    },
    drained: (node, plane) => {
      if (plane === 'calls') this.#channels.drained(node)
    },
  }

  // --- the gateway

  #choose(): void {
    while (this.#session === undefined && !this.#isDone) {
      const node = this.#gateways.choose()
      if (node === undefined) break
      const channel = this.#channels.open(node, 'client')
      if (channel === undefined) this.#gateways.failed(node, 'the connection broke')
      else this.#begin(node, channel)
    }
    this.#armDeadline()
  }

  get #isDone(): boolean {
    return this.#state === 'ended' || this.#state === 'over'
  }

  #begin(node: string, channel: WorkerChannel): void {
    const now = this.#clock.monotonic()
    const session = new GatewaySession(node, channel, this.#sessionHost, now)
    this.#session = session
    this.#isLeaving = false
    this.#askPeers(session)
    this.#sendHello()
    for (const { bytes } of this.#unanswered) {
      session.out.bytes(bytes)
      if (session.out.position >= FRAME_BYTES) session.flush()
      // What it could not take ended it.
      if (this.#session !== session) return
    }
  }

  readonly #sessionHost = {
    answered: (answer: RelayedAnswer): void => this.#answered(answer),
    proven: (): void => {
      this.#first?.resolve()
      this.#armDeadline()
    },
    work: (type: number, reader: ByteReader): void => {
      const at = this.#outbox.out.position
      try {
        this.#work(type, reader)
      } catch (error) {
        // Half a message must not reach the user's thread.
        this.#outbox.out.truncate(at)
        throw error
      }
    },
    heard: (session: GatewaySession): void => {
      if (this.#isLeaving && this.#session === session) this.#lost(session, 'it is closing')
      this.#flush()
    },
    ended: (session: GatewaySession, isBroken: boolean): void => {
      if (this.#session !== session) return
      this.#lost(session, isBroken ? 'it said what cannot be read' : 'it ended the session', isBroken)
      this.#flush()
    },
  }

  /** Fails over. With `drop` the connection is of no use either. */
  #lost(session: GatewaySession, why: string, drop = false): void {
    this.#session = undefined
    // From one that leaves in order the next takes over at once; its calls have waited all the time.
    if (session.isProven && !this.#isLeaving) this.#lostAt = this.#clock.monotonic()
    this.#outbox.abort(this.#handles.lost(), 'elsewhere')
    if (drop) this.#gateways.drop(session.node, why)
    else this.#gateways.failed(session.node, why)
    session.close()
    if (this.#state === 'farewell') this.#ended()
    else this.#choose()
  }

  #askPeers(session: GatewaySession): void {
    const now = this.#clock.monotonic()
    this.#peersAt = now
    session.ask({ method: 'peers' }, now, answer => {
      const { addresses } = (answer ?? {}) as Partial<CallAnswers['peers']>
      if (Array.isArray(addresses) && addresses.every(each => typeof each === 'string'))
        this.#gateways.told(addresses)
    })
  }

  /** Every probeMs: is the gateway there, is one to be found. */
  #look(): void {
    const now = this.#clock.monotonic()
    const { probeMs, silenceMs, peersMs } = this.#options
    // This thread itself stood still: what came meanwhile is about to be heard.
    const wasAsleep = now - this.#lookedAt > 2 * probeMs
    this.#lookedAt = now
    this.#gateways.dial()
    const session = this.#session
    if (session === undefined) this.#choose()
    else if (wasAsleep) session.heardAt = now
    else if (session.silentSince === undefined) {
      if (now - this.#peersAt >= peersMs) this.#askPeers(session)
      // Of all calls the one that costs least: there is no call 0.
      else session.ask({ method: 'forget', call: 0 }, now)
    } else if (now - session.silentSince >= silenceMs) this.#lost(session, 'it no longer answered', true)
    this.#flush()
    this.#again()
  }

  #again(): void {
    if (this.#state === 'over') return
    this.#tick = this.#clock.setTimer(this.#options.probeMs, () => this.#look())
  }

  // --- from the gateway to the user's thread

  #answered({ call, kind, count, codes, bytes }: RelayedAnswer): void {
    const message = this.#unanswered.get(call)
    // Answered, refused or given up before.
    if (message === undefined) return
    if (message.kind !== kind || message.count !== count)
      throw new CorruptBytes(`call ${call} has an answer that is not its own`)
    // Nothing was done there: the next gateway is asked.
    if (codes.includes('CLOSED') || codes.includes('ENGINE_STOPPED')) {
      this.#isLeaving = true
      return
    }
    this.#unanswered.settle(call)
    this.#outbox.out.bytes(bytes)
  }

  #work(type: number, reader: ByteReader): void {
    if (type === MESSAGE.runs) relayRuns(reader, this.#handles, this.#outbox.out)
    else if (type === MESSAGE.abort) relayAbort(reader, this.#handles, this.#outbox.out)
    else if (type === MESSAGE.event) this.#event(reader.utf8(JSON_BYTES_MAX))
    else throw new CorruptBytes(`unknown message ${type}`)
  }

  #event(text: string): void {
    const { type } = JSON.parse(text) as EngineEvent
    // The start and the end of a gateway are not those of the client.
    if (type === 'stopped') this.#isLeaving = true
    if (type === 'stopped' || type === 'started') return
    this.#outbox.event(text)
  }

  // --- from the user's thread to the gateway

  #userFrame(bytes: Uint8Array): void {
    if (this.#state === 'over') return
    try {
      const reader = new ByteReader(bytes)
      while (reader.remaining > 0) this.#userMessage(reader)
    } catch (error) {
      if (!(error instanceof CorruptBytes) && !(error instanceof SyntaxError)) throw error
      // It is of our own library: nothing behind it can be trusted.
      this.#outbox.event({ type: 'stopped', error: wireError(error) })
      this.#flush()
      void this.stop()
      return
    }
    this.#flush()
  }

  #userMessage(reader: ByteReader): void {
    const message = readUserMessage(reader)
    if (message.type === 'ask') this.#ask(message)
    else if (message.type === 'forget') this.#forget(message)
    else if (message.type === 'close') this.#close(message)
    else if (message.type === 'hello') {
      this.#hello = message.hello
      this.#sendHello()
    } else {
      const out = this.#session?.out ?? new ByteWriter()
      if (!relayReport(message.report, reader, this.#handles, out))
        throw new CorruptBytes(`unknown message ${message.report}`)
    }
  }

  #ask(message: UserMessage & { readonly type: 'ask' }): void {
    const { type: _, ...asked } = message
    if (this.#unanswered.add({ ...asked, since: this.#clock.monotonic() })) {
      this.#session?.out.bytes(asked.bytes)
      return
    }
    const { size, bytes } = this.#unanswered
    const why = `${size} messages of ${bytes} bytes wait for their answers: await earlier calls first`
    this.#outbox.refuse(asked, new CarillonError('TOO_MANY', why))
  }

  /** A waiting call is given up. */
  #forget({ call, of }: UserMessage & { readonly type: 'forget' }): void {
    this.#unanswered.settle(of)
    this.#session?.ask({ method: 'forget', call: of }, this.#clock.monotonic())
    this.#outbox.answer(call, {})
  }

  #sendHello(): void {
    const session = this.#session
    const hello = this.#hello
    if (session === undefined || hello === undefined) return
    const isClosing = this.#state !== 'open'
    const known = {
      ...hello,
      window: isClosing ? 0 : hello.window,
      handlers: isClosing ? hello.handlers.map(each => ({ ...each, window: 0 })) : hello.handlers,
      running: hello.running.map(each => this.#handles.remoteOf(each)).filter(each => each !== undefined),
    }
    session.out.u8(MESSAGE.hello)
    session.out.utf8(JSON.stringify(known))
  }

  /** Ends the turn: both sides get what there is for them. */
  #flush(): void {
    this.#closeIfDone()
    this.#session?.flush()
    this.#armDeadline()
    if (this.#user !== undefined) this.#outbox.flush(this.#user)
  }

  // --- no gateway

  /** Calls that wait while nobody is there are refused in time. */
  #armDeadline(): void {
    this.#deadline?.cancel()
    this.#deadline = undefined
    const oldest = this.#unanswered.oldestSince
    if (oldest === undefined || this.gateway !== undefined || this.#isDone) return
    const at = Math.max(oldest, this.#lostAt) + this.#options.callDeadlineMs
    this.#deadline = this.#clock.setTimer(at - this.#clock.monotonic(), () => this.#expire())
  }

  #expire(): void {
    const { callDeadlineMs } = this.#options
    const until = this.#clock.monotonic() - callDeadlineMs
    if (this.#lostAt <= until) {
      const expired = this.#unanswered.expire(until)
      if (expired.length > 0) {
        const error = this.#notConnected(callDeadlineMs)
        for (const message of expired) this.#outbox.refuse(message, error)
      }
    }
    this.#flush()
  }

  #notConnected(waitedMs: number): CarillonError {
    return new CarillonError(
      'NOT_CONNECTED',
      `no node of the mesh answered for ${waitedMs} ms: tried ${this.#gateways.text}; ` +
        'see that one of them runs and can be reached from here, then call again. What was under way may have been carried out',
    )
  }

  // --- the end

  /** Takes no more runs, lets those under way end for `graceMs`, and sees that the gateway has heard all. */
  #close({ call, graceMs }: UserMessage & { readonly type: 'close' }): void {
    if (this.#state !== 'open') return this.#outbox.answer(call, {})
    this.#state = 'closing'
    this.#closeCall = call
    this.#sendHello()
    this.#end = this.#clock.setTimer(graceMs, () => {
      this.#farewell()
      this.#flush()
    })
  }

  #closeIfDone(): void {
    if (this.#state !== 'closing') return
    if (this.#handles.size === 0 && this.#unanswered.impatientCount === 0) this.#farewell()
  }

  #farewell(): void {
    if (this.#state !== 'closing') return
    this.#state = 'farewell'
    this.#end?.cancel()
    // Still under way: the gateway gives them to others.
    this.#outbox.abort(this.#handles.lost(), 'closing')
    const session = this.#session
    if (session === undefined || !session.isProven) return this.#ended()
    const { farewellMs } = this.#options
    this.#end = this.#clock.setTimer(farewellMs, () => this.#ended())
    session.ask({ method: 'forget', call: 0 }, this.#clock.monotonic(), () => this.#ended())
  }

  #ended(): void {
    if (this.#state !== 'farewell') return
    this.#state = 'ended'
    this.#end?.cancel()
    this.#outbox.answer(this.#closeCall, {})
    this.#flush()
    // The answer goes first.
    this.#clock.defer(() => void this.stop())
  }
}
