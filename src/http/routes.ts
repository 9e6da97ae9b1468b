/**
 * The routes of /v1, each declared once: what it takes, what it gives, and what it does. The server is made of this
 * list, and so will be the OpenAPI file.
 */

import { CarillonError } from '../errors.ts'
import type { Schema } from '../lib/json-schema.ts'
import { parseDuration } from '../task/duration.ts'
import type { TaskOptions } from '../task/options.ts'
import type { OccurrenceSpec } from '../task/recurrence.ts'
import { checkerOf, invalid } from '../task/schema.ts'
import { instantOf } from '../task/validate.ts'
import type { DrainView, RingView, RunView, StatusView, TaskView } from '../task/views.ts'
import type { TaskFilter } from '../wire/calls.ts'
import * as schema from './schema.ts'

/** The calls of a node that the API makes. */
export interface NodeCalls {
  /** What became of each. Rejects with INVALID, and then none was sent. */
  scheduleEach(
    tasks: readonly TaskOptions[],
    options?: Call,
  ): Promise<ReadonlyArray<schema.Scheduled | CarillonError>>
  task(id: string, options?: Call): Promise<TaskView | null>
  page(
    filter: TaskFilter,
    page: { readonly after: string | undefined; readonly limit: number },
    options?: Call,
  ): Promise<{ readonly tasks: readonly TaskView[]; readonly after: string | null }>
  runs(id: string, options: Call & { readonly limit: number }): Promise<readonly RunView[]>
  logs(id: string, options?: Call): Promise<readonly object[]>
  /** The end of a task or run: with `wait` when it has come, else at once, null if it has not. */
  end(id: string, options: Call & { readonly wait: boolean }): Promise<RunView | null>
  cancel(id: string, options?: Call): Promise<boolean>
  pause(id: string, options?: Call): Promise<void>
  resume(id: string, options?: Call): Promise<boolean>
  trigger(id: string, options?: Call): Promise<string>
  retry(id: string, options?: Call): Promise<string>
  preview(spec: OccurrenceSpec, count?: number): readonly number[]
  status(options?: Call): Promise<StatusView>
  token(options?: Call & { readonly ttl?: string | undefined }): Promise<string>
  forget(nodeOrStore: string, options?: Call): Promise<readonly object[]>
  drain(options?: Call): Promise<DrainView>
  ring(id?: string, options?: Call): Promise<RingView>
}

interface Call {
  readonly signal?: AbortSignal | undefined
}

export interface RouteRequest {
  readonly id: string
  /** Checked against the route's schema. */
  readonly query: Readonly<Record<string, unknown>>
  readonly body: unknown
  /** Aborted when the client has gone, or the server closes. */
  readonly signal: AbortSignal
}

export interface RouteAnswer {
  readonly status: 200 | 202
  readonly body: object
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** `{id}`: a task id, or where it makes sense a run id; percent-encoded. */
  readonly path: string
  readonly summary: string
  readonly query: Schema
  readonly body?: Schema
  /** By status; errors are the same everywhere. */
  readonly answers: Readonly<Partial<Record<RouteAnswer['status'], Schema>>>
  handle(node: NodeCalls, request: RouteRequest): Promise<RouteAnswer>
}

const ok = (body: object): RouteAnswer => ({ status: 200, body })
const checkPreview = checkerOf(schema.PREVIEW_BODY)

