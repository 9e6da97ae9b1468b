/**
 * PlannedCalls: what users ask for, call by call, as a scenario says it instead of a draw. Instants count from when the
 * clients begin, and those of a schedule from its call, so that a mesh that is founded sooner means the same.
 *
 * It keeps the rule of the workload, without which the judges could not say what must have happened: who changes a task waits
 * for the answer to the call before. A call whose turn comes too early is left out.
 */

import { DEFAULT_POLICY, type Policy } from '../../../src/task/policy.ts'
import type { CronSchedule, Schedule } from '../../../src/task/schedule.ts'
import { type Conduct, type Method, QUICK, type Spec } from '../../history.ts'
import type { VirtualClock } from '../../virtual-clock.ts'
import type { MeshClient } from './mesh-client.ts'
import type { MeshOp, MeshStory, TaskHistory } from './task-history.ts'

export interface PlannedCall {
  /** After the clients begin. */
  readonly atMs: number
  readonly client: number
  readonly method: Method
  /** One, or with `schedule` any number. */
  readonly tasks: readonly PlannedTask[]
}

export interface PlannedTask {
  readonly id: string
  /** What is scheduled. */
  readonly spec?: PlannedSpec | undefined
}

/** What is left out is as in a quick task that is due at once. */
export interface PlannedSpec {
  /** Once, so long after the call. */
  readonly inMs?: number | undefined
  /** By a calendar. */
  readonly cron?: Pick<CronSchedule, 'pattern' | 'tz' | 'dst'> | undefined
  /** Again and again. */
  readonly everyMs?: number | undefined
  /** Phase zero of that, after the call. */
  readonly anchorInMs?: number | undefined
  readonly max?: number | undefined
  readonly handler?: string | undefined
  readonly conduct?: Partial<Conduct> | undefined
  readonly policy?: Partial<Policy> | undefined
  readonly payload?: string | undefined
  readonly minted?: boolean | undefined
  /** Many may ask for it under this id, and the first makes it. */
  readonly keyTtlMs?: number | undefined
}

export interface PlannedPorts {
  readonly clock: VirtualClock
  readonly tasks: TaskHistory
}

export class PlannedCalls {
  readonly #ports: PlannedPorts
  readonly #clients: readonly MeshClient[]
  readonly #calls: readonly PlannedCall[]
  #isStopped = false

  constructor(ports: PlannedPorts, clients: readonly MeshClient[], calls: readonly PlannedCall[]) {
    this.#ports = ports
    this.#clients = clients
    this.#calls = calls
  }

  start(): void {
    for (const call of this.#calls) {
      this.#ports.clock.setTimer(call.atMs, () => {
        if (!this.#isStopped) this.#make(call)
      })
    }
  }

  stop(): void {
    this.#isStopped = true
  }

  #make({ client: number, method, tasks }: PlannedCall): void {
    const client = this.#clients[number]
    if (client === undefined) return
    const now = this.#ports.clock.now()
    const stories = tasks.map(({ id, spec }) => {
      const isLoose = spec?.keyTtlMs !== undefined
      return { story: this.#ports.tasks.story(id, isLoose), spec: specOf(id, spec ?? {}, now), isLoose }
    })
    if (method !== 'schedule') {
      const story = stories[0]?.story
      if (story !== undefined && isAnswered(story)) client.change(method, story)
      return
    }
    const ready = stories.filter(
      ({ story, isLoose }) => isLoose || story.ops.length === 0 || isAnswered(story),
    )
    if (ready.length > 0) client.schedule(ready)
  }
}

/** The last call about it has an answer, and what it did is known. */
export function isAnswered(story: MeshStory): boolean {
  const last = story.ops.at(-1)
  return last !== undefined && last.ackAt !== undefined && !last.unknown
}

/** The calls of a history, in order; `callers` are those of the clients, by number. */
export function callsOf({ stories, beganAt }: TaskHistory, callers: readonly string[]): PlannedCall[] {
  const ops = [...stories.values()].flatMap(({ ops, loose }) => ops.map(op => ({ op, loose })))
  ops.sort((a, b) => a.op.sentAt - b.op.sentAt || a.op.n - b.op.n)
  const calls: { atMs: number; client: number; method: Method; tasks: PlannedTask[] }[] = []
  for (const { op, loose } of ops) {
    const [atMs, client] = [op.sentAt - beganAt, callers.indexOf(op.caller)]
    const { method, target: id } = op
    const task = op.spec === undefined ? { id } : { id, spec: plannedOf(op, op.spec, loose) }
    const last = calls.at(-1)
    // What one call had is sent in one moment.
    const isSame = last?.atMs === atMs && last.client === client && last.method === method
    if (isSame && method === 'schedule') last.tasks.push(task)
    else calls.push({ atMs, client, method, tasks: [task] })
  }
  return calls
}

function specOf(id: string, planned: PlannedSpec, now: number): Spec {
  const { keyTtlMs, minted = false } = planned
  return {
    name: planned.handler ?? 'quick',
    schedule: scheduleOf(planned, now),
    policy: { ...DEFAULT_POLICY, ...planned.policy },
    payload: planned.payload ?? JSON.stringify({ task: id }),
    conduct: { ...QUICK, ...planned.conduct },
    keyTtlMs: keyTtlMs ?? 0,
    ifAbsent: keyTtlMs !== undefined,
    minted,
    madeAtWall: now,
  }
}

function scheduleOf({ inMs = 0, cron, everyMs, anchorInMs = 0, max }: PlannedSpec, now: number): Schedule {
  const atMost = max === undefined ? {} : { max }
  if (cron !== undefined) return { kind: 'cron', ...cron, ...atMost }
  if (everyMs === undefined) return { kind: 'at', at: now + inMs }
  return { kind: 'every', everyMs, from: 'phase', anchor: now + anchorInMs, ...atMost }
}

function whenOf(schedule: Schedule, since: number): Partial<PlannedSpec> {
  if (schedule.kind === 'at') return { inMs: schedule.at - since }
  const { max } = schedule
  if (schedule.kind === 'every')
    return { everyMs: schedule.everyMs, anchorInMs: schedule.anchor - since, max }
  const { pattern, tz, dst } = schedule
  return { cron: { pattern, tz, dst }, max }
}

function plannedOf(op: MeshOp, spec: Spec, loose: boolean): PlannedSpec {
  const { schedule, policy, conduct, payload } = spec
  return {
    ...whenOf(schedule, op.madeAtWall),
    handler: spec.name,
    conduct: differing(conduct, QUICK),
    policy: differing(policy, DEFAULT_POLICY),
    payload,
    ...(spec.minted ? { minted: true } : {}),
    ...(loose ? { keyTtlMs: spec.keyTtlMs } : {}),
  }
}

function differing<T extends object>(value: T, usual: T): Partial<T> {
  const entries = Object.entries(value).filter(
    ([key, each]) => JSON.stringify(each) !== JSON.stringify((usual as Record<string, unknown>)[key]),
  )
  return Object.fromEntries(entries) as Partial<T>
}
