/**
 * The workload of a seed: what simulated users do in some minutes to hours. They draw tasks of every kind, change what
 * they made, wait for results, and repeat themselves. Calls about one id wait for each other, so that the history says
 * what must have happened; a few ids are `loose`, and get calls that overlap.
 */

import type { Random } from '../src/ports/random.ts'
import {
  DEFAULT_POLICY,
  type Guarantee,
  type MisfirePolicy,
  type Overlap,
  type Policy,
} from '../src/task/policy.ts'
import type { RetryPolicy } from '../src/task/retry.ts'
import type { CronSchedule, Schedule } from '../src/task/schedule.ts'
import type { SimulatedClient } from './client.ts'
import { type Conduct, type History, type Op, QUICK, type Spec, type Story } from './history.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface WorkloadOptions {
  /** Mean time between two actions of all users, ms. */
  readonly gapMs: number
  /** Most recurring tasks that live at a time. */
  readonly recurringMax: number
  /** Share of strict tasks. */
  readonly strictShare: number
  readonly looseShare: number
  /** Handlers that fail, hang or take their time. */
  readonly badHandlers: boolean
}

export const HANDLERS = [
  { name: 'quick', window: 40, concurrency: 20 },
  { name: 'slow', window: 12, concurrency: 10 },
  { name: 'flaky', window: 12, concurrency: 8 },
  { name: 'hanging', window: 20, concurrency: 20 },
  { name: 'seldom', window: 4, concurrency: 2 },
] as const

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'Pacific/Apia',
]

export class Workload {
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #history: History
  readonly #clients: readonly SimulatedClient[]
  readonly #options: WorkloadOptions
  #serial = 0
  #stopped = false
  /** Stories with an id that users chose, hence that can be changed. */
  readonly #named: Story[] = []
  readonly #oneShots: Story[] = []

  constructor(
    ports: { readonly clock: VirtualClock; readonly random: Random; readonly history: History },
    clients: readonly SimulatedClient[],
    options: WorkloadOptions,
  ) {
    this.#clock = ports.clock
    this.#random = ports.random
    this.#history = ports.history
    this.#clients = clients
    this.#options = options
  }

  start(): void {
    const wait = -Math.log(1 - this.#random.float()) * this.#options.gapMs
    this.#clock.setTimer(wait, () => {
      if (this.#stopped) return
      this.#act()
      this.start()
    })
  }

  stop(): void {
    this.#stopped = true
  }

