/**
 * A node for the tests of the commands: tasks and runs in maps, definitions by the same code as a real one, and a
 * world around it whose clock stands still and whose streams are kept.
 */

import type { World } from '../../src/cli/context.ts'
import { runProgram } from '../../src/cli/program.ts'
import type { Address, MeshEntry, RemoteNode, ScheduleAnswer } from '../../src/cli/remote.ts'
import { CarillonError } from '../../src/errors.ts'
import type { TaskOptions } from '../../src/task/options.ts'
import { DEFAULT_POLICY, type Policy, policyText } from '../../src/task/policy.ts'
import { recurrenceOf } from '../../src/task/recurrence.ts'
import { defineTask } from '../../src/task/validate.ts'
import type { DrainView, RingView, RunView, StatusView, TaskView } from '../../src/task/views.ts'
import type { ForgottenStore } from '../../src/wire/mesh-calls.ts'

/** 2026-11-27T12:00:00Z, a Friday. */
export const NOW = Date.UTC(2026, 10, 27, 12)

export class FakeNode implements RemoteNode {
  readonly tasksById = new Map<string, TaskView>()
  readonly runsById = new Map<string, RunView[]>()
  readonly logLines: { run: string; at: number; line: string }[] = []
  readonly calls: string[] = []
  mesh: StatusView['mesh'] = null
  ringView: RingView = { view: '0'.repeat(16), ranges: 256, replicas: 3, nodes: [], unowned: 0, range: null }
  /** What each further drain() tells; then nobody answers. */
  drains: DrainView[] = []
  handlers: string[] = ['command', 'email.send', 'report']
  profile: Partial<Policy> = {}
  /** The result() of each further call; the last one stays. */
  results: (RunView | undefined)[] = []
  #ids = 0

  async schedule(tasks: readonly object[]): Promise<readonly ScheduleAnswer[]> {
    this.calls.push(`schedule ${tasks.length}`)
    return tasks.map(task => this.#scheduleOne(task as TaskOptions))
  }

  #scheduleOne(options: TaskOptions): ScheduleAnswer {
    try {
      const defined = defineTask(options, {
        policy: this.profile,
        policyText: policyText(this.profile),
        mintId: () => `minted-${++this.#ids}`,
        now: () => NOW,
      })
      const { id, name, schedule } = defined
      const set = defined.policyText === '' ? {} : (JSON.parse(defined.policyText) as Partial<Policy>)
      const view: TaskView = {
        id,
        name,
        state: 'scheduled',
        schedule,
        policy: { ...DEFAULT_POLICY, ...set },
        payload: defined.payload === undefined ? undefined : JSON.parse(defined.payload),
        createdAt: NOW,
        nextAt: schedule.kind === 'at' ? schedule.at : (recurrenceOf(schedule, id).next(NOW) ?? null),
        lastAt: null,
        occurrences: 0,
        open: [],
      }
      const before = this.tasksById.get(id)
      const isSame = before !== undefined && definition(before) === definition(view)
      if (!isSame) this.tasksById.set(id, view)
      return {
        id,
        name,
        status: before === undefined ? 'created' : isSame ? 'exists' : 'replaced',
        copies: 1,
      }
    } catch (error) {
      if (!(error instanceof CarillonError)) throw error
      return { error: { code: error.code, message: error.message, field: error.field } }
    }
  }

  async task(id: string): Promise<TaskView | null> {
    return this.tasksById.get(id) ?? null
  }

  async *tasks(filter: Parameters<RemoteNode['tasks']>[0]): AsyncGenerator<TaskView> {
    for (const task of this.tasksById.values()) {
      if (filter.state !== undefined && task.state !== filter.state) continue
      if (filter.name !== undefined && task.name !== filter.name) continue
      if (filter.tag !== undefined && !task.policy.tags.includes(filter.tag)) continue
      yield task
    }
  }

  async runs(id: string, { limit }: { limit: number }): Promise<readonly RunView[]> {
    const runs = this.runsById.get(id)
    if (runs === undefined && !this.tasksById.has(id)) throw notFound(id)
    return (runs ?? []).slice(0, limit)
  }

  async logs(id: string): Promise<readonly { run: string; at: number; line: string }[]> {
    return this.logLines.filter(({ run }) => run.startsWith(id))
  }

  async cancel(id: string): Promise<boolean> {
    this.calls.push(`cancel ${id}`)
    return this.tasksById.delete(id)
  }

  async pause(id: string): Promise<void> {
    this.#set(id, 'paused')
  }

  async resume(id: string): Promise<boolean> {
    const was = this.tasksById.get(id)?.state
    this.#set(id, 'scheduled')
    return was === 'paused'
  }

  async trigger(id: string): Promise<string> {
    this.#set(id, 'scheduled')
    return `${id}@${NOW}`
  }

