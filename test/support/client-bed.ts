/**
 * A client's relay in virtual time over the simulated network, with the shipped front on one side and stubs of nodes on
 * the other. The stubs share what was carried out, as the nodes of a mesh do: a request that is repeated changes nothing.
 */

import type { Worker as Thread } from 'node:worker_threads'
import { expect } from 'vitest'
import { channelPair } from '../../sim/channel.ts'
import type { SimulatedHost } from '../../sim/network/host.ts'
import { SimulatedSwitch } from '../../sim/network/switch.ts'
import { SimulatedNetwork } from '../../sim/network.ts'
import { SimulatedProcess } from '../../sim/process.ts'
import { Trace } from '../../sim/trace.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { LocalClient } from '../../src/api/local-client.ts'
import type { Client, Handlers } from '../../src/api/types.ts'
import { DEFAULT_CLIENT_OPTIONS } from '../../src/config.ts'
import { ByteReader } from '../../src/lib/bytes.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { type ClientOptions, ClientRelay } from '../../src/mesh/client-relay.ts'
import { PeerChannels } from '../../src/mesh/peer-channels.ts'
import type { WorkerChannel } from '../../src/ports/worker-channel.ts'
import type { CallRequest } from '../../src/wire/calls.ts'
import { JSON_BYTES_MAX, MESSAGE, readScheduled } from '../../src/wire/frame.ts'
import { readRun } from '../../src/wire/work.ts'
import { FakeEngine, type ScheduleMessage } from './fake-engine.ts'
import { settledWithin } from './settled.ts'

/** One session that a client opened with a stub. */
export interface StubSession {
  readonly engine: FakeEngine
  readonly node: StubNode
}

export class StubNode {
  readonly #bed: ClientBed
  readonly host: SimulatedHost
  readonly sessions: StubSession[] = []
  process!: SimulatedProcess
  isUp = false
  network!: SimulatedNetwork

  constructor(bed: ClientBed, host: SimulatedHost) {
    this.#bed = bed
    this.host = host
  }

  get address(): string {
    return this.host.address
  }

  get session(): StubSession {
    const session = this.sessions.at(-1)
    if (session === undefined) throw new Error(`no session with ${this.address}`)
    return session
  }

  async start(): Promise<void> {
    this.process = new SimulatedProcess(this.#bed.clock, this.#bed.trace)
    this.network = new SimulatedNetwork(this.host, this.process, { self: this.host.name })
    const channels = new PeerChannels(this.network, {
      opened: (_, kind, channel) => {
        expect(kind).toBe('client')
        this.#take(channel)
      },
    })
    this.isUp = true
    await this.network.start({
      connected: peer => channels.connected(peer),
      disconnected: peer => channels.disconnected(peer),
      dialFailed: () => undefined,
      frame: (peer, plane, frame) => plane === 'calls' && channels.frame(peer, frame),
      drained: peer => channels.drained(peer),
    })
  }

  #take(channel: WorkerChannel): void {
    const engine = new FakeEngine(channel)
    const session = { engine, node: this }
    this.sessions.push(session)
    engine.onSchedule = message => this.#bed.onSchedule(session, message)
    engine.onCall = (call, request) => {
      if (request.method === 'forget') engine.answer(call, true, {})
      else if (request.method === 'peers') this.#answerPeers(engine, call)
      else this.#bed.onCall(session, call, request)
    }
  }

  #answerPeers(engine: FakeEngine, call: number): void {
    const addresses = this.#bed.told
    if (addresses !== undefined) engine.answer(call, true, { addresses })
    else engine.answer(call, false, { name: 'CarillonError', code: 'INVALID', message: 'unknown method' })
  }

  /** Its machine goes on and answers for it; with `powerCut` nothing answers. */
  die(powerCut = false): void {
    this.isUp = false
    this.process.die(powerCut)
  }

  /** Its connections stand, and it does nothing. */
  stall(stalled: boolean): void {
    this.process.stop(stalled)
  }
}

/** All created, each request carried out once. */
export function takeAll(bed: ClientBed): (session: StubSession, message: ScheduleMessage) => void {
  return ({ engine }, message) => {
    bed.carryOut(message)
    engine.scheduled(message.call, message.definitions.length)
  }
}

export interface ClientBedOptions {
  readonly handlers?: Handlers
  readonly waitMs?: number
  /** Addresses to join; default: all stubs. */
  readonly join?: readonly string[]
  /** Another than the stubs'. */
  readonly secret?: string
  readonly options?: Partial<ClientOptions>
}

