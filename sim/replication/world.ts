/** K stores, a few ranges, clients, and what goes wrong: one seed, one history. */

import { rangeOf } from '../../src/lib/hash.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { Message } from '../../src/replication/messages.ts'
import { REPLICATION_DEFAULTS, type ReplicationOptions } from '../../src/replication/options.ts'
import { Actors } from '../../src/task/version.ts'
import { Agenda } from './agenda.ts'
import { check } from './checkers.ts'
import { Clients } from './clients.ts'
import { Disk, type Entry } from './disk.ts'
import { Faults } from './faults.ts'
import type { Flaws } from './flaws.ts'
import { History } from './history.ts'
import { LossyNetwork } from './network.ts'
import { Process } from './process.ts'
import { MemberTable } from './view.ts'

export interface WorldOptions {
  readonly seed: number
  readonly stores: number
  readonly replicas: number
  readonly ranges: number
  readonly mix: Mix
  /** They have no disk. None of them may start again: it would be another store. */
  readonly memoryOnly?: readonly string[]
  /** With faults. */
  readonly stormMs: number
  /** Without, until the end. */
  readonly healMs: number
}

/** Which faults there are. */
export const MIXES = ['calm', 'crashes', 'cuts', 'moves', 'storm'] as const
export type Mix = (typeof MIXES)[number]

const WALL = 1_700_000_000_000
/** Of the clocks of stores, at most. */
const SKEW_MS = 200
const TICK_MS = 60
const PROBE_MS = 150
const AWAY_MS = 900
const GONE_MS = 2500

/** The times of the protocol, so that a world of some seconds has all of them. */
const PROTOCOL: ReplicationOptions = {
  ...REPLICATION_DEFAULTS,
  log: { changesMax: 40, bytesMax: 64 * 1024 },
  copy: { chunkRecordsMax: 2, chunkBytesMax: 4096, retryMs: 200, patienceMs: 2000 },
  unsureAfterMs: 600,
  unsureWhenActsMs: 6000,
  unsureWhenNewMs: 12_000,
  unsureAfterStartMs: 1500,
  askMs: 100,
  resendMs: 200,
  digestMs: 400,
  // Longer than a world: nothing may rely on these.
  digestIdleMs: 60_000,
  treeMs: 2000,
  overdueMs: 700,
  sealMs: 600,
  goneRetireMs: 1e9,
}

export interface Site {
  readonly disk: Disk
  readonly table: MemberTable
  readonly skewMs: number
  readonly isFounder: boolean
  process: Process | undefined
  readonly heardAt: Map<string, number>
  slowUntil: number
  image: Entry[] | undefined
}

export class World {
  readonly options: WorldOptions
  readonly flaws: Flaws
  readonly agenda = new Agenda()
  readonly random: SeededRandom
  readonly actors = new Actors([])
  readonly history = new History()
  readonly network: LossyNetwork
  readonly protocol: ReplicationOptions = { ...PROTOCOL }
  readonly sites = new Map<string, Site>()
  readonly clients: Clients
  readonly #dots = new Map<string, Uint8Array>()
  readonly #startIds = new Map<string, Uint8Array>()
  #stores = 0

  constructor(options: WorldOptions, flaws: Flaws = {}) {
    this.options = options
    this.flaws = flaws
    this.random = new SeededRandom(`replication ${options.seed}`)
    this.network = new LossyNetwork(this)
    this.clients = new Clients(this)
  }

  /** In every other world ended runs are forgotten once all have them. */
  get prunes(): boolean {
    return this.options.seed % 2 === 1
  }

  get wall(): number {
    return WALL + this.agenda.now
  }

  /** Of an instant of some store's clock: by then it has passed. */
  agendaAt(wall: number): number {
    return wall - WALL - SKEW_MS
  }

  isMemoryOnly(store: string): boolean {
    return this.options.memoryOnly?.includes(store) === true
  }