export const ROUTES: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/tasks',
    summary: 'schedule a task, or many at once',
    query: schema.NO_QUERY,
    body: schema.TASKS_BODY,
    answers: { 200: schema.SCHEDULED_ALL },
    async handle(node, { body, signal }) {
      if (!Array.isArray(body)) {
        const [answer] = await node.scheduleEach([body as TaskOptions], { signal })
        if (answer instanceof Error) throw answer
        return ok(answer as object)
      }
      if (body.length === 0 || body.length > schema.TASKS_MAX)
        throw invalid('the body', `an array of ${body.length}`, `1 to ${schema.TASKS_MAX} tasks`)
      const answers = await node.scheduleEach(body as TaskOptions[], { signal })
      return ok({ tasks: answers.map(each => (each instanceof CarillonError ? errorBody(each) : each)) })
    },
  },
  {
    method: 'GET',
    path: '/v1/tasks',
    summary: 'tasks that fit, a page at a time',
    query: schema.TASKS_QUERY,
    answers: { 200: schema.TASKS },
    async handle(node, { query, signal }) {
      const { limit = 100, after, ...filter } = query as { limit?: number; after?: string } & TaskFilter
      return ok(await node.page(filter, { after, limit }, { signal }))
    },
  },
  {
    method: 'GET',
    path: '/v1/tasks/{id}',
    summary: 'a task',
    query: schema.NO_QUERY,
    answers: { 200: schema.TASK_VIEW },
    async handle(node, { id, signal }) {
      const task = await node.task(id, { signal })
      if (task === null) {
        throw new CarillonError(
          'NOT_FOUND',
          `no task "${id}": it never was, or it ended (its runs may still be kept)`,
        )
      }
      return ok(task)
    },
  },
  {
    method: 'DELETE',
    path: '/v1/tasks/{id}',
    summary: 'cancel a task, or one run by its run id',
    query: schema.NO_QUERY,
    answers: { 200: schema.CANCELLED },
    handle: async (node, { id, signal }) => ok({ id, cancelled: await node.cancel(id, { signal }) }),
  },
  {
    method: 'POST',
    path: '/v1/tasks/{id}/pause',
    summary: 'hold a task',
    query: schema.NO_QUERY,
    answers: { 200: schema.PAUSED },
    async handle(node, { id, signal }) {
      await node.pause(id, { signal })
      return ok({ id, paused: true })
    },
  },
  {
    method: 'POST',
    path: '/v1/tasks/{id}/resume',
    summary: 'let a held task go on; false: it was not held',
    query: schema.NO_QUERY,
    answers: { 200: schema.RESUMED },
    handle: async (node, { id, signal }) => ok({ id, resumed: await node.resume(id, { signal }) }),
  },
  {
    method: 'POST',
    path: '/v1/tasks/{id}/trigger',
    summary: 'run a task now, beside its schedule',
    query: schema.NO_QUERY,
    answers: { 200: schema.STARTED_RUN },
    handle: async (node, { id, signal }) => ok({ id, run: await node.trigger(id, { signal }) }),
  },
  {
    method: 'POST',
    path: '/v1/tasks/{id}/retry',
    summary: 'drive a failed run again, by task id (the latest) or run id',
    query: schema.NO_QUERY,
    answers: { 200: schema.STARTED_RUN },
    handle: async (node, { id, signal }) => ok({ id, run: await node.retry(id, { signal }) }),
  },
  {
    method: 'GET',
    path: '/v1/tasks/{id}/runs',
    summary: 'runs of a task, newest first',
    query: schema.RUNS_QUERY,
    answers: { 200: schema.RUNS },
    async handle(node, { id, query, signal }) {
      const { limit = 100 } = query as { limit?: number }
      return ok({ runs: await node.runs(id, { limit, signal }) })
    },
  },
  {
    method: 'GET',
    path: '/v1/tasks/{id}/logs',
    summary: 'what handlers logged, of the latest runs of a task or of one run',
    query: schema.NO_QUERY,
    answers: { 200: schema.LOGS },
    handle: async (node, { id, signal }) => ok({ logs: await node.logs(id, { signal }) }),
  },
  {
    method: 'GET',
    path: '/v1/tasks/{id}/result',
    summary:
      'the end of a task (of a recurring one: of its next run) or of a run, waiting for it up to `wait`',
    query: schema.RESULT_QUERY,
    answers: { 200: schema.RESULT, 202: schema.RESULT },
    async handle(node, { id, query, signal }) {
      const waitMs = waitOf((query as { wait?: string }).wait)
      const run = await endWithin(node, id, waitMs, signal)
      return run === null ? { status: 202, body: { run: null } } : ok({ run })
    },
  },
  {
    method: 'POST',
    path: '/v1/preview',
    summary: 'when a schedule fires; nothing is scheduled',
    query: schema.NO_QUERY,
    body: schema.PREVIEW_BODY,
    answers: { 200: schema.INSTANTS },
    async handle(node, { body }) {
      checkPreview(body)
      const { count = 5, ...rest } = body as { count?: number; [field: string]: unknown }
      if (rest.cron === undefined && rest.every === undefined)
        throw invalid('the body', Object.keys(rest), 'a schedule: cron, or every')
      const spec: Record<string, unknown> = { ...rest }
      for (const field of ['start', 'end', 'anchor'] as const) {
        const value = rest[field] as string | number | undefined
        if (value !== undefined) spec[field] = instantOf(value, rest.tz as string | undefined, field)
      }
      return ok({ instants: node.preview(spec as unknown as OccurrenceSpec, count) })
    },
  },
  {
    method: 'GET',
    path: '/v1/status',
    summary: 'how the node is',
    query: schema.NO_QUERY,
    answers: { 200: schema.STATUS },
    handle: async (node, { signal }) => ok(await node.status({ signal })),
  },
  {
    method: 'POST',
    path: '/v1/token',
    summary: 'a token with which one other node joins the mesh',
    query: schema.TOKEN_QUERY,
    answers: { 200: schema.TOKEN },
    async handle(node, { query, signal }) {
      return ok({ token: await node.token({ ttl: query.ttl as string | undefined, signal }) })
    },
  },
  {
    method: 'GET',
    path: '/v1/ring',
    summary: 'who acts for the ranges of the mesh, and keeps them',
    query: schema.RING_QUERY,
    answers: { 200: schema.RING },
    handle: async (node, { query, signal }) =>
      ok(await node.ring(query.id as string | undefined, { signal })),
  },
  {
    method: 'POST',
    path: '/v1/forget',
    summary: 'remove stores that are not live from the mesh, for ever',
    query: schema.FORGET_QUERY,
    answers: { 200: schema.FORGOTTEN },
    async handle(node, { query, signal }) {
      return ok({ forgotten: await node.forget(query.who as string, { signal }) })
    },
  },
  {
    method: 'POST',
    path: '/v1/drain',
    summary: 'begin to leave the mesh, or tell how far that is',
    query: schema.NO_QUERY,
    answers: { 200: schema.DRAIN },
    handle: async (node, { signal }) => ok(await node.drain({ signal })),
  },
]

/** An error as it crosses; nothing of its cause, which is not for others. */
export function errorBody({ code, message, field }: CarillonError): {
  error: { code: string; message: string; field?: string }
} {
  return { error: { code, message, ...(field === undefined ? {} : { field }) } }
}

function waitOf(text: string | undefined): number {
  if (text === undefined) return 0
  const ms = parseDuration(/^\d+$/.test(text) ? Number(text) : text, 'wait')
  if (ms > schema.WAIT_MS_MAX) throw invalid('wait', text, `a duration up to ${schema.WAIT_MS_MAX / 1000} s`)
  return ms
}

/** The end of a task or run, if it comes within `waitMs`; null: it has not. */
export async function endWithin(
  node: Pick<NodeCalls, 'end'>,
  id: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<RunView | null> {
  if (waitMs === 0) return node.end(id, { wait: false, signal })
  const over = AbortSignal.timeout(waitMs)
  try {
    return await node.end(id, { wait: true, signal: AbortSignal.any([signal, over]) })
  } catch (error) {
    if (error instanceof CarillonError && error.code === 'ABORTED' && over.aborted && !signal.aborted)
      return null
    throw error
  }
}