export class ClientBed {
  readonly clock = new VirtualClock()
  readonly trace = new Trace(this.clock, {})
  readonly random: SeededRandom
  readonly switch: SimulatedSwitch
  readonly nodes: StubNode[] = []
  readonly process = new SimulatedProcess(this.clock, this.trace)
  readonly host: SimulatedHost
  /** What the stubs answer to `peers`; undefined: they don't know the question. */
  told: string[] | undefined = []
  onSchedule: (session: StubSession, message: ScheduleMessage) => void = takeAll(this)
  onCall: (session: StubSession, call: number, request: CallRequest) => void = () => undefined
  /** By requestId: the task, as it was first asked for. */
  readonly carriedOut = new Map<string, string>()
  /** How often each of the calls was answered to the user's thread, by its number. */
  readonly answers = new Map<number, number>()
  relay!: ClientRelay
  client!: Client
  network!: SimulatedNetwork

  constructor(seed = 1) {
    this.random = new SeededRandom(`client ${seed}`)
    this.switch = new SimulatedSwitch({ clock: this.clock, random: this.random })
    this.host = this.switch.host('client')
  }

  async add(count = 1): Promise<void> {
    for (let i = 0; i < count; i++) {
      const node = new StubNode(this, this.switch.host(`n${this.nodes.length}`))
      this.nodes.push(node)
      await this.done(node.start())
    }
  }

  node(i: number): StubNode {
    const node = this.nodes[i]
    if (node === undefined) throw new Error(`no node ${i}`)
    return node
  }

  /** The stub that the client speaks to. */
  get gateway(): StubNode {
    const node = this.nodes.find(({ host }) => host.name === this.relay.gateway)
    if (node === undefined) throw new Error('there is no gateway')
    return node
  }

  async open({
    join,
    waitMs = 10_000,
    handlers = {},
    secret,
    options = {},
  }: ClientBedOptions = {}): Promise<void> {
    this.network = new SimulatedNetwork(this.host, this.process, {
      self: 'client',
      listens: false,
      ...(secret === undefined ? {} : { secret }),
    })
    this.relay = new ClientRelay(
      { clock: this.process.clock, random: this.random, network: this.network },
      { ...DEFAULT_CLIENT_OPTIONS, ...options },
      join ?? this.nodes.map(({ address }) => address),
    )
    // As a real network tells it, before it says that the dial failed.
    if (secret !== undefined) this.relay.refused('SECRET_DIFFERS', 'the secrets differ')
    await this.done(this.relay.start(waitMs), waitMs + 1000)
    const frames = { clock: this.clock, random: { float: () => 0, bytes: (n: number) => new Uint8Array(n) } }
    const [theirs, ours] = channelPair(frames, this.process, this.process)
    this.relay.attach(this.#counted(theirs))
    this.client = new LocalClient(
      {
        channel: ours,
        random: this.random,
        clock: this.process.clock,
        thread: { threadId: -1, once: () => undefined } as unknown as Thread,
        died: new Promise<never>(() => undefined),
      },
      { worker: 'client', profile: 'balanced', concurrency: 10, handlers },
    ) as unknown as Client
    await this.advance(20)
  }

  carryOut({ definitions }: ScheduleMessage): void {
    for (const definition of definitions) {
      const { caller, requestNumber, id, name, madeAt } = definition
      const key = `${caller}/${requestNumber}`
      const text = JSON.stringify({ id, name, madeAt })
      const known = this.carriedOut.get(key)
      if (known === undefined) this.carriedOut.set(key, text)
      else expect(text, `request ${key} is repeated unchanged`).toBe(known)
    }
  }

  #counted(channel: WorkerChannel): WorkerChannel {
    return {
      start: events => channel.start(events),
      close: () => channel.close(),
      send: bytes => {
        this.#count(bytes)
        channel.send(bytes)
      },
    }
  }

  #count(bytes: Uint8Array): void {
    for (const call of answeredCalls(bytes)) this.answers.set(call, (this.answers.get(call) ?? 0) + 1)
  }

  advance(ms: number): Promise<void> {
    return this.clock.advanceBy(ms)
  }

  done<T>(promise: Promise<T>, limitMs = 5000): Promise<T> {
    return settledWithin(this.clock, promise, limitMs)
  }
}

/** The calls that a frame for the user's thread answers. */
function answeredCalls(bytes: Uint8Array): number[] {
  const calls: number[] = []
  const reader = new ByteReader(bytes)
  while (reader.remaining > 0) {
    const type = reader.u8()
    if (type === MESSAGE.scheduled) {
      calls.push(reader.varuint())
      readScheduled(reader)
    } else if (type === MESSAGE.answer) {
      calls.push(reader.varuint())
      reader.u8()
      reader.utf8(JSON_BYTES_MAX)
    } else if (type === MESSAGE.runs) {
      for (let count = reader.varuint(); count > 0; count--) readRun(reader)
    } else if (type === MESSAGE.abort) {
      reader.varuint()
      reader.u8()
    } else reader.utf8(JSON_BYTES_MAX)
  }
  return calls
}
