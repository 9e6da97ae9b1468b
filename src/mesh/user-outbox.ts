/** What a client's relay has to say to the user's thread: gathered in a turn, and sent as one frame. */

import type { CarillonError } from '../errors.ts'
import { ByteWriter } from '../lib/bytes.ts'
import type { WorkerChannel } from '../ports/worker-channel.ts'
import type { EngineEvent } from '../wire/calls.ts'
import { MESSAGE, SAME_ERROR, SCHEDULE_STATUS, wireError } from '../wire/frame.ts'
import type { AbortReason } from '../wire/work.ts'
import { writeAbort } from './relayed-work.ts'
import type { UnansweredMessage } from './unanswered.ts'

export class UserOutbox {
  readonly out = new ByteWriter(16 * 1024)

  answer(call: number, answer: object): void {
    this.out.u8(MESSAGE.answer)
    this.out.varuint(call)
    this.out.u8(1)
    this.out.utf8(JSON.stringify(answer))
  }

  /** The error, in the form in which the call expects its answer. */
  refuse(
    { call, kind, count }: Pick<UnansweredMessage, 'call' | 'kind' | 'count'>,
    error: CarillonError,
  ): void {
    const { out } = this
    const text = JSON.stringify(wireError(error))
    out.u8(kind === 'call' ? MESSAGE.answer : MESSAGE.scheduled)
    out.varuint(call)
    if (kind === 'call') {
      out.u8(0)
      out.utf8(text)
      return
    }
    out.varuint(count)
    out.varuint(0)
    out.u8(1)
    out.u8(SCHEDULE_STATUS.indexOf('error'))
    out.utf8(text)
    for (let i = 1; i < count; i++) out.u8(SAME_ERROR)
  }

  event(event: EngineEvent | string): void {
    this.out.u8(MESSAGE.event)
    this.out.utf8(typeof event === 'string' ? event : JSON.stringify(event))
  }

  abort(handles: readonly number[], reason: AbortReason): void {
    for (const handle of handles) writeAbort(this.out, handle, reason)
  }

  flush(channel: WorkerChannel): void {
    if (this.out.position === 0) return
    const frame = this.out.take()
    this.out.reset()
    channel.send(frame)
  }
}
