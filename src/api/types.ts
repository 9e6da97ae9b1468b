/**
 * The public types of the front door. `createNode({ handlers })` infers payload and result of each name from its
 * handler; a name without a handler stays possible, untyped. None of them names a type of a dependency.
 */

import type { CommandOptions, Duration, TaskOptions } from '../task/options.ts'
import type { Profile } from '../task/profile.ts'
import type { OccurrenceSpec } from '../task/recurrence.ts'
import type { TaskState } from '../task/task.ts'
import type { DrainView, RingView, RunView, StatusView, TaskView } from '../task/views.ts'
import type { EngineEvent } from '../wire/calls.ts'
import type { Run } from './run.ts'

export type {
  CommandOptions,
  Duration,
  Instant,
  MisfireOptions,
  RetryOptions,
  TaskOptions,
} from '../task/options.ts'

/**
 * Runs one attempt. What it returns (or resolves to) is kept as the result, as JSON; what it throws fails the attempt,
 * which is tried again as the task's retry policy says. It may be called twice for one occurrence, around a crash.
 */
// biome-ignore lint/suspicious/noExplicitAny: a handler of any payload is a handler
export type Handler<Payload = any, Result = unknown> = (run: Run<Payload>) => Result | Promise<Result>

export type Handlers = Readonly<Record<string, Handler>>
/** No handler is known by type: every name is allowed. */
export type NoHandlers = Record<never, never>

type PayloadOf<H, Name> = Name extends keyof H
  ? H[Name] extends (run: Run<infer Payload>) => unknown
    ? Payload
    : unknown
  : unknown
type ResultOf<H, Name> = Name extends keyof H
  ? H[Name] extends (...args: never[]) => infer Result
    ? Awaited<Result>
    : unknown
  : unknown

/** A task for one of the handlers H, or for any other name. */
export type TaskFor<H, Name extends string = string> = Name extends keyof H & string
  ? TaskOptions<Name, PayloadOf<H, Name>>
  : TaskOptions<Name>

/** The task handles of a list of tasks, position by position. */
export type TasksOf<H, List extends readonly unknown[]> = {
  -readonly [I in keyof List]: List[I] extends { readonly name: infer Name } ? Task<ResultOf<H, Name>> : Task
}

export interface CreateNodeOptions<H> {
  /** Where tasks are kept. Left out: in memory only, and nothing survives the process. */
  readonly dataDir?: string | undefined
  /**
   * So many processes may share the data directory, each a node of the mesh (PM2, `node:cluster`): each takes the lowest free
   * of `slot-1`, `slot-2`, … in it, and in slot n adds n - 1 to the ports of `listen`, `advertise` and `http`. Left out: one
   * process has it, and a second one is refused.
   */
  readonly slots?: number | undefined
  readonly handlers?: (H & Handlers) | undefined
  /** Runs of one handler at a time, unless handle() says otherwise. Default: 100. */
  readonly concurrency?: number | undefined
  /** What tasks have that say nothing else. Default: `balanced`. */
  readonly profile?: Profile | undefined
  /** `sync` (default): a task is acknowledged once it is synced to the disk. `interval`: when it is written; a power cut may take the last second. */
  readonly durability?: 'sync' | 'interval' | undefined
  /** Set broken parts of the data directory aside, and start without them. Use it once, after STORE_CORRUPT. */
  readonly repair?: boolean | undefined
  /** Close the node on SIGINT and SIGTERM, then end the process; a second signal ends it at once. Default: false. */
  readonly signals?: boolean | undefined
  /**
   * Opens the HTTP API: where it listens ('127.0.0.1:7410'; port 0 takes any), and its token. Without one, the data
   * directory's file TOKEN has it, made at the first start. Default: no API.
   */
  readonly http?: string | { readonly listen: string; readonly token?: string | undefined } | undefined
  /**
   * Where other nodes reach this one, like '0.0.0.0:7400' or '[::]:7400'; port 0 takes any. A host alone, like '0.0.0.0', means
   * port 7400, or a free one if that is taken (`address` says which), unless `advertise` has promised where the node is. Given,
   * or with `join`, the node is one of a mesh; else it is alone.
   */
  readonly listen?: string | undefined
  /** Where others can dial this node, if that is not where it listens: 'host:port', behind NAT or by a name. */
  readonly advertise?: string | undefined
  /**
   * Any members: 'host:port', 'host' (port 7400), a DNS name with several records; or one join token.
   *
   * 'local': those of this host, by port 7400 of its loopback ('local:7500': by that one). One of them holds the port, and
   * founds the mesh if none answers. Alone in `join` it makes `listen` '127.0.0.1', which others than this host don't reach.
   *
   * 'mdns': those of the LAN that answer by multicast DNS; `listen` has to be where they reach this one. `expect` says how many
   * found the mesh, as none does it alone.
   */
  readonly join?: readonly string[] | undefined
  readonly mesh?: MeshOptions | undefined
  /** How far the nodes are from each other: it sets the times of failure detection. Default: `lan`. */
  readonly network?: 'local' | 'lan' | 'wan' | undefined
  /** Let tasks run shell commands on this machine: all of them, or those listed (a trailing `*` stands for anything). Default: false. */
  readonly commands?: boolean | readonly string[] | undefined
}

