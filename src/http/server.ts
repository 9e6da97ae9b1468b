/**
 * The HTTP API of one node: a server over the list of routes. It runs in the user's thread, and answers when that is
 * not blocked. Whatever comes in, the answer is JSON; a request costs memory only up to the limits below, and none
 * before its token is right.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import { type AddressInfo, isIPv6 } from 'node:net'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { CarillonError, type ErrorCode, isCarillonError } from '../errors.ts'
import { checkerOf, invalid, shown } from '../task/schema.ts'
import { errorBody, type NodeCalls, ROUTES, type Route, type RouteRequest } from './routes.ts'

export interface HttpOptions {
  readonly host: string
  readonly port: number
  readonly token: string
}

export interface HttpServer {
  readonly url: string
  /** Takes no more requests, lets those at hand end, and closes. Safe to call twice. */
  close(): Promise<void>
}

/** Bytes of one body. More: larger bulks, and more memory for each of the connections. */
const BODY_BYTES_MAX = 8 * 1024 * 1024
/** Connections at once; further ones are dropped. */
const CONNECTIONS_MAX = 1000
/** A client that has not sent its headers by then, or its whole request, is cut off, ms. */
const HEADERS_MS_MAX = 10_000
const REQUEST_MS_MAX = 60_000
/** How often those times are looked at, ms. */
const CHECK_MS = 5000
/** An idle connection stays this long, ms. */
const KEEP_ALIVE_MS = 5000
/** What is still under way that long after close(), is cut off, ms. */
const CLOSE_MS = 2000

const STATUS_OF: Readonly<Partial<Record<ErrorCode, number>>> = {
  INVALID: 400,
  UNAUTHORIZED: 401,
  NOT_FOUND: 404,
  NO_RESULT: 404,
  CONFLICT: 409,
  TOO_OLD: 409,
  TOO_MANY: 429,
  UNSUPPORTED: 501,
  CLOSED: 503,
  NOT_OWNER: 503,
  NOT_DURABLE: 503,
  ENGINE_STOPPED: 503,
  ABORTED: 503,
  STORE_FULL: 507,
}

type App = Hono<{ Bindings: HttpBindings }>
type AppContext = Context<{ Bindings: HttpBindings }>

/** Starts the server. Rejects with LISTEN_FAILED. */
export async function startHttp(node: NodeCalls, options: HttpOptions): Promise<HttpServer> {
  const closing = new AbortController()
  const app = appOf(node, options.token, closing.signal)
  const server = createAdaptorServer({
    fetch: app.fetch,
    // The globals of this process are its user's.
    overrideGlobalObjects: false,
    serverOptions: {
      headersTimeout: HEADERS_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      connectionsCheckingInterval: CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
  }) as Server
  server.maxConnections = CONNECTIONS_MAX
  await listen(server, options)
  let closed: Promise<void> | undefined
  return {
    url: urlOf(server, options.host),
    close() {
      closed ??= closeServer(server, closing)
      return closed
    },
  }
}

function appOf(node: NodeCalls, token: string, closing: AbortSignal): App {
  const app: App = new Hono()
  const wanted = digest(token)
  app.use(async (context, next) => {
    await next()
    // No connection is kept for a request that would be refused.
    if (closing.aborted) context.header('connection', 'close')
  })
  app.use('/v1/*', async (context, next) => {
    const given = /^Bearer +(\S+) *$/i.exec(context.req.header('authorization') ?? '')?.[1]
    if (given === undefined || !timingSafeEqual(digest(given), wanted)) {
      const what = given === undefined ? 'there is no token' : 'the token is not the right one'
      context.header('www-authenticate', 'Bearer')
      return answerError(
        context,
        new CarillonError(
          'UNAUTHORIZED',
          `${what}: send "Authorization: Bearer TOKEN"; it is in the file TOKEN of the data directory, unless the node was given another`,
        ),
      )
    }
    if (closing.aborted) {
      context.header('connection', 'close')
      return answerError(
        context,
        new CarillonError('CLOSED', 'the node is closing: it takes no more requests'),
      )
    }
    await next()
    return undefined
  })
  for (const route of ROUTES) {
    app.on(route.method, pathOf(route), context => handle(node, route, context, closing))
  }
  app.notFound(context => notFound(context))
  app.onError((error, context) => answerError(context, error))
  return app
}

async function handle(
  node: NodeCalls,
  route: Route,
  context: AppContext,
  closing: AbortSignal,
): Promise<Response> {
  const request: RouteRequest = {
    id: context.req.param('id') ?? '',
    query: queryOf(route, context),
    body: route.body === undefined ? undefined : await jsonOf(context),
    signal: AbortSignal.any([context.req.raw.signal, closing]),
  }
  const { status, body } = await route.handle(node, request)
  return json(context, body, status)
}

/** Ends with a new line, for those who read it in a terminal. */
function json(context: AppContext, body: object, status: number): Response {
  context.header('content-type', 'application/json')
  return context.body(`${JSON.stringify(body)}\n`, status as 200)
}

const checkers = new Map(ROUTES.map(route => [route, checkerOf(route.query)]))

/** The query, checked; what a schema wants as a number is one. */
function queryOf(route: Route, context: AppContext): Record<string, unknown> {
  const { properties } = route.query as unknown as { properties: Record<string, { type?: string }> }
  const query: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const [name, values] of Object.entries(context.req.queries())) {
    const [value] = values
    if (values.length > 1) throw invalid(name, values, 'given once')
    const isNumber = Object.hasOwn(properties, name) && properties[name]?.type === 'integer'
    query[name] = isNumber && /^-?\d{1,15}$/.test(value as string) ? Number(value) : value
  }
  const plain = { ...query }
  checkers.get(route)?.(plain)
  return plain
}