  rangeOf(id: string): number {
    return rangeOf(id, this.options.ranges)
  }

  process(store: string): Process | undefined {
    return this.sites.get(store)?.process
  }

  int(below: number): number {
    return Math.floor(this.random.float() * below)
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list[this.int(list.length)]
  }

  upSites(): Site[] {
    return [...this.sites.values()].filter(site => site.process?.isUp === true)
  }

  // --- a run

  run(): string[] {
    const { stormMs, healMs } = this.options
    this.begin()
    const faults = new Faults(this)
    faults.begin(stormMs)
    this.clients.begin(stormMs)
    this.agenda.until(stormMs)
    faults.heal()
    const { broken } = this.history
    this.agenda.until(stormMs + healMs * 0.7)
    broken.push(...check(this, 'healed'))
    this.agenda.until(stormMs + healMs)
    broken.push(...check(this, 'end'))
    return broken
  }

  /** The founders start, and know of each other. */
  begin(): void {
    const founders: Site[] = []
    for (let i = 0; i < this.options.stores; i++)
      founders.push(this.#site(this.newStore(), true, new MemberTable()))
    for (const a of founders) {
      for (const { disk } of founders)
        a.table.join({ store: disk.store, boot: 1, incarnation: 0, state: 'live', at: 0 })
    }
    for (const site of founders) this.start(site)
    this.#every(PROBE_MS, () => this.#probe())
  }

  #every(ms: number, run: () => void): void {
    this.agenda.after(ms, () => {
      run()
      this.#every(ms, run)
    })
  }

  newStore(): string {
    this.#stores++
    return `s${this.#stores}`
  }

