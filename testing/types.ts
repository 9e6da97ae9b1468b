/**
 * What a user of `carillon/testing` sees. Instants are epoch ms of virtual time, durations are ms or texts as everywhere in
 * Carillon; nodes are named by their number, from 0. None of these types names one of a test framework: what ran is told
 * as plain values, which any assertion library compares.
 */

import type { Duration, Handlers, Instant, Node, NoHandlers } from '../src/api/types.ts'
import type { Profile } from '../src/task/profile.ts'

export interface TestMeshOptions<H = NoHandlers> {
  /** The handlers that each node has, exactly as createNode takes them; also after a restart. */
  readonly handlers?: (H & Handlers) | undefined
  /** 1 to 20. With one it is alone, as a node without `listen`; more are a mesh. Default: 1. */
  readonly nodes?: number | undefined
  /** All chance comes from it: the same seed and the same test give the same run. Default: 1. */
  readonly seed?: number | string | undefined
  /** Virtual time when createTestMesh resolves. Default: 2026-01-01T00:00:00Z. */
  readonly startAt?: Instant | undefined
  /** As of createNode. Default: 100. */
  readonly concurrency?: number | undefined
  /** As of createNode. Default: `balanced`. */
  readonly profile?: Profile | undefined
  /** R, as `mesh.replicas` of createNode: on how many nodes each task is kept. Default: 3. */
  readonly replicas?: number | undefined
  /**
   * Real ms that a handler may take while virtual time stands still for it; longer is taken for a handler that hangs, and
   * whoever waits gets STUCK. Default: 2,000, below the limit of a test in vitest.
   */
  readonly handlerMs?: number | undefined
  /** `Date.now()` and `new Date()` tell virtual time until the mesh is closed, in all of this process. Default: false. */
  readonly fakeDate?: boolean | undefined
}

/** One attempt: a handler was entered. A plain value; it does not change after it was handed out. */
export interface TestRun {
  readonly task: string
  /** The handler's name. */
  readonly handler: string
  /** The number of the node whose handler it was. */
  readonly node: number
  /** The run's id, its idempotency key: the same for every attempt of one occurrence. */
  readonly id: string
  /** 1 for the first try. */
  readonly attempt: number
  readonly payload: unknown
  readonly scheduledAt: number
  /** When the handler was entered, by the true virtual clock, however skewed the node's own is. */
  readonly at: number
  /** `at` less `scheduledAt`. Of a retry it holds the time since the first try, too. */
  readonly lateMs: number
  /**
   * `running`: it has not ended yet. `aborted`: timed out, cancelled, or its node closed, whatever the handler returned after
   * that. `lost`: its node crashed.
   */
  readonly outcome: 'running' | 'completed' | 'failed' | 'aborted' | 'lost'
  /** Null while it runs. */
  readonly endedAt: number | null
  /** What the handler returned; only of a completed one. */
  readonly result?: unknown
  /** What it threw, or why it was aborted. */
  readonly error?: unknown
}

export interface RunFilter {
  readonly handler?: string | undefined
  readonly task?: string | undefined
  readonly node?: number | undefined
  readonly outcome?: TestRun['outcome'] | undefined
}

export interface CrashOptions {
  /** True: its machine goes, too, so what was not synced may be lost, and nobody tells the others. Default: false, `kill -9`. */
  readonly powerCut?: boolean | undefined
}

export interface RestartOptions {
  /** Its disk is a new one: all that it kept is gone. Default: false. */
  readonly wipe?: boolean | undefined
}

export interface SleepOptions {
  /** Ends the sleep early: it rejects with the signal's reason. Give it `run.signal`. */
  readonly signal?: AbortSignal | undefined
}

export interface UntilOptions {
  /** Most virtual time that may pass. Default: 1 day. */
  readonly within?: Duration | undefined
}

/**
 * Shipped engines on virtual time, a simulated network and simulated disks.
 *
 * Virtual time stands still, except in `advance`, `advanceTo` and `until`; a call of a node takes what it takes, which is none,
 * unless nodes are gone or cut off. What is due at this instant runs as soon as anything is awaited.
 */
export interface TestMesh<H = NoHandlers> {
  /** The first node, for who has but one. */
  readonly node: Node<H>
  /** Each as createNode gives it out. After a restart there is another object in its place; the one before rejects calls. */
  readonly nodes: ReadonlyArray<Node<H>>
  /** Virtual time, epoch ms. */
  readonly now: number

  /**
   * Lets virtual time pass, and everything happen that is due, up to and including that instant.
   *
   * While a handler works in real time, virtual time stands still until it settles, or waits for a call of a node, sleep() or
   * meanwhile(). Rejects with STUCK if it takes longer than `handlerMs`, with INVALID, with CONFLICT while another advance is
   * under way, and with what ended an engine that died.
   */
  advance(duration: Duration): Promise<void>
  /** The same, up to an instant, which may not be in the past. */
  advanceTo(instant: Instant): Promise<void>
  /**
   * Lets time pass until the promise settles, as `await mesh.until(task.result())`, and gives what it gives; or until the
   * function returns something true, asked after each event. Rejects with STUCK if that does not come within `within`.
   */
  until<T>(what: PromiseLike<T> | (() => T), options?: UntilOptions): Promise<T>

  /** All attempts so far, in the order in which their handlers were entered. */
  readonly runs: readonly TestRun[]
  /** The attempts that fit: of a handler by its name, or by a filter. */
  ran(filter?: string | RunFilter): readonly TestRun[]

  /**
   * For handlers: waits in virtual time. In a node that crashes it never ends, and its handler with it; else it ends early only
   * with `signal`.
   */
  sleep(duration: Duration, options?: SleepOptions): Promise<void>
  /** For handlers: time may pass while the promise is awaited, as if the handler waited for something slow outside. */
  meanwhile<T>(promise: PromiseLike<T>): Promise<T>

  /**
   * Cuts the groups off from each other, until heal(), or until the function that is returned is called; nodes that are in none
   * are a group of their own. Cuts add up. Throws INVALID.
   */
  partition(...groups: ReadonlyArray<readonly number[]>): () => void
  /** Ends all partitions. */
  heal(): void
  /** Kills the node's process. Its calls reject with ENGINE_STOPPED, its runs are lost; its disk stays. Throws CONFLICT if it is down. */
  crash(node: number, options?: CrashOptions): void
  /** Starts a node that has crashed, or was closed. Throws CONFLICT if it is up. */
  restart(node: number, options?: RestartOptions): Promise<Node<H>>
  /** Sets the node's wall clock: from now on it shows the true time and so much more, or less ('-90s'). 0 sets it right. */
  skew(node: number, by: Duration): void

  /** Closes all nodes, without grace for handlers, and gives the real Date back. Safe to call twice. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