async function jsonOf(context: AppContext): Promise<unknown> {
  const type = context.req.header('content-type')
  if (!/^application\/json *(?:;|$)/i.test(type ?? '')) {
    throw new HttpError(
      415,
      `the content type is ${type === undefined ? 'not given' : shown(type)}: allowed is application/json`,
    )
  }
  const text = await textOf(context.env.incoming)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CarillonError('INVALID', `the body is not JSON: ${(error as Error).message}`, {
      field: 'the body',
      cause: error,
    })
  }
}

/** The body, read no further than is allowed, whatever length it says. */
async function textOf(incoming: IncomingMessage): Promise<string> {
  const tooLong = new HttpError(413, `the body is longer than ${BODY_BYTES_MAX} bytes: send less at once`)
  if (Number(incoming.headers['content-length'] ?? 0) > BODY_BYTES_MAX) throw tooLong
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > BODY_BYTES_MAX) throw tooLong
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** An error that is HTTP's own. */
class HttpError extends CarillonError {
  readonly status: number

  constructor(status: number, message: string) {
    super('INVALID', message)
    this.status = status
  }
}

function notFound(context: AppContext): Response {
  const { path, method } = context.req
  const others = ROUTES.filter(route => patternOf(route).test(path)).map(route => route.method)
  if (others.length === 0) {
    return answerError(
      context,
      new CarillonError('NOT_FOUND', `there is no ${method} ${path.slice(0, 200)} in this API`),
    )
  }
  context.header('allow', others.join(', '))
  return answerError(
    context,
    new HttpError(405, `${method} is not allowed for ${path.slice(0, 200)}: allowed is ${others.join(', ')}`),
  )
}

function answerError(context: AppContext, error: unknown): Response {
  if (error instanceof HttpError) return json(context, errorBody(error), error.status)
  if (isCarillonError(error)) return json(context, errorBody(error), STATUS_OF[error.code] ?? 500)
  const why = error instanceof Error ? error.message : String(error)
  return json(context, { error: { code: 'INTERNAL', message: `a fault of the node itself: ${why}` } }, 500)
}

function pathOf(route: Route): string {
  return route.path.replace('{id}', ':id')
}

function patternOf(route: Route): RegExp {
  return new RegExp(`^${route.path.replace('{id}', '[^/]+')}$`)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there: stop it, or choose another port (0 takes any that is free)',
  EACCES: 'no permission: choose a port of 1024 or more',
  EADDRNOTAVAIL: 'it is no address of this machine: 127.0.0.1 always is',
  ENOTFOUND: 'no such host is known: 127.0.0.1 always works',
}

function listen(server: Server, { host, port }: HttpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const why = WHY[error.code ?? ''] ?? error.message
      reject(
        new CarillonError('LISTEN_FAILED', `can't listen on ${addressText(host, port)}: ${why}`, {
          cause: error,
        }),
      )
    }
    server.once('error', failed)
    server.listen(port, host, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo
  // An address that stands for all of them can't be called.
  const callable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${addressText(callable, port)}`
}

function addressText(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}

async function closeServer(server: Server, closing: AbortController): Promise<void> {
  const closed = new Promise<void>(resolve => server.close(() => resolve()))
  // Who waits for a result is answered now; who has nothing under way is let go.
  closing.abort(new CarillonError('CLOSED', 'the node is closing'))
  server.closeIdleConnections()
  const cut = setTimeout(() => server.closeAllConnections(), CLOSE_MS)
  await closed
  clearTimeout(cut)
}
