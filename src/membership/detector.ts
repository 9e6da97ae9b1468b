/**
 * Detector: finds out who is silent. SWIM's probing (direct, then through others), Lifeguard's suspicion and local
 * health. Without timers and without await: the coordinator calls `beat` often, and tells what arrives.
 *
 * Invariants
 * - D1 A member ends by a trial only if nothing was heard of it, by us, since the trial began here. Broken by one-way
 *   loss (its answers come, ours do not reach it, or others hear nothing): so any frame from it takes our vote back,
 *   and a trial that runs out over a member that we heard is dropped.
 * - D2 Time in which we did not listen counts against nobody: a late beat moves every deadline, and our own health is
 *   worse before anybody is accused.
 * - D3 Who condemns has asked itself, in vain and more than once: a refutation may be lost on its way here alone.
 * - D4 What names an older (boot, incarnation) than the record has no effect.
 */

import type { Random } from '../ports/random.ts'
import { LocalHealth } from './local-health.ts'
import { ProbeOrder, sample } from './probe-order.ts'
import { Suspicion } from './suspicion.ts'
import { stretched, type Timings } from './timings.ts'
import type { MemberRecord, StoreId } from './view.ts'

/** More accusers than this change nothing. */
const VOTERS_MAX = 16
/** Suspects that are asked out of turn are asked this often in a probe interval, and so many of them at a time. */
const QUESTIONS = 4
const QUESTIONED_MAX = 3
/** The last probe intervals of a trial, in which also those are asked whom only others accuse. */
const LAST_INTERVALS = 2
/** Questions before a verdict. */
const ASKED_MIN = 3

/** What the detector has done; called inside its methods. */
export interface DetectorActions {
  /** The record of a store in the roster. */
  record(store: StoreId): MemberRecord | undefined
  /** Live members, ourselves included. */
  liveCount(): number
  /** Live members that can be asked to probe for us, other than the store. */
  helpers(store: StoreId): readonly StoreId[]
  ping(store: StoreId, seq: number): void
  pingThrough(helper: StoreId, store: StoreId, seq: number): void
  nack(asker: string, seq: number): void
  relayAck(asker: string, seq: number): void
  /** We accuse, or confirm: to be passed on. */
  voted(record: MemberRecord): void
  /** The trial is over: it did not answer. */
  condemned(record: MemberRecord): void
  /** A trial ended without a verdict. */
  acquitted(store: StoreId): void
}

interface Probe {
  readonly store: StoreId
  startedAt: number
  ackBy: number
  failBy: number
  helpers: number
  nacks: number
  indirect: boolean
  /** One more question in a trial: that nobody answers it says nothing new. */
  readonly isExtra: boolean
}

/** A probe that we make for somebody else, named by the node that asked. */
interface Relay {
  readonly asker: string
  readonly seq: number
  nackAt: number
  giveUpAt: number
  nacked: boolean
}

export interface DetectorOptions {
  readonly self: StoreId
  readonly timings: Timings
  /** Probes that are made for others at one time; more are not answered. */
  readonly relaysMax: number
}

export class Detector {
  readonly #options: DetectorOptions
  readonly #random: Random
  readonly #actions: DetectorActions
  readonly #health: LocalHealth
  readonly #order: ProbeOrder<StoreId>
  readonly #probes = new Map<number, Probe>()
  readonly #relays = new Map<number, Relay>()
  readonly #trials = new Map<StoreId, Suspicion>()
  readonly #heardAt = new Map<StoreId, number>()
  #seq = 0
  #nextProbeAt: number
  #nextExtraAt = 0

  constructor(ports: { random: Random }, options: DetectorOptions, actions: DetectorActions, now: number) {
    this.#options = options
    this.#random = ports.random
    this.#actions = actions
    this.#health = new LocalHealth(options.timings.healthMax)
    this.#order = new ProbeOrder(ports.random)
    // Nodes that were started together must not probe together.
    this.#nextProbeAt = now + ports.random.float() * options.timings.probeMs
  }

  get health(): number {
    return this.#health.score
  }

  isSuspect(store: StoreId): boolean {
    return this.#trials.has(store)
  }

  get suspects(): IterableIterator<StoreId> {
    return this.#trials.keys()
  }

