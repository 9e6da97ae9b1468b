/**
 * The node that a command talks to, over its HTTP API or through the mesh: what the commands need of it, and nothing more,
 * so that their tests put another in its place. Either client is loaded only by who calls a node.
 */

import { isCarillonError } from '../errors.ts'
import type { OccurrenceSpec } from '../task/recurrence.ts'
import type { TaskState } from '../task/task.ts'
import type { DrainView, RingView, RunView, StatusView, TaskView } from '../task/views.ts'
import type { ForgottenStore } from '../wire/mesh-calls.ts'

export interface TaskAnswer {
  readonly id: string
  readonly name: string
  readonly status: 'created' | 'replaced' | 'exists'
  readonly copies: number
}

export interface Refusal {
  readonly error: { readonly code: string; readonly message: string; readonly field?: string | undefined }
}

export type ScheduleAnswer = TaskAnswer | Refusal

export interface RemoteNode {
  schedule(tasks: readonly object[]): Promise<readonly ScheduleAnswer[]>
  task(id: string): Promise<TaskView | null>
  tasks(filter: {
    readonly state?: TaskState | undefined
    readonly name?: string | undefined
    readonly tag?: string | undefined
  }): AsyncIterable<TaskView>
  runs(id: string, options: { readonly limit: number }): Promise<readonly RunView[]>
  logs(
    id: string,
  ): Promise<ReadonlyArray<{ readonly run: string; readonly at: number; readonly line: string }>>
  cancel(id: string): Promise<boolean>
  pause(id: string): Promise<unknown>
  resume(id: string): Promise<boolean>
  trigger(id: string): Promise<string>
  retry(id: string): Promise<string>
  /** Undefined: not ended within `waitMs`. */
  result(id: string, options: { readonly waitMs: number }): Promise<RunView | undefined>
  preview(spec: OccurrenceSpec, count: number): Promise<readonly number[]>
  status(): Promise<StatusView>
  token(options: { readonly ttl: string | undefined }): Promise<string>
  forget(who: string): Promise<readonly ForgottenStore[]>
  drain(): Promise<DrainView>
  ring(id: string | undefined): Promise<RingView>
  /** Of what holds connections. */
  close?(): Promise<void>
}

/**
 * What became of each task. A node refuses a whole list for one task that is not allowed: then they are sent one by
 * one, so that the others are scheduled and each refusal has its task.
 */
export async function scheduleAll(
  node: Pick<RemoteNode, 'schedule'>,
  tasks: readonly object[],
): Promise<readonly ScheduleAnswer[]> {
  try {
    return await node.schedule(tasks)
  } catch (error) {
    if (!isCarillonError(error, 'INVALID')) throw error
    if (tasks.length === 1) return [{ error: { code: error.code, message: withoutIndex(error.message) } }]
  }
  const answers: ScheduleAnswer[] = []
  for (const task of tasks) answers.push(...(await scheduleAll(node, [task])))
  return answers
}

/** '[0].every is ...' of a list of one. */
function withoutIndex(message: string): string {
  return message.replace(/^\[0\]\.?/, '')
}

export interface Address {
  readonly url: string
  readonly token?: string | undefined
  readonly timeoutMs: number
}

/** How to come into a mesh. */
export interface MeshEntry {
  readonly join: readonly string[]
  readonly mesh: { readonly name?: string; readonly secret?: string }
}

/** The ways to a node. */
export interface Nodes {
  connect(address: Address): Promise<RemoteNode>
  /** As a client of the mesh, which is to be closed. */
  join(entry: MeshEntry): Promise<RemoteNode>
  /** What a running node wrote into its data directory; undefined if it opened no HTTP API. */
  findApi(dataDir: string): Promise<{ url: string; pid: number; token: string } | undefined>
  /** Whether a process of this machine lives. */
  isAlive(pid: number): boolean
}
