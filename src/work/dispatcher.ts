/** stand-in until the real one lands */
import { Deque } from '../lib/bounded-queue.ts'
import type { ByteWriter } from '../lib/bytes.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortReason, OutcomeKind, OutcomeMessage } from '../wire/work.ts'
import { WorkerConnection } from './worker-connection.ts'

export interface DueRun {
  readonly name: string
  readonly priority: number
  readonly scheduledAt: number
  readonly strict: boolean
  readonly timeoutMs: number
  readonly attempt: number
  place: 'idle' | 'queued' | 'claiming' | 'sent'
  handle: number
}
export interface DispatcherHost<R extends DueRun> {
  starting(run: R): void
  claim(run: R, done: (go: boolean) => void): void
  write(run: R, out: ByteWriter, handle: number, handler: number): void
  started(run: R, at: number): void
  outcome(run: R, outcome: OutcomeMessage): void
  unstarted(run: R): void
  timedOut(run: R): void
  lost(run: R): void
  label(run: R): string
  lateEnd(label: string, attempt: number, kind: OutcomeKind): void
  progress(run: R, json: string): void
  log(run: R, json: string): void
  noWorker(name: string, waiting: number): void
}
export interface DispatcherOptions {
  readonly queueMax: number
  readonly inFlightBytesMax: number
}
export class Dispatcher<R extends DueRun> {
  readonly host: DispatcherHost<R>
  readonly #clock: Clock
  readonly #options: DispatcherOptions
  readonly #queues = new Map<string, Map<number, Deque<R>>>()
  readonly #workers = new Set<WorkerConnection<R>>()
  readonly byHandle = new Map<number, { run: R; worker: WorkerConnection<R> }>()
  readonly #told = new Set<string>()
  #queued = 0
  sentCount = 0
  #nextHandle = 1
  #paused = false
  constructor(ports: { clock: Clock }, options: DispatcherOptions, host: DispatcherHost<R>) {
    this.#clock = ports.clock
    this.#options = options
    this.host = host
  }
  attach(): WorkerConnection<R> {
    const w = new WorkerConnection<R>(this)
    this.#workers.add(w)
    return w
  }
  get room(): number {
    return this.#options.queueMax - this.#queued
  }
  announced(): void {
    this.#told.clear()
  }
  offer(run: R): void {
    let q = this.#queues.get(run.name)
    if (q === undefined) this.#queues.set(run.name, (q = new Map()))
    let d = q.get(run.priority)
    if (d === undefined) q.set(run.priority, (d = new Deque<R>()))
    d.push(run)
    run.place = 'queued'
    this.#queued++
  }
  withdraw(run: R): boolean {
    if (run.place === 'queued') {
      run.place = 'idle'
      this.#queued--
      return true
    }
    if (run.place === 'claiming') {
      run.place = 'idle'
      return true
    }
    return false
  }
  abort(run: R, reason: AbortReason): void {
    const e = this.byHandle.get(run.handle)
    if (e === undefined) return
    const f = e.worker.inFlight.get(run.handle)
    if (f !== undefined) f.over = this.host.label(run)
    e.worker.aborts.push({ handle: run.handle, reason })
    this.byHandle.delete(run.handle)
    this.sentCount--
    run.place = 'idle'
    run.handle = 0
  }
  flush(): void {
    if (this.#paused) return
    for (const [name, q] of this.#queues) {
      const prios = [...q.keys()].sort((a, b) => b - a)
      for (const p of prios) {
        const d = q.get(p)!
        while (d.length > 0) {
          const head = d.peek()!
          if (head.place !== 'queued') {
            d.shift()
            continue
          }
          const w = this.#free(name)
          if (w === undefined) break
          d.shift()
          this.#queued--
          this.#send(w, head)
        }
      }
      if (![...this.#workers].some(w => w.handlers.has(name)) && !this.#told.has(name)) {
        let n = 0
        for (const d of q.values()) n += d.length
        if (n > 0) {
          this.#told.add(name)
          this.host.noWorker(name, n)
        }
      }
    }
  }
  #free(name: string): WorkerConnection<R> | undefined {
    for (const w of this.#workers) {
      const h = w.handlers.get(name)
      if (h !== undefined && h.used < h.window && w.used < (w.hello?.window ?? 0)) return w
    }
    return undefined
  }
  #send(w: WorkerConnection<R>, run: R): void {
    const h = w.handlers.get(run.name)!
    h.used++
    w.used++
    if (!run.strict) return this.#go(w, run, h.index)
    run.place = 'claiming'
    this.host.claim(run, go => {
      if (go && run.place === 'claiming') return this.#go(w, run, h.index)
      h.used--
      w.used--
      if (run.place === 'claiming') run.place = 'idle'
    })
  }
  #go(w: WorkerConnection<R>, run: R, handler: number): void {
    const handle = this.#nextHandle++
    run.handle = handle
    run.place = 'sent'
    this.host.starting(run)
    w.inFlight.set(handle, { run, name: run.name, over: undefined, attempt: run.attempt })
    this.byHandle.set(handle, { run, worker: w })
    this.sentCount++
    w.outgoing.push({ run, handle, handler })
  }
  onStarted(_w: WorkerConnection<R>, handle: number, run: R, at: number): void {
    this.host.started(run, at)
    this.#clock.setTimer(run.timeoutMs, () => {
      if (run.handle !== handle) return
      this.abort(run, 'timeout')
      this.host.timedOut(run)
    })
  }
  detach(w: WorkerConnection<R>): void {
    this.#workers.delete(w)
    for (const [handle, e] of w.inFlight) {
      if (e.over !== undefined) continue
      e.run.place = 'idle'
      e.run.handle = 0
      this.byHandle.delete(handle)
      this.sentCount--
      this.host.lost(e.run)
    }
  }
  pause(): void {
    this.#paused = true
  }
  stop(): void {}
  counts() {
    return { queued: this.#queued, running: this.sentCount, withoutWorker: [] as { name: string; waiting: number }[] }
  }
  runningRuns(): Iterable<R> {
    return [...this.byHandle.values()].map(e => e.run)
  }
}