  #act(): void {
    const client = this.#pick(this.#clients)
    const dice = this.#random.float()
    if (dice < 0.42) this.#oneShot(client)
    else if (dice < 0.45) this.#bulk(client)
    else if (dice < 0.5) this.#keyed(client)
    else if (dice < 0.62) this.#recurring(client)
    else if (dice < 0.7) this.#namedOneShot(client)
    else if (dice < 0.92) this.#change(client)
    else if (dice < 0.98) this.#wait(client)
    else this.#look(client)
  }

  // --- kinds of tasks

  #oneShot(client: SimulatedClient): void {
    const story = this.#history.story(this.#mint())
    this.#oneShots.push(story)
    client.schedule([{ story, spec: this.#spec(story.id, { at: this.#instant() }, { minted: true }) }])
  }

  #bulk(client: SimulatedClient): void {
    const count = 5 + this.#below(60)
    const items = Array.from({ length: count }, () => {
      const story = this.#history.story(this.#mint())
      return { story, spec: this.#spec(story.id, { at: this.#instant() }, { minted: true }) }
    })
    client.schedule(items)
  }

  /** Few keys, so that many ask for the same. The library makes the id of the key. */
  #keyed(client: SimulatedClient): void {
    const story = this.#history.story(`key-${this.#below(12)}`, true)
    const keyTtlMs = 20_000
    const at = this.#random.float() < 0.6 ? this.#clock.now() : this.#clock.now() + this.#below(20_000)
    client.schedule([
      { story, spec: this.#spec(story.id, { at }, { keyTtlMs, ifAbsent: true, guarantee: 'at-least-once' }) },
    ])
  }

  #recurring(client: SimulatedClient): void {
    const living = this.#named.filter(story => isRecurring(story) && !isCancelled(story))
    if (living.length >= this.#options.recurringMax) return this.#change(client)
    const story = this.#newStory()
    client.schedule([{ story, spec: this.#spec(story.id, this.#recurringSchedule()) }])
  }

  #namedOneShot(client: SimulatedClient): void {
    const story = this.#newStory()
    client.schedule([{ story, spec: this.#spec(story.id, { at: this.#instant() }) }])
  }

  /** Changes a task that somebody made: each call on an id waits for the answer to the one before. */
  #change(client: SimulatedClient): void {
    const story = this.#pick(this.#named)
    if (story === undefined) return this.#oneShot(client)
    const last = story.ops.at(-1) as Op
    if (!story.loose && (last.ackAt === undefined || last.unknown)) return
    const dice = this.#random.float()
    const paused = isPaused(story)
    if (paused && dice < 0.5) client.change('resume', story)
    else if (dice < 0.16) client.change('cancel', story)
    else if (dice < 0.3) client.change('pause', story)
    else if (dice < 0.36) client.change('resume', story)
    else if (dice < 0.52) client.change('trigger', story)
    else if (dice < 0.6) client.change('retry', story)
    else this.#again(client, story)
  }

  /** The same id once more: it replaces what lives, or begins a new life, or changes nothing. */
  #again(client: SimulatedClient, story: Story): void {
    const before = story.ops.findLast(op => op.spec !== undefined)?.spec as Spec
    const { guarantee } = before.policy
    if (this.#random.float() < 0.15) {
      const spec = { ...before, madeAtWall: this.#clock.now() }
      client.schedule([{ story, spec }])
      return
    }
    const recurring = before.schedule.kind !== 'at'
    const schedule =
      recurring !== this.#random.float() < 0.1 ? this.#recurringSchedule() : { at: this.#instant() }
    client.schedule([{ story, spec: this.#spec(story.id, schedule, { guarantee }) }])
  }

  #wait(client: SimulatedClient): void {
    const story = this.#pick(this.#oneShots.slice(-40))
    if (story === undefined || story.ops[0]?.ackAt === undefined) return
    client.query({ method: 'result', id: story.id }).then(
      ({ run }) => {
        this.#history.count('results')
        client.ended(run, 'result')
      },
      () => this.#history.count('no results'),
    )
  }

  #look(client: SimulatedClient): void {
    const story = this.#pick(this.#named)
    if (story === undefined) return
    const noted = (): void => this.#history.count('looks')
    const failed = (): void => this.#history.count('looks in vain')
    const dice = this.#random.float()
    if (dice < 0.3) client.query({ method: 'task', id: story.id }).then(noted, failed)
    else if (dice < 0.6) client.query({ method: 'runs', id: story.id, limit: 20 }).then(noted, failed)
    else if (dice < 0.8) {
      client.query({ method: 'tasks', filter: {}, after: undefined, limit: 50 }).then(noted, failed)
    } else client.query({ method: 'status' }).then(noted, failed)
  }

  // --- draws

  #newStory(): Story {
    const loose = this.#random.float() < this.#options.looseShare
    const story = this.#history.story(`${loose ? 'loose' : 'task'}-${this.#serial++}`, loose)
    this.#named.push(story)
    return story
  }

  #mint(): string {
    return `m.${Buffer.from(this.#random.bytes(9)).toString('hex')}`
  }

  /** Now, soon, beyond the horizon, long after the end of it all, or already past. */
  #instant(): number {
    const now = this.#clock.now()
    const dice = this.#random.float()
    if (dice < 0.45) return now
    if (dice < 0.75) return now + this.#below(8000)
    if (dice < 0.93) return now + this.#below(120_000)
    if (dice < 0.96) return now + 3_600_000 + this.#below(86_400_000)
    return now - this.#below(90_000)
  }

  #recurringSchedule(): Schedule {
    const now = this.#clock.now()
    const limits = {
      ...(this.#random.float() < 0.3 ? { max: 1 + this.#below(20) } : {}),
      ...(this.#random.float() < 0.15 ? { end: now + 5000 + this.#below(120_000) } : {}),
      ...(this.#random.float() < 0.15 ? { start: now + this.#below(20_000) } : {}),
    }
    const dice = this.#random.float()
    if (dice < 0.65) {
      const everyMs = dice < 0.15 ? 300 + this.#below(1500) : 2000 + this.#below(25_000)
      const from = this.#random.float() < 0.35 ? 'completion' : 'phase'
      return {
        kind: 'every',
        everyMs,
        from,
        anchor: this.#random.float() < 0.5 ? 0 : now - this.#below(50_000),
        ...limits,
      }
    }
    return { kind: 'cron', pattern: this.#pattern(), tz: this.#pick(ZONES), dst: this.#dst(), ...limits }
  }

  #pattern(): string {
    const dice = this.#random.float()
    if (dice < 0.45) return `*/${this.#pick([2, 3, 5, 7, 10, 15, 20])} * * * * *`
    if (dice < 0.75) return `*/${this.#pick([1, 2, 3, 5])} * * * *`
    if (dice < 0.85) return `${this.#below(60)} * * * * *`
    const soon = new Date(this.#clock.now() + this.#below(300_000))
    if (dice < 0.93) return `${soon.getUTCMinutes()} * * * *`
    return `${soon.getUTCMinutes()} ${this.#below(24)} * * *`
  }

  #dst(): CronSchedule['dst'] {
    return {
      gap: this.#pick(['auto', 'skip', 'shift']),
      overlap: this.#pick(['auto', 'first', 'second', 'both']),
    }
  }

  #spec(
    id: string,
    schedule: Schedule | { readonly at: number },
    rest: { minted?: boolean; ifAbsent?: boolean; keyTtlMs?: number; guarantee?: Guarantee } = {},
  ): Spec {
    const policy = this.#policy(rest.guarantee)
    const [name, conduct] = this.#handler(policy)
    const size = this.#random.float() < 0.01 ? 30_000 : this.#below(120)
    return {
      name,
      schedule: 'kind' in schedule ? schedule : { kind: 'at', at: schedule.at },
      policy,
      payload: JSON.stringify({ task: id, serial: this.#serial++, text: 'pæyload·'.repeat(size / 8) }),
      conduct,
      keyTtlMs: rest.keyTtlMs ?? 0,
      ifAbsent: rest.ifAbsent ?? false,
      minted: rest.minted ?? false,
      madeAtWall: this.#clock.now(),
    }
  }

  #policy(wanted?: Guarantee): Policy {
    const dice = this.#random.float()
    const strict = dice < this.#options.strictShare
    const guarantee =
      wanted ??
      (strict ? (dice < this.#options.strictShare / 2 ? 'at-most-once' : 'exactly-once') : 'at-least-once')
    if (guarantee === 'at-least-once' && this.#random.float() < 0.3) return DEFAULT_POLICY
    return {
      guarantee,
      precision: this.#pick(['high', 'normal', 'normal', 'low']),
      priority: this.#pick([0, 0, 0, 5, -5, 100]),
      retry: guarantee === 'at-most-once' ? { ...this.#retry(), max: 1 } : this.#retry(),
      timeoutMs: 0,
      misfire: this.#misfire(),
      overlap: this.#pick<Overlap>(['allow', 'allow', 'skip', 'queue-one', 'cancel-old']),
      tags: this.#random.float() < 0.1 ? ['tagged'] : [],
    }
  }

  #retry(): RetryPolicy {
    const kind = this.#pick<RetryPolicy['kind']>(['immediate', 'fixed', 'exponential'])
    const baseMs = 50 + this.#below(2000)
    return { kind, baseMs, maxDelayMs: 10_000, max: 1 + this.#below(5), jitter: this.#random.float() < 0.5 }
  }

  #misfire(): MisfirePolicy {
    const kind = this.#pick<MisfirePolicy['kind']>(['once', 'once', 'all', 'skip'])
    return { kind, max: 1 + this.#below(10), afterMs: this.#pick([5000, 20_000, 60_000]) }
  }

  /** A handler, and how it behaves. Who hangs needs a timeout: `policy` is written to before anybody has it. */
  #handler(policy: Policy): [string, Conduct] {
    const dice = this.#random.float()
    const followUps = this.#random.float() < 0.06 ? 1 + this.#below(3) : 0
    if (!this.#options.badHandlers || dice < 0.55) return ['quick', { ...QUICK, followUps }]
    if (dice < 0.7) return ['slow', { ...QUICK, durationMs: [50, 3000], followUps }]
    if (dice < 0.75) return ['seldom', { ...QUICK, durationMs: [5, 200] }]
    if (dice < 0.9) {
      const failFirst = this.#below(4)
      return [
        'flaky',
        { ...QUICK, durationMs: [1, 100], failShare: 0.3, failFirst, fatalShare: 0.1, followUps },
      ]
    }
    if (policy === DEFAULT_POLICY) return ['quick', QUICK]
    ;(policy as { timeoutMs: number }).timeoutMs = 200 + this.#below(5000)
    return ['hanging', { ...QUICK, durationMs: [1, 8000], hangShare: 0.4 }]
  }

  #below(bound: number): number {
    return Math.floor(this.#random.float() * bound)
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T
  }
}

export function isRecurring(story: Story): boolean {
  const spec = story.ops.findLast(op => op.spec !== undefined)?.spec
  return spec !== undefined && spec.schedule.kind !== 'at'
}

function isCancelled(story: Story): boolean {
  return story.ops.at(-1)?.method === 'cancel'
}

function isPaused(story: Story): boolean {
  return story.ops.findLast(op => op.method !== 'trigger' && op.method !== 'retry')?.method === 'pause'
}
