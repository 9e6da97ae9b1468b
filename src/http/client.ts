/** A client of the HTTP API, as the command line uses it: every call one request, every refusal a CarillonError. */

import { CarillonError, type ErrorCode } from '../errors.ts'
import type { OccurrenceSpec } from '../task/recurrence.ts'
import { invalid } from '../task/schema.ts'
import type { TaskState } from '../task/task.ts'
import type { DrainView, RingView, RunView, StatusView, TaskView } from '../task/views.ts'
import type { ForgottenStore } from '../wire/mesh-calls.ts'
import { type Scheduled, TASKS_MAX, WAIT_MS_MAX } from './schema.ts'

export interface HttpClientOptions {
  readonly url: string
  readonly token?: string | undefined
  /** How long one request may take, ms, beside the time that it is asked to wait. */
  readonly timeoutMs: number
}

interface Call {
  readonly signal?: AbortSignal | undefined
}

export interface Refusal {
  readonly error: { readonly code: string; readonly message: string; readonly field?: string | undefined }
}

interface Request extends Call {
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: string
  readonly waitMs?: number
}

/** One request's share of a large bulk; its body is far below what a server takes. */
const CHUNK_BYTES = 2 * 1024 * 1024
const PAGE = 500
const TOKEN_PATTERN = /^[\x21-\x7e]+$/

export class HttpClient {
  readonly #options: HttpClientOptions

  /** Throws INVALID for a token that can't be sent. */
  constructor(options: HttpClientOptions) {
    if (options.token !== undefined && !TOKEN_PATTERN.test(options.token)) {
      // fetch() would say so, too, and show it.
      throw new CarillonError(
        'INVALID',
        'the token is none (it is not shown): allowed are printable ASCII characters without a blank or a line break between them',
        { field: 'token' },
      )
    }
    this.#options = { ...options, url: options.url.replace(/\/+$/, '') }
  }

  /** What became of each, in order. Rejects with INVALID if one of them is not allowed; those of chunks before are scheduled. */
  async schedule(tasks: readonly object[], call: Call = {}): Promise<ReadonlyArray<Scheduled | Refusal>> {
    const answers: Array<Scheduled | Refusal> = []
    for (const { from, bodies } of chunksOf(tasks)) {
      try {
        const body = `[${bodies.join(',')}]`
        const answer = await this.#request<{ tasks: Array<Scheduled | Refusal> }>('POST', '/v1/tasks', {
          ...call,
          body,
        })
        answers.push(...answer.tasks)
      } catch (error) {
        throw from === 0 ? error : movedBy(error, from)
      }
    }
    return answers
  }

  async task(id: string, call: Call = {}): Promise<TaskView | null> {
    try {
      return await this.#request<TaskView>('GET', pathOf(id), call)
    } catch (error) {
      if (error instanceof CarillonError && error.code === 'NOT_FOUND') return null
      throw error
    }
  }

  async *tasks(
    filter: {
      readonly state?: TaskState | undefined
      readonly name?: string | undefined
      readonly tag?: string | undefined
    } = {},
    call: Call = {},
  ): AsyncGenerator<TaskView> {
    let after: string | undefined
    do {
      const page: { tasks: TaskView[]; after: string | null } = await this.#request('GET', '/v1/tasks', {
        ...call,
        query: { ...filter, after, limit: PAGE },
      })
      yield* page.tasks
      after = page.after ?? undefined
    } while (after !== undefined)
  }

  async runs(id: string, { limit, ...call }: Call & { readonly limit?: number } = {}): Promise<RunView[]> {
    return (
      await this.#request<{ runs: RunView[] }>('GET', `${pathOf(id)}/runs`, { ...call, query: { limit } })
    ).runs
  }

  async logs(id: string, call: Call = {}): Promise<Array<{ run: string; at: number; line: string }>> {
    const path = `${pathOf(id)}/logs`
    return (
      await this.#request<{ logs: Array<{ run: string; at: number; line: string }> }>('GET', path, call)
    ).logs
  }

  async cancel(id: string, call: Call = {}): Promise<boolean> {
    return (await this.#request<{ cancelled: boolean }>('DELETE', pathOf(id), call)).cancelled
  }

  async pause(id: string, call: Call = {}): Promise<void> {
    await this.#request('POST', `${pathOf(id)}/pause`, call)
  }

  async resume(id: string, call: Call = {}): Promise<boolean> {
    return (await this.#request<{ resumed: boolean }>('POST', `${pathOf(id)}/resume`, call)).resumed
  }

  async trigger(id: string, call: Call = {}): Promise<string> {
    return (await this.#request<{ run: string }>('POST', `${pathOf(id)}/trigger`, call)).run
  }

  async retry(id: string, call: Call = {}): Promise<string> {
    return (await this.#request<{ run: string }>('POST', `${pathOf(id)}/retry`, call)).run
  }

  /** The end of the task or run; undefined if it has none within `waitMs` (at most a minute). */
  async result(
    id: string,
    { waitMs = 0, ...call }: Call & { readonly waitMs?: number } = {},
  ): Promise<RunView | undefined> {
    const wait = Math.min(Math.max(0, Math.floor(waitMs)), WAIT_MS_MAX)
    const path = `${pathOf(id)}/result`
    const answer = await this.#request<{ run: RunView | null }>('GET', path, {
      ...call,
      query: { wait: `${wait}ms` },
      waitMs: wait,
    })
    return answer.run ?? undefined
  }

  async preview(spec: OccurrenceSpec, count = 5, call: Call = {}): Promise<readonly number[]> {
    const body = JSON.stringify({ ...spec, count })
    return (await this.#request<{ instants: number[] }>('POST', '/v1/preview', { ...call, body })).instants
  }

  status(call: Call = {}): Promise<StatusView> {
    return this.#request<StatusView>('GET', '/v1/status', call)
  }

  async token({ ttl, ...call }: Call & { readonly ttl?: string | undefined } = {}): Promise<string> {
    const answer = await this.#request<{ token: string }>('POST', '/v1/token', { ...call, query: { ttl } })
    return answer.token
  }

  ring(id?: string, call: Call = {}): Promise<RingView> {
    return this.#request<RingView>('GET', '/v1/ring', { ...call, query: { id } })
  }

  async forget(who: string, call: Call = {}): Promise<readonly ForgottenStore[]> {
    const answer = await this.#request<{ forgotten: readonly ForgottenStore[] }>('POST', '/v1/forget', {
      ...call,
      query: { who },
    })
    return answer.forgotten
  }

  drain(call: Call = {}): Promise<DrainView> {
    return this.#request<DrainView>('POST', '/v1/drain', call)
  }

  async #request<T>(method: string, path: string, request: Request = {}): Promise<T> {
    const { url, token, timeoutMs } = this.#options
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(request.query ?? {}))
      if (value !== undefined) query.set(name, String(value))
    const address = `${url}${path}${query.size > 0 ? `?${query}` : ''}`
    const timeout = AbortSignal.timeout(timeoutMs + (request.waitMs ?? 0))
    const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout])
    let status: number
    let text: string
    try {
      const response = await fetch(address, {
        method,
        signal,
        // A redirect would take the token to somebody else.
        redirect: 'error',
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(request.body === undefined ? {} : { body: request.body }),
      })
      status = response.status
      text = await response.text()
    } catch (error) {
      if (request.signal?.aborted === true) {
        throw new CarillonError('ABORTED', 'the call was aborted by its signal; it may have happened', {
          cause: request.signal.reason,
        })
      }
      throw new CarillonError('UNREACHABLE', `no answer from ${url}: ${reasonOf(error, timeoutMs)}`, {
        cause: error,
      })
    }
    return this.#answer<T>(status, text)
  }

  #answer<T>(status: number, text: string): T {
    let body: { error?: { code?: unknown; message?: unknown; field?: string } } | null
    try {
      body = JSON.parse(text)
    } catch {
      body = null
    }
    if (status === 200 || status === 202) {
      if (typeof body === 'object' && body !== null) return body as T
    }
    const { code, message, field } = body?.error ?? {}
    if (typeof code === 'string' && typeof message === 'string')
      throw new CarillonError(code as ErrorCode, message, { field })
    throw new CarillonError(
      'UNREACHABLE',
      `what answers at ${this.#options.url} is no node of Carillon (HTTP ${status}): is this the right address?`,
    )
  }
}