export interface MeshOptions {
  /** Tells meshes apart. Default: 'carillon'. */
  readonly name?: string | undefined
  /**
   * Who has it is let in: 16 characters to 256 bytes, the same on all nodes; while it is changed, the new one and the old
   * one. Left out (not undefined): what the data directory keeps in MESH_SECRET, made at the first start of who joins nobody.
   */
  readonly secret?: string | readonly string[] | undefined
  /** How many nodes found the mesh together. Needed where each joins the others; left out, who joins nobody founds it alone. */
  readonly expect?: number | undefined
  /** R: on how many nodes each task is kept; fixed when the mesh is founded. Default: 3. */
  readonly replicas?: number | undefined
  /** Where this node stands: the copies of a task go to distinct zones first. */
  readonly zone?: string | undefined
  /** The share of the tasks that this node takes, relative to others. Default: 1. */
  readonly weight?: number | undefined
}

export interface CreateClientOptions<H> {
  /** Any nodes of the mesh, as for createNode ('local' and 'mdns' too): the others are learned from them. Or one join token, good for one start. */
  readonly join: readonly string[]
  /** Whose mesh: both as its nodes have them; not beside a join token, which brings them. */
  readonly mesh?: Pick<MeshOptions, 'name' | 'secret'> | undefined
  /** A client may run handlers like any node. */
  readonly handlers?: (H & Handlers) | undefined
  /** Runs of one handler at a time, unless handle() says otherwise. Default: 100. */
  readonly concurrency?: number | undefined
  /** What tasks have that say nothing else. Default: `balanced`. */
  readonly profile?: Profile | undefined
  /** How long to wait for a first node, ms, before createClient rejects. Default: 10,000. */
  readonly waitMs?: number | undefined
  /** Gives up waiting for a first node. */
  readonly signal?: AbortSignal | undefined
}

/** An open HTTP API: where it is called, and the token that it wants. */
export interface OpenApi {
  readonly url: string
  readonly token: string
}

export interface CallOptions {
  /** Gives the call up; what it asked for may have happened all the same. */
  readonly signal?: AbortSignal | undefined
}

export interface TokenOptions extends CallOptions {
  /** How long the token is good, at most 7 days. Default: ten minutes. */
  readonly ttl?: Duration | undefined
}

/** A task that was scheduled. */
export interface Task<Result = unknown> {
  readonly id: string
  readonly name: string
  /** `created`; `replaced`: the id existed with another definition; `exists`: nothing was changed. */
  readonly status: 'created' | 'replaced' | 'exists'
  /** How many stores have synced it. */
  readonly copies: number
  /**
   * Waits for the end: of a one-shot, or of the next run of a recurring task. Resolves with what the handler returned.
   * Rejects with RUN_FAILED (`cause` is the handler's error), RUN_CANCELLED, RUN_MISSED, RUN_LOST, or NO_RESULT if it
   * ended too long ago.
   */
  result(options?: CallOptions): Promise<Result>
}

export interface TasksFilter extends CallOptions {
  readonly state?: TaskState | undefined
  readonly name?: string | undefined
  readonly tag?: string | undefined
}

/** What a node tells; see NodeEvents of each name. */
export type NodeEvents = {
  [Type in EngineEvent['type']]: (event: Extract<EngineEvent, { type: Type }>) => void
}