  async retry(id: string): Promise<string> {
    if (!this.tasksById.has(id)) throw notFound(id)
    throw new CarillonError('CONFLICT', `run ${id}@${NOW} is completed: only a failed run can be retried`)
  }

  async result(): Promise<RunView | undefined> {
    return this.results.length > 1 ? this.results.shift() : this.results[0]
  }

  async preview(): Promise<readonly number[]> {
    return []
  }

  async status(): Promise<StatusView> {
    return { ...STATUS, handlers: this.handlers, mesh: this.mesh }
  }

  async token({ ttl }: { readonly ttl: string | undefined }): Promise<string> {
    return `crl1.${ttl ?? '10m'}`
  }

  async forget(who: string): Promise<readonly ForgottenStore[]> {
    if (who === 'live') throw new CarillonError('CONFLICT', `${who} is live`)
    return [{ store: 'b'.repeat(32), node: `12D3-${who}` }]
  }

  async drain(): Promise<DrainView> {
    const next = this.drains.shift()
    if (next === undefined) throw new CarillonError('UNREACHABLE', 'nobody answers')
    return next
  }

  async ring(id: string | undefined): Promise<RingView> {
    this.calls.push(`ring ${id}`)
    return { ...this.ringView, range: id === undefined ? null : this.ringView.range }
  }

  #set(id: string, state: TaskView['state']): void {
    const task = this.tasksById.get(id)
    if (task === undefined) throw notFound(id)
    this.tasksById.set(id, { ...task, state })
  }
}

export function run(fields: Partial<RunView>): RunView {
  return {
    id: `t@${NOW}`,
    task: 't',
    name: 'report',
    state: 'completed',
    scheduledAt: NOW,
    manual: false,
    attempt: 1,
    startedAt: NOW + 3,
    endedAt: NOW + 1503,
    retryAt: null,
    ...fields,
  }
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
  /** Where the client was sent. */
  readonly addresses: readonly Address[]
  /** Meshes that it came into. */
  readonly entries: readonly MeshEntry[]
}

export interface WorldOptions {
  readonly node?: FakeNode
  readonly env?: Record<string, string>
  readonly columns?: number
  readonly tty?: boolean
  readonly stdin?: string
  readonly zone?: string
  readonly nodes?: Partial<World['nodes']>
  readonly sleep?: (ms: number) => Promise<void>
  readonly now?: () => number
}

export function worldOf(options: WorldOptions = {}): {
  world: World
  ran: { out: string; err: string; addresses: Address[]; entries: MeshEntry[] }
} {
  const ran = { out: '', err: '', addresses: [] as Address[], entries: [] as MeshEntry[] }
  const tty = options.tty ?? options.columns !== undefined
  const output = (key: 'out' | 'err') => ({
    isTTY: tty,
    columns: options.columns ?? 80,
    write: (text: string) => {
      ran[key] += text
      return true
    },
  })
  const world: World = {
    stdout: output('out'),
    stderr: output('err'),
    stdin: (async function* () {
      yield options.stdin ?? ''
    })(),
    env: options.env ?? { CARILLON_URL: 'http://127.0.0.1:1', NO_COLOR: '1' },
    now: options.now ?? (() => NOW),
    zone: options.zone ?? 'UTC',
    sleep: options.sleep ?? (async () => undefined),
    nodes: {
      connect: async address => {
        ran.addresses.push(address)
        return options.node ?? new FakeNode()
      },
      join: async entry => {
        ran.entries.push(entry)
        return options.node ?? new FakeNode()
      },
      findApi: async () => undefined,
      isAlive: () => true,
      ...options.nodes,
    },
  }
  return { world, ran }
}

/** One command line, in this process. */
export async function carillon(argv: readonly string[], options: WorldOptions = {}): Promise<Ran> {
  const { world, ran } = worldOf(options)
  const code = await runProgram(argv, world)
  return { code, ...ran }
}

function definition(task: TaskView): string {
  return JSON.stringify([task.name, task.schedule, task.policy, task.payload])
}

function notFound(id: string): CarillonError {
  return new CarillonError('NOT_FOUND', `no task "${id}": it never was, or it ended and is no longer kept`)
}

const STATUS: Omit<StatusView, 'handlers'> = {
  store: 's-1',
  boot: 1,
  startedAt: NOW - 3_600_000,
  now: NOW,
  durable: true,
  durability: 'sync',
  takesWork: true,
  tasks: { inMemory: 3, armed: 2, dead: 1 },
  runs: { queued: 0, running: 1 },
  counters: { created: 9, completed: 5, failed: 1, retried: 2, missed: 0, commits: 20 },
  latenessMs: { p50: 1, p99: 4, max: 9 },
  wakeUps: 10,
  withoutWorker: [{ name: 'gone', waiting: 2 }],
  journalBytes: 100,
  freeBytes: 5_000_000_000,
  mesh: null,
}