  /** The record of a member is new or another: probe it or not, and drop what it has outlived. */
  changed(record: MemberRecord): void {
    if (record.store === this.#options.self) return
    if (record.state === 'live') this.#order.add(record.store)
    else this.#order.remove(record.store)
    const trial = this.#trials.get(record.store)
    if (trial === undefined) return
    const outlived =
      record.boot > trial.boot || (record.boot === trial.boot && record.incarnation > trial.incarnation)
    if (record.state !== 'live' || outlived) this.#acquit(record.store)
  }

  removed(store: StoreId): void {
    this.#order.remove(store)
    this.#heardAt.delete(store)
    if (this.#trials.has(store)) this.#acquit(store)
  }

  /** Any frame came straight from the store. */
  heard(store: StoreId, now: number): void {
    this.#heardAt.set(store, now)
    const trial = this.#trials.get(store)
    if (trial?.withdraw(this.#options.self) === true) this.#acquit(store)
  }

  /** Somebody accuses the store. */
  accused(store: StoreId, boot: number, incarnation: number, voter: StoreId, now: number): boolean {
    const record = this.#actions.record(store)
    if (record === undefined || record.state !== 'live') return false
    if (record.boot !== boot || record.incarnation !== incarnation) return false
    return this.#trial(record, now).confirm(voter, VOTERS_MAX)
  }

  /** We had to refute an accusation. */
  refuted(): void {
    this.#health.refuted()
  }

  /** An answer to one of our probes, straight or through a helper: either way the store lives. */
  answered(seq: number, now: number): void {
    const relay = this.#relays.get(seq)
    if (relay !== undefined) {
      this.#relays.delete(seq)
      this.#actions.relayAck(relay.asker, relay.seq)
      return
    }
    const probe = this.#probes.get(seq)
    if (probe === undefined) return
    this.#probes.delete(seq)
    this.#health.answered()
    this.heard(probe.store, now)
  }

  nacked(seq: number): void {
    const probe = this.#probes.get(seq)
    if (probe !== undefined) probe.nacks = Math.min(probe.helpers, probe.nacks + 1)
  }

  /** A node asks us to probe a store for it. */
  relay(asker: string, seq: number, store: StoreId, now: number): void {
    if (this.#relays.size >= this.#options.relaysMax) return
    const { ackMs } = this.#options.timings
    const own = this.#nextSeq()
    this.#relays.set(own, { asker, seq, nackAt: now + ackMs * 0.8, giveUpAt: now + ackMs * 4, nacked: false })
    this.#actions.ping(store, own)
  }

  /** An answer, or the end of a trial, is waited for. */
  get isWaiting(): boolean {
    return this.#probes.size > 0 || this.#trials.size > 0 || this.#relays.size > 0
  }

  /** When the next member is asked. */
  get nextProbeAt(): number {
    return this.#nextProbeAt
  }

  /** To be called every `beatMs` while something is waited for, else when a probe is due; `lateMs`: how much later it comes. */
  beat(now: number, lateMs: number): void {
    const { timings } = this.#options
    if (lateMs > timings.lateMsMax) {
      this.#health.late(lateMs / timings.ackMs)
      this.#postpone(lateMs)
    }
    this.#beatRelays(now)
    for (const [seq, probe] of this.#probes) {
      if (now >= probe.failBy) this.#fail(seq, probe, now)
      else if (now >= probe.ackBy && !probe.indirect) this.#askOthers(seq, probe)
    }
    if (now >= this.#nextProbeAt) this.#probeNext(now)
    if (now >= this.#nextExtraAt) this.#askSuspects(now)
    for (const [store, trial] of this.#trials) this.#judge(store, trial, now)
  }

  #probeNext(now: number): void {
    const { timings } = this.#options
    const interval = stretched(timings.probeMs, this.#health.score)
    this.#nextProbeAt = now + interval
    const store = this.#order.next(() => true)
    if (store === undefined) return
    const seq = this.#nextSeq()
    this.#probes.set(seq, {
      store,
      startedAt: now,
      ackBy: now + stretched(timings.ackMs, this.#health.score),
      failBy: now + interval,
      helpers: 0,
      nacks: 0,
      indirect: false,
      isExtra: false,
    })
    this.#actions.ping(store, seq)
  }

  #askOthers(seq: number, probe: Probe): void {
    probe.indirect = true
    const helpers = sample(
      this.#actions.helpers(probe.store),
      this.#options.timings.indirectProbeCount,
      this.#random,
    )
    probe.helpers = helpers.length
    for (const helper of helpers) this.#actions.pingThrough(helper, probe.store, seq)
  }

  #fail(seq: number, probe: Probe, now: number): void {
    this.#probes.delete(seq)
    if (probe.isExtra) return
    this.#health.probeFailed(probe.helpers, probe.helpers - probe.nacks)
    const record = this.#actions.record(probe.store)
    if (record === undefined || record.state !== 'live') return
    // It did not answer, but it spoke: that is loss, not death.
    if ((this.#heardAt.get(probe.store) ?? -Infinity) >= probe.startedAt) return
    if (this.#trial(record, now).vote(this.#options.self, now)) this.#actions.voted(record)
  }

  /** Those we accuse, and those whose trial ends soon: any answer ends it, and they hear of it. */
  #askSuspects(now: number): void {
    const { timings } = this.#options
    this.#nextExtraAt = now + timings.probeMs / QUESTIONS
    const soon = now + LAST_INTERVALS * timings.probeMs
    const asked: [StoreId, Suspicion][] = []
    for (const [store, trial] of this.#trials) {
      if (trial.voted || this.#endsAt(trial, now) <= soon) asked.push([store, trial])
    }
    for (const [store, trial] of sample(asked, QUESTIONED_MAX, this.#random)) {
      trial.asked++
      this.#actions.ping(store, this.#nextSeq())
      // Who is cut off from it alone, and loses packets to the helpers as well, must not judge by its own ears.
      if (this.#endsAt(trial, now) <= soon) this.#askThroughOthers(store, now)
    }
  }

  #askThroughOthers(store: StoreId, now: number): void {
    const { probeMs } = this.#options.timings
    const seq = this.#nextSeq()
    const probe: Probe = {
      store,
      startedAt: now,
      ackBy: now,
      failBy: now + 2 * probeMs,
      helpers: 0,
      nacks: 0,
      indirect: false,
      isExtra: true,
    }
    this.#probes.set(seq, probe)
    this.#askOthers(seq, probe)
  }

  #judge(store: StoreId, trial: Suspicion, now: number): void {
    if (now < this.#endsAt(trial, now)) return
    const record = this.#actions.record(store)
    const heard = (this.#heardAt.get(store) ?? -Infinity) >= trial.startedAt
    if (record !== undefined && !heard && trial.asked < ASKED_MIN) return
    this.#trials.delete(store)
    if (record === undefined || heard) this.#actions.acquitted(store)
    else this.#actions.condemned(record)
  }

  #endsAt(trial: Suspicion, now: number): number {
    return trial.endsAt(now, this.#actions.liveCount(), this.#options.timings)
  }

  #beatRelays(now: number): void {
    for (const [seq, relay] of this.#relays) {
      if (now >= relay.nackAt && !relay.nacked) {
        relay.nacked = true
        this.#actions.nack(relay.asker, relay.seq)
      }
      if (now >= relay.giveUpAt) this.#relays.delete(seq)
    }
  }

  #trial(record: MemberRecord, now: number): Suspicion {
    const { boot, incarnation } = record
    const found = this.#trials.get(record.store)
    if (found !== undefined && found.boot === boot && found.incarnation === incarnation) return found
    const trial = new Suspicion({ boot, incarnation, startedAt: now })
    this.#trials.set(record.store, trial)
    return trial
  }

  #acquit(store: StoreId): void {
    this.#trials.delete(store)
    this.#actions.acquitted(store)
  }

  #postpone(ms: number): void {
    for (const probe of this.#probes.values()) {
      probe.ackBy += ms
      probe.failBy += ms
    }
    for (const trial of this.#trials.values()) trial.postpone(ms)
    for (const relay of this.#relays.values()) {
      relay.nackAt += ms
      relay.giveUpAt += ms
    }
  }

  #nextSeq(): number {
    this.#seq = (this.#seq + 1) % Number.MAX_SAFE_INTEGER
    return this.#seq
  }
}
