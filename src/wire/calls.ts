/**
 * The calls that a client makes of an engine, apart from schedule: one JSON object each, answered by one. They are
 * what node.cancel(), node.runs() and so on send; the HTTP API will speak the same objects.
 */

import { CorruptBytes } from '../lib/bytes.ts'
import type { RunView, StatusView, TaskView } from '../task/views.ts'
import type { WireError } from './frame.ts'
import type { MeshAnswers, MeshRequest } from './mesh-calls.ts'

/** A change that the caller's library made once, and repeats unchanged until it has an answer. */
export interface ChangeRequest {
  /** requestId: who asks (16 hex digits) and their own number for it. */
  readonly caller: string
  readonly n: number
  /** Epoch ms at the caller. */
  readonly madeAt: number
}

export interface TaskFilter {
  readonly state?: TaskView['state'] | undefined
  readonly name?: string | undefined
  readonly tag?: string | undefined
}

export type CallRequest =
  | (ChangeRequest & { readonly method: 'cancel' | 'pause' | 'resume' | 'trigger'; readonly id: string })
  /** Drives a failed run again: a task id (its latest failed run) or a run id. */
  | (ChangeRequest & { readonly method: 'retry'; readonly id: string })
  | { readonly method: 'task'; readonly id: string }
  | TasksRequest
  /** Runs of a task, newest first: open ones and those still kept. */
  | { readonly method: 'runs'; readonly id: string; readonly limit: number }
  /** Answered when the task (or run id) has ended; at once if it has. */
  | { readonly method: 'result'; readonly id: string }
  /** The same, answered at once: null if it has not ended. */
  | { readonly method: 'end'; readonly id: string }
  /** What run.log wrote, of the task's latest runs or of one run id. */
  | { readonly method: 'logs'; readonly id: string }
  | { readonly method: 'status' }
  /** Where the live members of the mesh can be dialled; none of a node that is alone. */
  | { readonly method: 'peers' }
  /** What its wall clock shows. */
  | { readonly method: 'clock' }
  /** A join token of this node for one other, good for ttlMs. */
  | { readonly method: 'token'; readonly ttlMs: number | undefined }
  | MeshRequest
  /** Gives a waiting `result` call up. */
  | { readonly method: 'forget'; readonly call: number }
  /** Stop taking and starting work, let running attempts end for graceMs, then abort them, sync, and close. */
  | { readonly method: 'close'; readonly graceMs: number }

/**
 * A page of tasks in the order of (range, id); `after` is the cursor of the page before. With `ranges` a node tells only of
 * those among them for which it acts, and which these are: so nodes ask each other.
 */
export interface TasksRequest {
  readonly method: 'tasks'
  readonly filter: TaskFilter
  readonly after: string | undefined
  readonly limit: number
  readonly ranges?: string | undefined
}

export interface CallAnswers extends MeshAnswers {
  cancel: {
    readonly id: string
    readonly cancelled: boolean
    readonly firm: boolean
    readonly copies: number
  }
  pause: { readonly id: string; readonly paused: boolean; readonly firm: boolean; readonly copies: number }
  resume: { readonly id: string; readonly resumed: boolean; readonly copies: number }
  trigger: { readonly id: string; readonly run: string; readonly copies: number }
  retry: { readonly id: string; readonly run: string; readonly copies: number }
  task: { readonly task: TaskView | null }
  /** `after` null: that was all. `ranges`: those that are told of, up to `after`, if ranges were asked for. */
  tasks: {
    readonly tasks: readonly TaskView[]
    readonly after: string | null
    readonly ranges?: string | undefined
  }
  runs: { readonly runs: readonly RunView[] }
  result: { readonly run: RunView }
  end: { readonly run: RunView | null }
  logs: { readonly logs: ReadonlyArray<{ readonly run: string; readonly at: number; readonly line: string }> }
  status: { readonly status: StatusView }
  /** Epoch ms. */
  clock: { readonly now: number }
  peers: { readonly addresses: readonly string[] }
  token: { readonly token: string }
  forget: Record<string, never>
  close: Record<string, never>
}

