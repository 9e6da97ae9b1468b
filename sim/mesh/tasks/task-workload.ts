/**
 * TaskWorkload: what the users of a mesh ask for. Everything is drawn from the seed. Calls about one id wait for each
 * other's answers, so that the history says what must have happened; only keyed tasks, which many ask for, are loose.
 */

import type { Random } from '../../../src/ports/random.ts'
import { DEFAULT_POLICY, type Policy } from '../../../src/task/policy.ts'
import type { Schedule } from '../../../src/task/schedule.ts'
import { type Conduct, type Op, QUICK, type Spec } from '../../history.ts'
import type { VirtualClock } from '../../virtual-clock.ts'
import { cronAbout, type Night } from './calendar-draws.ts'
import type { MeshClient } from './mesh-client.ts'
import { isAnswered, type PlannedCall } from './planned-calls.ts'
import type { MeshStory, TaskHistory } from './task-history.ts'

export interface TaskPlan {
  readonly clients: number
  /** Mean time between two calls of all, ms. */
  readonly gapMs: number
  /** Recurring tasks that live at a time. */
  readonly recurringMax: number
  /** Share of acknowledged calls that come once more later. */
  readonly repeatShare: number
  /** Share of workers that live in the process of their engine. */
  readonly embeddedShare: number
  /** These, and nothing that is drawn. */
  readonly calls?: readonly PlannedCall[] | undefined
  /** Some handlers hang until they are aborted, and some fail for good. */
  readonly isBad?: boolean | undefined
  /** It is such a night, and most recurring tasks have a calendar. */
  readonly night?: Night | undefined
}

export interface WorkloadPorts {
  readonly clock: VirtualClock
  readonly random: Random
  readonly tasks: TaskHistory
}

const KEYS = 8
const HOUR_MS = 3_600_000

export class TaskWorkload {
  readonly #ports: WorkloadPorts
  readonly #clients: readonly MeshClient[]
  readonly #plan: TaskPlan
  /** Stories whose ids users chose. */
  readonly #named: MeshStory[] = []
  #serial = 0
  #isStopped = false

  constructor(ports: WorkloadPorts, clients: readonly MeshClient[], plan: TaskPlan) {
    this.#ports = ports
    this.#clients = clients
    this.#plan = plan
  }

  start(): void {
    const wait = -Math.log(1 - this.#float()) * this.#plan.gapMs
    this.#ports.clock.setTimer(wait, () => {
      if (this.#isStopped) return
      this.#act()
      this.start()
    })
  }

  stop(): void {
    this.#isStopped = true
  }

  #act(): void {
    const client = this.#pick(this.#clients)
    if (this.#plan.night !== undefined && this.#float() < 0.4) return this.#recurring(client)
    const dice = this.#float()
    if (dice < 0.3) this.#minted(client, 1)
    else if (dice < 0.34) this.#minted(client, 3 + this.#below(8))
    else if (dice < 0.44) this.#create(client, this.#instant())
    else if (dice < 0.5) this.#keyed(client)
    else if (dice < 0.6) this.#recurring(client)
    else if (dice < 0.7) this.#raced(client)
    else this.#change(client)
  }

  // --- new tasks

