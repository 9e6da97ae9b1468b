/**
 * The engine's end of a channel, for tests of the user's side: it notes what comes, in order, and says what it is told
 * to. It keeps nothing, and decides nothing.
 */

import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import type { WorkerChannel } from '../../src/ports/worker-channel.ts'
import { readDefinition } from '../../src/task/change.ts'
import type { Definition } from '../../src/task/definition.ts'
import type { CallRequest, EngineEvent } from '../../src/wire/calls.ts'
import { MESSAGE, SCHEDULE_STATUS, type ScheduleStatus, type WireError } from '../../src/wire/frame.ts'
import {
  ABORT_REASONS,
  type AbortReason,
  type Hello,
  type OutcomeMessage,
  type RunMessage,
  readOutcome,
  writeRun,
} from '../../src/wire/work.ts'

export interface ScheduleMessage {
  readonly call: number
  readonly mark: number
  readonly definitions: readonly Definition[]
}

export type Heard =
  | ({ readonly type: 'schedule' } & ScheduleMessage)
  | { readonly type: 'call'; readonly call: number; readonly request: CallRequest }
  | { readonly type: 'hello'; readonly hello: Hello }
  | { readonly type: 'started'; readonly handle: number; readonly at: number }
  | { readonly type: 'outcome'; readonly outcome: OutcomeMessage }
  | { readonly type: 'progress' | 'log'; readonly handle: number; readonly json: string }

export class FakeEngine {
  readonly heard: Heard[] = []
  frameCount = 0
  isClosed = false
  onSchedule: (message: ScheduleMessage) => void = () => undefined
  onCall: (call: number, request: CallRequest) => void = () => undefined
  onOutcome: (outcome: OutcomeMessage) => void = () => undefined
  readonly #channel: WorkerChannel
  readonly #out = new ByteWriter()

  constructor(channel: WorkerChannel) {
    this.#channel = channel
    channel.start({
      frame: bytes => this.#frame(bytes),
      closed: () => {
        this.isClosed = true
      },
    })
  }

  of<T extends Heard['type']>(type: T): Array<Extract<Heard, { type: T }>> {
    return this.heard.filter((each): each is Extract<Heard, { type: T }> => each.type === type)
  }

  get outcomes(): OutcomeMessage[] {
    return this.of('outcome').map(({ outcome }) => outcome)
  }

  /** All created, or a status or an error for each. */
  scheduled(call: number, results: number | ReadonlyArray<ScheduleStatus | WireError>): void {
    const out = this.#out
    out.u8(MESSAGE.scheduled)
    out.varuint(call)
    out.varuint(typeof results === 'number' ? results : results.length)
    out.varuint(1) // copies
    out.u8(typeof results === 'number' ? 0 : 1)
    for (const result of typeof results === 'number' ? [] : results) {
      out.u8(SCHEDULE_STATUS.indexOf(typeof result === 'string' ? result : 'error'))
      if (typeof result !== 'string') out.utf8(JSON.stringify(result))
    }
    this.send()
  }

  answer(call: number, ok: boolean, body: object): void {
    this.#out.u8(MESSAGE.answer)
    this.#out.varuint(call)
    this.#out.u8(ok ? 1 : 0)
    this.#out.utf8(JSON.stringify(body))
    this.send()
  }

  event(event: EngineEvent): void {
    this.#out.u8(MESSAGE.event)
    this.#out.utf8(JSON.stringify(event))
    this.send()
  }

  /** Runs in one message; a payload of undefined is none. */
  runs(
    runs: ReadonlyArray<
      Partial<Omit<RunMessage, 'payload'>> & { readonly handle: number; readonly payload?: unknown }
    >,
  ): void {
    this.#out.u8(MESSAGE.runs)
    this.#out.varuint(runs.length)
    for (const { payload, ...run } of runs) {
      const bytes = payload === undefined ? new Uint8Array(0) : Buffer.from(JSON.stringify(payload))
      const whole = {
        handler: 0,
        taskId: `task-${run.handle}`,
        life: 1,
        firstLife: true,
        scheduledAt: 1000,
        attempt: 1,
        wantsStarted: false,
        fence: undefined,
        priority: 0,
        ...run,
      }
      writeRun(this.#out, whole, bytes, 0, bytes.length)
    }
    this.send()
  }

  abort(handle: number, reason: AbortReason): void {
    this.#out.u8(MESSAGE.abort)
    this.#out.varuint(handle)
    this.#out.u8(ABORT_REASONS.indexOf(reason))
    this.send()
  }

  raw(...bytes: number[]): void {
    for (const byte of bytes) this.#out.u8(byte)
    this.send()
  }

  send(): void {
    this.#channel.send(this.#out.take())
    this.#out.reset()
  }

  close(): void {
    this.#channel.close()
  }

  #frame(bytes: Uint8Array): void {
    this.frameCount++
    const reader = new ByteReader(bytes)
    while (reader.remaining > 0) this.#message(reader)
  }

  #message(reader: ByteReader): void {
    const type = reader.u8()
    switch (type) {
      case MESSAGE.schedule: {
        const call = reader.varuint()
        const mark = reader.varuint()
        const definitions = Array.from({ length: reader.varuint() }, () =>
          readDefinition(reader, reader.u32le()),
        )
        this.heard.push({ type: 'schedule', call, mark, definitions })
        return this.onSchedule({ call, mark, definitions })
      }
      case MESSAGE.call: {
        const call = reader.varuint()
        const request = JSON.parse(reader.utf8(1 << 20)) as CallRequest
        this.heard.push({ type: 'call', call, request })
        return this.onCall(call, request)
      }
      case MESSAGE.hello:
        this.heard.push({ type: 'hello', hello: JSON.parse(reader.utf8(1 << 20)) as Hello })
        return
      case MESSAGE.started:
        this.heard.push({ type: 'started', handle: reader.varuint(), at: reader.f64() })
        return
      case MESSAGE.outcomes:
        for (let count = reader.varuint(); count > 0; count--) {
          const outcome = readOutcome(reader)
          this.heard.push({ type: 'outcome', outcome })
          this.onOutcome(outcome)
        }
        return
      case MESSAGE.progress:
      case MESSAGE.log: {
        const handle = reader.varuint()
        const json = reader.utf8(1 << 20)
        this.heard.push({ type: type === MESSAGE.log ? 'log' : 'progress', handle, json })
        return
      }
      default:
        throw new Error(`message ${type}`)
    }
  }
}