function pathOf(id: string): string {
  // In a URL they mean the place itself, and the one above, however they are written.
  if (id === '.' || id === '..') throw invalid('id', id, 'the id of a task, or of a run')
  return `/v1/tasks/${encodeURIComponent(id)}`
}

function* chunksOf(tasks: readonly object[]): Generator<{ from: number; bodies: string[] }> {
  let from = 0
  let bodies: string[] = []
  let bytes = 0
  for (const task of tasks) {
    const body = jsonOf(task)
    const length = Buffer.byteLength(body) + 1
    if (bodies.length === TASKS_MAX || (bodies.length > 0 && bytes + length > CHUNK_BYTES)) {
      yield { from, bodies }
      from += bodies.length
      bodies = []
      bytes = 0
    }
    bodies.push(body)
    bytes += length
  }
  if (bodies.length > 0) yield { from, bodies }
}

function jsonOf(task: object): string {
  try {
    return JSON.stringify(task)
  } catch (error) {
    throw new CarillonError('INVALID', `a task can't be written as JSON: ${(error as Error).message}`, {
      field: 'payload',
      cause: error,
    })
  }
}

/** A refusal names the task by its place in its chunk: make that its place in the whole. */
function movedBy(error: unknown, from: number): unknown {
  if (!(error instanceof CarillonError) || error.field === undefined) return error
  const moved = (text: string): string => text.replace(/^\[(\d+)\]/, (_, i) => `[${Number(i) + from}]`)
  return new CarillonError(error.code, moved(error.message), {
    field: moved(error.field),
    cause: error.cause,
  })
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; does the node run?',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  ENOTFOUND: 'no host of that name is known',
  EAI_AGAIN: 'the name of the host could not be looked up',
  EHOSTUNREACH: 'the host is not reached',
  ENETUNREACH: 'the network is not reached',
  ERR_INVALID_URL: 'that is no address',
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `none within ${timeoutMs} ms`
  let cause: unknown = error
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause
  const { code = '', message = '' } = cause as { code?: string; message?: string }
  if (/redirect/.test(message)) return 'it redirects elsewhere, where the token is not sent'
  if (/^HPE_/.test(code) || /does not match the HTTP/.test(message)) return 'what answers does not speak HTTP'
  return REASONS[code] ?? (message === '' ? String(error) : message)
}