  #minted(client: MeshClient, count: number): void {
    const tasks = Array.from({ length: count }, () => {
      const id = `m.${Buffer.from(this.#ports.random.bytes(9)).toString('hex')}`
      return {
        story: this.#ports.tasks.story(id),
        spec: this.#spec(id, { kind: 'at', at: this.#instant() }, { minted: true }),
      }
    })
    client.schedule(tasks)
  }

  #create(client: MeshClient, at: number): MeshStory {
    const story = this.#newStory()
    client.schedule([{ story, spec: this.#spec(story.id, { kind: 'at', at }) }])
    return story
  }

  /** The library makes the id of the key: many ask for the same. */
  #keyed(client: MeshClient): void {
    const story = this.#ports.tasks.story(`key-${this.#below(KEYS)}`, true)
    const at = this.#ports.clock.now() + this.#below(15_000)
    const spec = this.#spec(story.id, { kind: 'at', at }, { ifAbsent: true, keyTtlMs: 20_000 })
    client.schedule([{ story, spec }])
  }

  #recurring(client: MeshClient): void {
    const living = this.#named.filter(story => recurs(story) && story.ops.at(-1)?.method !== 'cancel')
    if (living.length >= this.#plan.recurringMax) return this.#change(client)
    const story = this.#newStory()
    client.schedule([{ story, spec: this.#spec(story.id, this.#recurrence()) }])
  }

  /** A one-shot, and a cancel that comes about its instant. */
  #raced(client: MeshClient): void {
    const inMs = 1500 + this.#below(5000)
    const story = this.#create(client, this.#ports.clock.now() + inMs)
    const other = this.#pick(this.#clients)
    const atMs = Math.max(1, inMs - 600 + this.#below(900))
    this.#ports.clock.setTimer(atMs, () => {
      if (!this.#isStopped && isAnswered(story)) other.change('cancel', story)
    })
  }

  // --- changes of what is there

  #change(client: MeshClient): void {
    const story = this.#pick(this.#named.slice(-60))
    if (story === undefined || !isAnswered(story)) return this.#minted(client, 1)
    const dice = this.#float()
    if (isPaused(story) && dice < 0.6) client.change('resume', story)
    else if (dice < 0.2) client.change('cancel', story)
    else if (dice < 0.34) client.change('pause', story)
    else if (dice < 0.38) client.change('resume', story)
    else if (dice < 0.56) client.change('trigger', story)
    else if (dice < 0.62) client.change('retry', story)
    else {
      // It replaces what lives, or begins a new life of what has ended.
      const schedule: Schedule = recurs(story) ? this.#recurrence() : { kind: 'at', at: this.#instant() }
      client.schedule([{ story, spec: this.#spec(story.id, schedule) }])
    }
  }

  // --- draws

  #newStory(): MeshStory {
    const story = this.#ports.tasks.story(`task-${this.#serial++}`)
    this.#named.push(story)
    return story
  }

  /** Now, soon, later, or long after the end of it all. */
  #instant(): number {
    const now = this.#ports.clock.now()
    const dice = this.#float()
    if (dice < 0.25) return now
    if (dice < 0.65) return now + this.#below(10_000)
    if (dice < 0.9) return now + this.#below(90_000)
    return now + HOUR_MS + this.#below(24 * HOUR_MS)
  }

  #recurrence(): Schedule {
    const { night } = this.#plan
    const { random, clock } = this.#ports
    if (night === undefined || this.#float() < 0.2) return this.#every()
    return cronAbout(night, clock.now(), random)
  }

  #every(): Schedule {
    return {
      kind: 'every',
      everyMs: 2000 + this.#below(20_000),
      from: 'phase',
      anchor: this.#ports.clock.now() - this.#below(30_000),
      ...(this.#float() < 0.3 ? { max: 1 + this.#below(10) } : {}),
    }
  }

  #spec(
    id: string,
    schedule: Schedule,
    rest: { minted?: boolean; ifAbsent?: boolean; keyTtlMs?: number } = {},
  ): Spec {
    const [name, conduct, timeoutMs] = this.#plan.isBad === true ? this.#badHandler() : this.#handler()
    return {
      name,
      schedule,
      policy: { ...this.#policy(), timeoutMs },
      payload: JSON.stringify({ task: id, serial: this.#serial++ }),
      conduct,
      keyTtlMs: rest.keyTtlMs ?? 0,
      ifAbsent: rest.ifAbsent ?? false,
      minted: rest.minted ?? false,
      madeAtWall: this.#ports.clock.now(),
    }
  }

  #policy(): Policy {
    const baseMs = 200 + this.#below(1500)
    const isFixed = this.#float() < 0.5
    return {
      ...DEFAULT_POLICY,
      retry: { kind: isFixed ? 'fixed' : 'exponential', baseMs, maxDelayMs: 5000, max: 5, jitter: !isFixed },
      misfire: { kind: this.#pick(['once', 'once', 'once', 'all', 'skip']), max: 100, afterMs: 60_000 },
    }
  }

  /** One that hangs has a time limit, or it would be under way for ever. */
  #badHandler(): [string, Conduct, number] {
    const known = this.#handler()
    const dice = this.#float()
    const conduct = { ...QUICK, durationMs: [1, 100] as const }
    if (dice < 0.1) return ['flaky', { ...conduct, hangShare: 0.7 }, 500 + this.#below(4000)]
    if (dice < 0.2) return ['flaky', { ...conduct, failShare: 0.5, fatalShare: 0.4 }, 0]
    return known
  }

  #handler(): [string, Conduct, number] {
    const dice = this.#float()
    const followUps = this.#float() < 0.08 ? 1 + this.#below(3) : 0
    if (dice < 0.65) return ['quick', { ...QUICK, followUps }, 0]
    if (dice < 0.85) return ['slow', { ...QUICK, durationMs: [100, 5000], followUps }, 0]
    return ['flaky', { ...QUICK, durationMs: [1, 100], failFirst: this.#below(4), followUps }, 0]
  }

  #float(): number {
    return this.#ports.random.float()
  }

  #below(bound: number): number {
    return Math.floor(this.#float() * bound)
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T
  }
}

function recurs(story: MeshStory): boolean {
  const kind = specOf(story)?.schedule.kind
  return kind === 'every' || kind === 'cron'
}

function specOf(story: MeshStory): Spec | undefined {
  return story.ops.findLast(op => op.spec !== undefined)?.spec
}

function isPaused(story: MeshStory): boolean {
  const last: Op | undefined = story.ops.findLast(({ method }) => method !== 'trigger' && method !== 'retry')
  return last?.method === 'pause'
}