/** What the engine tells its clients unasked. */
export type EngineEvent =
  | { readonly type: 'run'; readonly run: RunView } // a run ended (sent only to clients whose hello asked for `events`)
  | { readonly type: 'retry'; readonly run: RunView; readonly nextAt: number } // an attempt failed and will be tried again
  | {
      readonly type: 'late-end'
      readonly run: string
      readonly attempt: number
      readonly ended: 'completed' | 'failed'
    }
  | { readonly type: 'no-worker'; readonly name: string; readonly waiting: number } // nobody announced this handler
  | {
      readonly type: 'missed'
      readonly task: string
      readonly count: number
      readonly from: number
      readonly to: number
    }
  | { readonly type: 'clock-jump'; readonly byMs: number }
  /** Another state of a node of the mesh, as this one sees it; `removed`: it left, or was forgotten. */
  | {
      readonly type: 'member'
      readonly node: string
      readonly store: string
      readonly state: 'live' | 'away' | 'gone' | 'removed'
      readonly addresses: readonly string[]
    }
  /** This node has left the mesh, and closes. */
  | { readonly type: 'drained' }
  /** Somebody did not let this node in, or this one somebody else. */
  | { readonly type: 'refused'; readonly code: string; readonly line: string }
  | { readonly type: 'store-full'; readonly full: boolean; readonly freeBytes: number }
  | {
      readonly type: 'started'
      readonly replayed: number
      readonly startMs: number
      readonly durable: boolean
    }
  | { readonly type: 'stopped'; readonly error: WireError | null } // the last message of an engine

/**
 * A request that came over a channel, whose fields are of the types that they should be. What an unknown method is, the
 * engine says. Throws CorruptBytes.
 */
export function checkedRequest(value: unknown): CallRequest {
  if (typeof value !== 'object' || value === null) throw new CorruptBytes('a call that is no object')
  const { method, ...fields } = value as Record<string, unknown>
  if (typeof method !== 'string') throw new CorruptBytes('a call without a method')
  const shape = SHAPES[method as CallRequest['method']] ?? {}
  for (const [field, is] of Object.entries(shape))
    if (!is(fields[field])) throw new CorruptBytes(`a call ${method} whose ${field} can not be used`)
  return value as CallRequest
}

type Check = (value: unknown) => boolean
const isText: Check = value => typeof value === 'string'
const isNumber: Check = value => typeof value === 'number' && Number.isFinite(value)
const isCount: Check = value => Number.isSafeInteger(value) && (value as number) >= 0
const ID = { id: isText }
const CHANGE = {
  ...ID,
  caller: (value: unknown) => /^[0-9a-f]{16}$/.test(String(value)),
  n: isCount,
  madeAt: isNumber,
}
const SHAPES: Readonly<Partial<Record<CallRequest['method'], Readonly<Record<string, Check>>>>> = {
  cancel: CHANGE,
  pause: CHANGE,
  resume: CHANGE,
  trigger: CHANGE,
  retry: CHANGE,
  task: ID,
  runs: { ...ID, limit: isNumber },
  result: ID,
  end: ID,
  logs: ID,
  forget: { call: isCount },
  token: { ttlMs: value => value === undefined || isNumber(value) },
  'forget-stores': { who: isText },
  ring: { id: value => value === undefined || isText(value) },
  close: { graceMs: isNumber },
  tasks: {
    filter: value => typeof value === 'object' && value !== null,
    after: value => value === undefined || isText(value),
    limit: isNumber,
    ranges: value => value === undefined || isRanges(value),
  },
}

/** Ranges as they cross: a bit for each, in base64. */
export function rangesText(ranges: Iterable<number>): string {
  const bits: number[] = []
  for (const range of ranges) bits[range >> 3] = (bits[range >> 3] ?? 0) | (1 << (range & 7))
  return Buffer.from(Array.from(bits, bit => bit ?? 0)).toString('base64')
}

function isRanges(text: unknown): text is string {
  return typeof text === 'string' && text.length <= RANGES_TEXT_MAX && /^[A-Za-z0-9+/]*={0,2}$/.test(text)
}

/** Throws CorruptBytes. */
export function rangesFrom(text: unknown): Set<number> {
  if (!isRanges(text)) throw new CorruptBytes('ranges that can not be read')
  const ranges = new Set<number>()
  for (const [i, bits] of Buffer.from(text, 'base64').entries())
    for (let bit = 0; bit < 8; bit++) if ((bits & (1 << bit)) !== 0) ranges.add(i * 8 + bit)
  return ranges
}

/** Of 65,536 ranges. */
const RANGES_TEXT_MAX = 10_924
