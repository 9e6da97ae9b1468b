/** stand-in until the real one lands */
import type { ByteReader, ByteWriter } from '../lib/bytes.ts'
import { MESSAGE } from '../wire/frame.ts'
import { ABORT_REASONS, type AbortReason, type Hello, readOutcome } from '../wire/work.ts'
import type { Dispatcher, DueRun } from './dispatcher.ts'

export class WorkerConnection<R extends DueRun> {
  readonly dispatcher: Dispatcher<R>
  hello: Hello | undefined
  readonly handlers = new Map<string, { index: number; window: number; used: number }>()
  used = 0
  readonly inFlight = new Map<number, { run: R; name: string; over: string | undefined; attempt: number }>()
  readonly outgoing: { run: R; handle: number; handler: number }[] = []
  readonly aborts: { handle: number; reason: AbortReason }[] = []
  constructor(dispatcher: Dispatcher<R>) {
    this.dispatcher = dispatcher
  }
  get wantsEvents(): boolean {
    return this.hello?.events === true
  }
  handleMessage(type: number, reader: ByteReader): boolean {
    const d = this.dispatcher
    if (type === MESSAGE.hello) {
      this.hello = JSON.parse(reader.utf8(1 << 20)) as Hello
      for (const [index, h] of this.hello.handlers.entries()) {
        const known = this.handlers.get(h.name)
        this.handlers.set(h.name, { index, window: h.window, used: known?.used ?? 0 })
      }
      d.announced()
    } else if (type === MESSAGE.started) {
      const handle = reader.varuint()
      const at = reader.f64()
      const e = this.inFlight.get(handle)
      if (e !== undefined && e.over === undefined) d.onStarted(this, handle, e.run, at)
    } else if (type === MESSAGE.outcomes) {
      const count = reader.varuint()
      for (let i = 0; i < count; i++) {
        const o = readOutcome(reader)
        const e = this.inFlight.get(o.handle)
        if (e === undefined) continue
        this.inFlight.delete(o.handle)
        this.used--
        const h = this.handlers.get(e.name)
        if (h !== undefined) h.used--
        if (e.over !== undefined) d.host.lateEnd(e.over, e.attempt, o.kind)
        else {
          e.run.place = 'idle'
          e.run.handle = 0
          d.sentCount--
          d.byHandle.delete(o.handle)
          d.host.outcome(e.run, o)
        }
      }
    } else if (type === MESSAGE.progress) {
      const e = this.inFlight.get(reader.varuint())
      const json = reader.utf8(1 << 20)
      if (e !== undefined) d.host.progress(e.run, json)
    } else if (type === MESSAGE.log) {
      const e = this.inFlight.get(reader.varuint())
      const json = reader.utf8(1 << 20)
      if (e !== undefined) d.host.log(e.run, json)
    } else return false
    return true
  }
  takeOutgoing(out: ByteWriter): void {
    if (this.outgoing.length > 0) {
      out.u8(MESSAGE.runs)
      out.varuint(this.outgoing.length)
      for (const { run, handle, handler } of this.outgoing) this.dispatcher.host.write(run, out, handle, handler)
      this.outgoing.length = 0
    }
    for (const { handle, reason } of this.aborts) {
      out.u8(MESSAGE.abort)
      out.varuint(handle)
      out.u8(ABORT_REASONS.indexOf(reason))
    }
    this.aborts.length = 0
  }
  closed(): void {
    this.dispatcher.detach(this)
  }
}
