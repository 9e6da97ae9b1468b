/**
 * What the replication calls, over this node's task store, rooms of work, and transport. It decides nothing: it hands on,
 * and keeps what runs here in step with what came in.
 */

import type { Clock } from '../ports/clock.ts'
import type { Context } from '../replication/context.ts'
import type { FollowUp, RangeState, RecordHead, ReplicaHost } from '../replication/host.ts'
import type { Message } from '../replication/messages.ts'
import type { TaskStore } from '../store/task-store.ts'
import { hasEnded } from '../task/merge.ts'
import type { Creation } from '../work/creation.ts'
import type { Duty } from '../work/duty.ts'
import type { LiveRecord, LiveRun } from '../work/live-run.ts'
import type { Written } from '../work/ownership.ts'

export interface ReplicaHostParts {
  readonly clock: Clock
  readonly store: TaskStore<LiveRun>
  readonly duty: Duty
  readonly creation: Creation
  readonly send: (store: string, message: Message) => void
  readonly isConnected: (store: string) => boolean
  readonly exchangeViews: (store: string) => void
  /** This node acts for the range from now on, or acts no longer. */
  readonly acts: (range: number, acts: boolean, unsure: boolean) => void
  /** Calls back once all of it has its copies, or with false after a while. */
  readonly whenCounted: (written: Written, done: (counts: boolean) => void) => void
  /** A record of that life was dropped: an id that is made again starts above it. */
  readonly dropped: (range: number, life: number) => void
  readonly failed: (error: unknown) => void
  readonly stir: () => void
}

export class StoreReplicaHost implements ReplicaHost {
  readonly #parts: ReplicaHostParts
  /** Follow-ups that are on their way into a range of this node. */
  readonly #relaying = new Set<string>()
  #isStopped = false

  constructor(parts: ReplicaHostParts) {
    this.#parts = parts
  }

  /** The store is about to be closed: nothing is read any more, and what is being read for goes no further. */
  stop(): void {
    this.#isStopped = true
  }

  now(): number {
    return this.#parts.clock.now()
  }

  monotonic(): number {
    return this.#parts.clock.monotonic()
  }

  nameOf(actor: number): string {
    return this.#parts.store.actors.nameOf(actor)
  }

  /** A full disk tells nobody that a change counts: it is waited for. */
  afterSync(done: () => void): void {
    const { store, stir } = this.#parts
    store.journal.syncNext()
    store.afterSync(error => {
      if (error === undefined) {
        done()
        stir()
      } else if (error.code === 'STORE_FULL') this.afterSync(done)
    })
  }

  isConnected(store: string): boolean {
    return this.#parts.isConnected(store)
  }

  send(store: string, message: Message): void {
    this.#parts.send(store, message)
  }

  mintActor(range: number): number {
    return this.#parts.store.mintActor(range)
  }

  idOf(bytes: Uint8Array): string {
    return this.#parts.store.idOf(bytes)
  }

  load(range: number, ids: readonly string[], done: () => void): void {
    if (this.#isStopped) return
    const loading = this.#parts.store.loadIn(range, ids)
    // What was loaded stays in memory for the turn that follows.
    if (loading === undefined) done()
    else this.#then(loading, done)
  }

  page(
    range: number,
    after: string | undefined,
    limit: number,
    done: (heads: readonly RecordHead[], isLast: boolean) => void,
  ): void {
    if (this.#isStopped) return
    const { store } = this.#parts
    this.#then(store.pageOf(range, after, limit), ({ heads, isLast }) => {
      const ids = heads.map(({ id }) => id)
      const now: RecordHead[] = []
      for (const id of ids) {
        const record = store.recordIn(range, id)
        // It has left memory, or was dropped: what was read is no longer what there is.
        if (record === undefined) return this.page(range, after, limit, done)
        now.push({ id, dots: record.dots, ended: hasEnded(record) })
      }
      done(now, isLast)
      store.releaseIn(range, ids)
    })
  }

  #then<T>(promise: Promise<T>, done: (value: T) => void): void {
    const { failed, stir } = this.#parts
    const read = (value: T): void => {
      if (!this.#isStopped) done(value)
    }
    promise.then(read).then(stir).catch(failed)
  }

  apply(range: number, actor: number, n: number, bytes: Uint8Array): void {
    this.#parts.duty.applied(this.#parts.store.apply(range, actor, n, bytes))
  }

  adopt(range: number, bytes: Uint8Array): void {
    this.#parts.duty.applied(this.#parts.store.adopt(range, bytes))
  }

  drop(range: number, id: string): void {
    const { store, duty } = this.#parts
    const record = store.recordIn(range, id)
    this.#parts.dropped(range, store.drop(range, id))
    if (record !== undefined) duty.letGo(record)
  }

  saveState(range: number, state: RangeState): void {
    this.#parts.store.saveState(range, state)
  }

  deleteState(range: number): void {
    this.#parts.store.deleteState(range)
  }

  deleteRecords(range: number): void {
    this.#parts.store.deleteRecords(range)
  }

  encode(range: number, id: string): Uint8Array | undefined {
    return this.#parts.store.encodeRecord(range, id)
  }

  headOf(range: number, bytes: Uint8Array): RecordHead {
    return this.#parts.store.headOf(range, bytes)
  }

  isHere(range: number, id: string): boolean {
    return this.#parts.store.recordIn(range, id) !== undefined
  }

  encodeExtras(range: number): Uint8Array {
    return this.#parts.store.encodeExtras(range)
  }

  adoptExtras(range: number, bytes: Uint8Array): void {
    this.#parts.store.adoptExtras(range, bytes)
  }

  stable(range: number, context: Context): void {
    this.#parts.store.stable(range, context)
  }

  arm(range: number, unsure: boolean): void {
    this.#parts.acts(range, true, unsure)
  }

  disarm(range: number): void {
    // While it still counts as acting: what is written now is the last that it says.
    this.#parts.duty.cease(range)
    this.#parts.acts(range, false, false)
    this.#parts.duty.ceased(range)
  }

  isBusy(range: number): boolean {
    return this.#parts.duty.isBusy(range)
  }

  overdue(range: number, beforeMs: number): string | undefined {
    return this.#parts.duty.overdue(range, beforeMs)
  }

  outbox(range: number): readonly FollowUp[] {
    const { store } = this.#parts
    return [...store.outboxOf(range)].map(record => followUpOf(record, store))
  }

  relay({ id, definition }: FollowUp, done: () => void): void {
    if (this.#relaying.has(id)) return
    this.#relaying.add(id)
    this.#then(this.#parts.creation.relayed(definition), written => {
      if (written === undefined) this.#relaying.delete(id)
      else {
        this.#parts.whenCounted(written, counts => {
          // Without enough copies the next relay asks for them again.
          this.#relaying.delete(id)
          if (counts) done()
        })
      }
    })
  }

  relayed(source: number, id: string): void {
    this.#parts.creation.handedOn(source, id)
  }

  exchangeViews(store: string): void {
    this.#parts.exchangeViews(store)
  }
}

/** What waits in the range of its run, as it is sent where it belongs. */
export function followUpOf(
  { id, range, definition: { source, start, end } }: LiveRecord,
  store: Pick<TaskStore<LiveRun>, 'rangeOf'>,
): FollowUp {
  return { source: range, range: store.rangeOf(id), id, definition: source.slice(start, end) }
}
