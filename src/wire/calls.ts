/**
 * The calls that a client makes of an engine, apart from schedule: one JSON object each, answered by one. They are
 * what node.cancel(), node.runs() and so on send; the HTTP API will speak the same objects.
 */

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
  /** A page of tasks in the store's order; `after` is the cursor of the page before. */
  | {
      readonly method: 'tasks'
      readonly filter: TaskFilter
      readonly after: string | undefined
      readonly limit: number
    }
  /** Runs of a task, newest first: open ones and those still kept. */
  | { readonly method: 'runs'; readonly id: string; readonly limit: number }
  /** Answered when the task (or run id) has ended; at once if it has. */
  | { readonly method: 'result'; readonly id: string }
  /** The same, answered at once: null if it has not ended. */
  | { readonly method: 'end'; readonly id: string }
  /** What run.log wrote, of the task's latest runs or of one run id. */
  | { readonly method: 'logs'; readonly id: string }
  | { readonly method: 'status' }
  /** A join token of this node for one other, good for ttlMs. */
  | { readonly method: 'token'; readonly ttlMs: number | undefined }
  | MeshRequest
  /** Gives a waiting `result` call up. */
  | { readonly method: 'forget'; readonly call: number }
  /** Stop taking and starting work, let running attempts end for graceMs, then abort them, sync, and close. */
  | { readonly method: 'close'; readonly graceMs: number }

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
  tasks: { readonly tasks: readonly TaskView[]; readonly after: string | null }
  runs: { readonly runs: readonly RunView[] }
  result: { readonly run: RunView }
  end: { readonly run: RunView | null }
  logs: { readonly logs: ReadonlyArray<{ readonly run: string; readonly at: number; readonly line: string }> }
  status: { readonly status: StatusView }
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
