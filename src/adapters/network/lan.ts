/**
 * Lan: members of the mesh on the LAN, found by multicast DNS (`join: 'mdns'`). Each asks who is there, and answers where it
 * listens, as a service of DNS-SD (RFC 6763):
 *
 *     <tag>._sub._carillon._tcp.local   PTR   <instance>._carillon._tcp.local
 *     <instance>._carillon._tcp.local   SRV   port
 *
 * The tag is a hash of the mesh's name, the instance a random number of this start. That is all that who listens learns: at this
 * address and port is a node of Carillon, and of two nodes whether their meshes have one name; the name itself, if it can be
 * guessed. Nothing is made of the secret, as that would let secrets be tried. Who answers falsely is dialled in vain.
 *
 * Invariants
 * - N1 An answer names a port; the host is the one that it came from. So nobody can have others dialled than himself.
 * - N2 At most ENDPOINTS_MAX are known, and HOST_MAX of one host; beyond, newcomers wait until others have expired.
 * - N3 Whatever is asked, this node answers at most once in ANSWER_MS, and to everybody.
 */

import type { Clock, Timer } from '../../ports/clock.ts'
import type { Random } from '../../ports/random.ts'
import { type Endpoint, endpointText } from './addresses.ts'
import { hashOf } from './mesh-secret.ts'
import type { Multicast, MulticastEvents } from './multicast.ts'
import type { Found, Lan } from './places.ts'

/** As many as are tried of one name. */
const ENDPOINTS_MAX = 64
const HOST_MAX = 16
/** Records looked at in one packet; ours have two. */
const RECORDS_MAX = 32
/** Asked at once and twice again: the first packets of a machine that has just come up are often lost. */
const FIRST_ASKS_MS = [0, 300, 1000] as const
/** Whoever hears has answered by then. */
const LOOK_MS = 1500
const ASK_MS = 20_000
const ANSWER_MS = 500
/** Answers of many come spread over this. */
const JITTER_MS = 100
/** A node that is silent for three questions is not there any more. */
const TTL_S = 75

const SERVICE = '_carillon._tcp.local'
const INSTANCE = /^[0-9a-f]{16}\._carillon\._tcp\.local$/i

export interface LanPorts {
  readonly clock: Clock
  readonly random: Random
  readonly multicast: (events: MulticastEvents) => Pick<Multicast, 'look' | 'query' | 'respond' | 'stop'>
}

export interface LanOptions {
  /** Of the mesh. */
  readonly name: string
  /** What the operator should know. */
  readonly tell: (line: string) => void
}

interface Known {
  readonly endpoint: Endpoint
  readonly instance: string
  /** Monotonic ms. */
  readonly until: number
}

export class MdnsLan implements Lan {
  readonly #ports: LanPorts
  readonly #group: string
  readonly #instance: string
  readonly #multicast: ReturnType<LanPorts['multicast']>
  readonly #known = new Map<string, Known>()
  readonly #timers = new Set<Timer>()
  #listensAt: Endpoint | undefined
  #state: 'new' | 'up' | 'over' = 'new'
  #hasLooked = false
  #answer: Timer | undefined
  #answeredAt = Number.NEGATIVE_INFINITY
  #waiting: (() => void)[] = []