/** One node: schedules tasks, fires them on time, and runs their handlers in this thread. */
export interface Node<H = NoHandlers> {
  /**
   * Schedules a task. Resolves once it is synced to the disk. Rejects with INVALID (nothing was sent), STORE_FULL,
   * TOO_MANY, CONFLICT, or ENGINE_STOPPED.
   */
  schedule<const Name extends string>(
    task: TaskFor<H, Name> & { readonly name: Name },
    options?: CallOptions,
  ): Promise<Task<ResultOf<H, Name>>>
  schedule(task: CommandOptions, options?: CallOptions): Promise<Task>
  /**
   * Schedules many at once, which is much faster. All are checked before any is sent. If the engine refuses some, it
   * rejects with the first refusal, whose `results` tells of each what became of it; the others are scheduled.
   */
  schedule<const List extends readonly (TaskFor<H, keyof H & string> | TaskOptions | CommandOptions)[]>(
    tasks: List,
    options?: CallOptions,
  ): Promise<TasksOf<H, List>>
  /** Sets the handler of a name, now or later. `concurrency`: its runs at a time in this process. */
  handle<Payload = unknown>(
    name: string,
    handler: Handler<Payload>,
    options?: { readonly concurrency?: number | undefined },
  ): void
  /** A task that is scheduled, running, paused or dead; null if there is none of that id. */
  task(id: string, options?: CallOptions): Promise<TaskView | null>
  /** All tasks, or those that fit, page by page while you iterate. `state: 'dead'` is quick, other filters read every task. */
  tasks(filter?: TasksFilter): AsyncIterable<TaskView>
  /** Runs of a task, newest first: the open ones, and the ended ones that are still kept. */
  runs(
    id: string,
    options?: CallOptions & { readonly limit?: number | undefined },
  ): Promise<readonly RunView[]>
  /** What run.log() wrote, of the latest runs of a task, or of one run. In memory only. */
  logs(
    id: string,
    options?: CallOptions,
  ): Promise<ReadonlyArray<{ readonly run: string; readonly at: number; readonly line: string }>>
  /** Ends the task, or one run of it by its run id: nothing of it starts any more, and what runs is aborted. False if it had ended. */
  cancel(id: string, options?: CallOptions): Promise<boolean>
  /** Holds the task: runs under way go on, no scheduled one starts. */
  pause(id: string, options?: CallOptions): Promise<void>
  /** Lets it go on with its next instant; what was due meanwhile is passed over. False if it was not paused. */
  resume(id: string, options?: CallOptions): Promise<boolean>
  /** Runs the task now, once more than its schedule says. Returns the run's id. */
  trigger(id: string, options?: CallOptions): Promise<string>
  /** Drives a failed run again: a task id (its latest failed run), or a run id. Returns the run's id. */
  retry(id: string, options?: CallOptions): Promise<string>
  /** The next `count` instants of a schedule from now, epoch ms. Nothing is scheduled. */
  preview(schedule: OccurrenceSpec, count?: number): readonly number[]
  status(options?: CallOptions): Promise<StatusView>
  /**
   * A join token: lets one other node in that has no secret, and tells it the secret and where this node is. Rejects with
   * CONFLICT if this node is alone.
   */
  token(options?: TokenOptions): Promise<string>
  /**
   * Removes from the mesh, for ever, stores that are not live: one by its id, or all such of a node. A longer piece of an id will
   * do: the beginning of a store's, the end of a node's. What only they had is lost. Rejects with NOT_FOUND, or CONFLICT if all
   * of it is live.
   */
  forget(
    nodeOrStore: string,
    options?: CallOptions,
  ): Promise<ReadonlyArray<{ readonly store: string; readonly node: string }>>
  /**
   * Begins to leave the mesh for good, or tells how far that is: others take over what this node acts for, its runs end, others
   * copy all that it holds, and it leaves the roster. Then it closes (`closed` resolves). As long as it has not left, to
   * close it leaves it a member. Rejects with CONFLICT if no other node is live.
   */
  drain(options?: CallOptions): Promise<DrainView>
  /** Who acts for the ranges of the mesh, and keeps them; with an id, for the range of that task. */
  ring(id?: string, options?: CallOptions): Promise<RingView>
  /** Calls the listener at each such event. `run` and `retry` events cost something only while somebody listens. */
  on<Type extends keyof NodeEvents>(type: Type, listener: NodeEvents[Type]): this
  off<Type extends keyof NodeEvents>(type: Type, listener: NodeEvents[Type]): this
  /** The HTTP API, if it was asked for, until the node closes. */
  readonly http: OpenApi | undefined
  /** Which slot of the data directory it has taken, from 1; undefined without `slots`. */
  readonly slot: number | undefined
  /** Where it listens for other nodes, with the port that it got; undefined for a node that is alone. */
  readonly address: string | undefined
  /** Resolves when the node has closed; rejects with ENGINE_STOPPED if its engine died. */
  readonly closed: Promise<void>
  /**
   * Takes and starts no more work, lets running handlers end for `graceMs` (default 10,000), aborts the rest, syncs,
   * and closes. What was aborted runs again at the next start. Safe to call twice.
   */
  close(options?: { readonly graceMs?: number | undefined }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** What a client tells: what the node tells that it is connected to, and of its runs. */
export type ClientEvents = Omit<NodeEvents, 'started' | 'drained' | 'stopped'>

/**
 * A client of a mesh: it keeps and owns nothing, and its calls go to one node at a time. If that one is lost they go to
 * another, by themselves; what waits for its answer is asked again, and carried out once. While no node is there calls wait
 * up to 10 s, then reject with NOT_CONNECTED (`result()` waits on). `status()` is of the node that it is connected to.
 *
 * Its handlers run tasks like those of a node. If the connection is lost meanwhile, their runs are aborted (`run.signal`),
 * and run again elsewhere with the same `idempotencyKey`.
 */
export interface Client<H = NoHandlers>
  extends Omit<Node<H>, 'http' | 'slot' | 'address' | 'drain' | 'on' | 'off'> {
  /** Calls the listener at each such event. `run` and `retry` events cost something only while somebody listens. */
  on<Type extends keyof ClientEvents>(type: Type, listener: ClientEvents[Type]): this
  off<Type extends keyof ClientEvents>(type: Type, listener: ClientEvents[Type]): this
  /** Resolves when the client has closed; rejects with ENGINE_STOPPED if its thread died. */
  readonly closed: Promise<void>
  /**
   * Takes no more runs, lets running handlers end for `graceMs` (default 10,000), aborts the rest, which others run again,
   * and closes. Safe to call twice.
   */
  close(options?: { readonly graceMs?: number | undefined }): Promise<void>
}