  #site(store: string, isFounder: boolean, table: MemberTable, entries: Entry[] = []): Site {
    const site: Site = {
      disk: new Disk(store, entries),
      table,
      skewMs: this.int(2 * SKEW_MS) - SKEW_MS,
      isFounder,
      process: undefined,
      heardAt: new Map(),
      slowUntil: 0,
      image: undefined,
    }
    this.sites.set(store, site)
    return site
  }

  /** A new store is admitted by one that is there. */
  admit(by: Site, entries: Entry[] = []): Site {
    const table = new MemberTable()
    table.exchange(by.table)
    const site = this.#site(this.newStore(), false, table, entries)
    this.start(site)
    return site
  }

  start(site: Site): void {
    const { disk, table, isFounder, skewMs } = site
    const process = new Process(this, disk, skewMs, isFounder)
    site.process = process
    const now = this.agenda.now
    const before = table.members.get(disk.store)
    table.join({
      store: disk.store,
      boot: disk.boot,
      incarnation: (before?.incarnation ?? -1) + 1,
      state: 'live',
      at: now,
    })
    for (const store of table.members.keys()) site.heardAt.set(store, now)
    process.viewChanged(table.view(this.options.replicas, this.flaws.countsLive))
    this.#tick(process, this.random.float() * TICK_MS)
  }

  #tick(process: Process, afterMs: number): void {
    this.agenda.after(afterMs, () => {
      if (!process.isUp) return
      process.tick()
      this.#tick(process, TICK_MS)
    })
  }

  crash(site: Site): void {
    const { process, disk } = site
    if (process === undefined || !process.isUp) return
    process.crash(this.int(disk.entries.length - disk.synced + 1))
    if (this.flaws.losesBoot === true) disk.boot--
    site.process = undefined
  }

  syncMs(store: string): number {
    const site = this.sites.get(store)
    const isSlow = site !== undefined && this.agenda.now < site.slowUntil
    return isSlow ? 50 + 400 * this.random.float() : 0.2 + 2 * this.random.float()
  }

  /** 0: at once. In a third of all worlds everything is in memory. */
  readMs(store: string): number {
    if (this.options.seed % 3 === 0 || this.random.float() < 0.3) return 0
    const site = this.sites.get(store)
    const isSlow = (site !== undefined && this.agenda.now < site.slowUntil) || this.random.float() < 0.1
    return isSlow ? 20 + 300 * this.random.float() : 0.1 + 5 * this.random.float() ** 3
  }

  mintActor(disk: Disk): number {
    const key = `${disk.store} ${disk.boot}`
    const known = this.flaws.repeatsActor === true ? this.#startIds.get(key) : undefined
    const startId = known ?? this.random.bytes(8)
    this.#startIds.set(key, startId)
    return this.actors.learn(startId)
  }

  // --- membership

  #probe(): void {
    const { now } = this.agenda
    const at = this.wall
    for (const site of this.upSites()) {
      let news = false
      for (const other of this.upSites()) {
        if (other === site || !this.#reaches(site, other)) continue
        site.heardAt.set(other.disk.store, now)
        if (this.random.float() < 0.5 && site.table.exchange(other.table)) news = true
      }
      for (const member of [...site.table.members.values()]) {
        const silent = now - (site.heardAt.get(member.store) ?? now)
        if (member.store === site.disk.store) {
          if (member.state !== 'live')
            news = site.table.join({ ...member, incarnation: member.incarnation + 1, state: 'live' }) || news
        } else if (silent > AWAY_MS && member.state === 'live')
          news = site.table.join({ ...member, state: 'away', at }) || news
        else if (member.state === 'away' && silent > GONE_MS)
          news = site.table.join({ ...member, state: 'gone', at }) || news
      }
      if (news) this.#tellView(site)
    }
  }

  #reaches(a: Site, b: Site): boolean {
    const [from, to] = [a.disk.store, b.disk.store]
    return !this.network.isCut(from, to) && !this.network.isCut(to, from)
  }

  #tellView(site: Site): void {
    const { process, table } = site
    if (process?.isUp === true) process.viewChanged(table.view(this.options.replicas, this.flaws.countsLive))
  }

  exchangeViews(a: string, b: string): void {
    const [from, to] = [this.sites.get(a), this.sites.get(b)]
    this.agenda.after(2, () => {
      if (from?.process?.isUp !== true || to?.process?.isUp !== true || !this.#reaches(from, to)) return
      if (from.table.exchange(to.table)) this.#tellView(from)
      if (to.table.exchange(from.table)) this.#tellView(to)
    })
  }

  remove(store: string): void {
    for (const site of this.upSites()) {
      if (site.table.removed.has(store)) continue
      site.table.removed.add(store)
      this.#tellView(site)
    }
  }

  // --- what must never be

  /** A1: a dot names one change, ever. */
  checkDot(range: number, actor: number, n: number, bytes: Uint8Array): void {
    const key = `${range} ${actor} ${n}`
    const before = this.#dots.get(key)
    if (before === undefined) this.#dots.set(key, bytes)
    else if (before !== bytes && Buffer.compare(before, bytes) !== 0)
      this.history.broken.push(
        `A1: two changes have the dot ${this.actors.nameOf(actor)} ${n} of range ${range}`,
      )
  }

  /** For a closer look: every message, as it is sent. */
  saw: (from: string, to: string, message: Message) => void = () => {}
}

/** A world as its seed has it; undefined parts are chosen by the seed. */
export function worldOf(seed: number, mix?: Mix, flaws?: Flaws): World {
  const random = new SeededRandom(`options ${seed}`)
  const stores = 3 + Math.floor(random.float() * 3)
  const ranges = 2 ** (1 + Math.floor(random.float() * 2))
  return new World(
    {
      seed,
      stores,
      replicas: 3,
      ranges,
      mix: mix ?? (MIXES[seed % MIXES.length] as Mix),
      stormMs: 9000,
      healMs: 7000,
    },
    flaws,
  )
}

export function runSeed(seed: number, mix?: Mix, flaws?: Flaws): string[] {
  const world = worldOf(seed, mix, flaws)
  try {
    return world.run()
  } catch (error) {
    return [
      `threw: ${error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' ') : String(error)}`,
    ]
  }
}