  constructor(ports: LanPorts, { name, tell }: LanOptions) {
    this.#ports = ports
    this.#group = `${tagOf(name)}._sub.${SERVICE}`
    this.#instance = `${Buffer.from(ports.random.bytes(8)).toString('hex')}.${SERVICE}`
    this.#multicast = ports.multicast({
      query: packet => this.#onQuery(packet),
      response: (packet, from) => this.#onResponse(packet, from),
      failed: (address, why) =>
        tell(
          `mdns does not work over ${address} (${why}): nodes there are not found, and don't find this one. Allow ` +
            'multicast to 224.0.0.251, port 5353, or name addresses of nodes in join',
        ),
    })
  }

  start(listensAt: Endpoint | undefined): void {
    this.#state = 'up'
    this.#listensAt = listensAt
    for (const ms of FIRST_ASKS_MS) this.#after(ms, () => this.#ask())
    this.#after(LOOK_MS, () => {
      this.#hasLooked = true
      this.#wake()
    })
    this.#after(ASK_MS, () => this.#askOn())
    this.#onAsked()
  }

  async find(): Promise<Found> {
    if (!this.#hasLooked && this.#alive().length === 0 && this.#state !== 'over')
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    return { endpoints: this.#alive().map(({ endpoint }) => endpoint), isWhole: this.#hasLooked }
  }

  /** Says farewell, so that nobody dials for nothing. */
  async stop(): Promise<void> {
    if (this.#state === 'up') this.#say(0)
    this.#state = 'over'
    for (const timer of this.#timers) timer.cancel()
    this.#answer?.cancel()
    this.#wake()
    await this.#multicast.stop()
  }

  #ask(): void {
    this.#multicast.look()
    this.#multicast.query({ questions: [{ name: this.#group, type: 'PTR' }] })
  }

  #askOn(): void {
    this.#ask()
    this.#after(ASK_MS * (0.9 + this.#ports.random.float() * 0.2), () => this.#askOn())
  }

  #onQuery(packet: unknown): void {
    const questions = recordsOf(packet, 'questions')
    if (questions.some(({ name, type }) => isName(name, this.#group) && (type === 'PTR' || type === 'ANY')))
      this.#onAsked()
  }

  #onAsked(): void {
    if (this.#state !== 'up' || this.#listensAt === undefined || this.#answer !== undefined) return
    const { clock, random } = this.#ports
    const notBefore = this.#answeredAt + ANSWER_MS - clock.monotonic()
    this.#answer = clock.setTimer(Math.max(0, notBefore) + random.float() * JITTER_MS, () => {
      this.#answer = undefined
      this.#answeredAt = clock.monotonic()
      this.#say(TTL_S)
    })
  }

  #say(ttl: number): void {
    const at = this.#listensAt
    if (at === undefined) return
    const pointer = { name: this.#group, type: 'PTR', ttl, data: this.#instance }
    const target = this.#instance.replace(`.${SERVICE}`, '.local')
    const service = { name: this.#instance, type: 'SRV', ttl, data: { port: at.port, target } }
    this.#multicast.respond(address =>
      isHeardAt(at, address) ? { answers: [pointer], additionals: [service] } : undefined,
    )
  }

  #onResponse(packet: unknown, host: string): void {
    if (this.#state !== 'up') return
    const records = [...recordsOf(packet, 'answers'), ...recordsOf(packet, 'additionals')]
    for (const { name, type, data, ttl } of records) {
      if (type !== 'PTR' || !isName(name, this.#group) || typeof data !== 'string') continue
      if (!INSTANCE.test(data) || isName(data, this.#instance)) continue
      const service = records.find(each => each.type === 'SRV' && isName(each.name, data))
      const { port } = (service?.data ?? {}) as { port?: unknown }
      if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) continue
      this.#heard({ host, port }, data.toLowerCase(), ttl)
    }
  }

  #heard(endpoint: Endpoint, instance: string, ttl: unknown): void {
    const key = endpointText(endpoint)
    const seconds = typeof ttl === 'number' && ttl >= 0 ? Math.min(ttl, TTL_S) : TTL_S
    const known = this.#known.get(key)
    if (seconds === 0) {
      // The next one there may have been quicker than the farewell of the one before.
      if (known?.instance === instance) this.#known.delete(key)
      return
    }
    const others = this.#alive()
    const isFull =
      others.length >= ENDPOINTS_MAX ||
      others.filter(each => each.endpoint.host === endpoint.host).length >= HOST_MAX
    if (known === undefined && isFull) return
    const until = this.#ports.clock.monotonic() + seconds * 1000
    this.#known.set(key, { endpoint, instance, until })
    this.#wake()
  }

  #alive(): Known[] {
    const now = this.#ports.clock.monotonic()
    for (const [key, { until }] of this.#known) if (until <= now) this.#known.delete(key)
    return [...this.#known.values()]
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #after(ms: number, act: () => void): void {
    const timer = this.#ports.clock.setTimer(ms, () => {
      this.#timers.delete(timer)
      if (this.#state === 'up') act()
    })
    this.#timers.add(timer)
  }
}

/** Of nodes whose mesh has this name. */
export function tagOf(name: string): string {
  return Buffer.from(hashOf('carillon mdns', Buffer.from(name)))
    .toString('hex')
    .slice(0, 32)
}

/** Whoever dials the address of that interface reaches who listens there. */
function isHeardAt({ host }: Endpoint, address: string): boolean {
  return host === address || host === '0.0.0.0' || /^[0:]+$/.test(host)
}

interface LooseRecord {
  readonly name?: unknown
  readonly type?: unknown
  readonly ttl?: unknown
  readonly data?: unknown
}

function recordsOf(packet: unknown, section: 'questions' | 'answers' | 'additionals'): LooseRecord[] {
  const list: unknown = (packet as Record<string, unknown> | null | undefined)?.[section]
  if (!Array.isArray(list)) return []
  return list.slice(0, RECORDS_MAX).filter(each => typeof each === 'object' && each !== null)
}

function isName(name: unknown, wanted: string): boolean {
  return typeof name === 'string' && name.toLowerCase() === wanted.toLowerCase()
}
