/** Calls are JSON: their round trip is that of JSON, and what there is to hold is that the types say the same of both sides. */

import fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { CorruptBytes } from '../../src/lib/bytes.ts'
import {
  type CallAnswers,
  type CallRequest,
  type ChangeRequest,
  checkedRequest,
  type EngineEvent,
} from '../../src/wire/calls.ts'
import { name, runs } from '../support/tasks.ts'

const change = fc.record({
  caller: fc.uint8Array({ minLength: 8, maxLength: 8 }).map(bytes => Buffer.from(bytes).toString('hex')),
  n: fc.maxSafeNat(),
  madeAt: fc.maxSafeNat(),
})
const id = name()
const request: fc.Arbitrary<CallRequest> = fc.oneof(
  fc
    .tuple(change, id, fc.constantFrom('cancel', 'pause', 'resume', 'trigger'))
    .map(([made, of, method]) => ({ ...made, id: of, method })),
  fc.tuple(change, id).map(([made, of]) => ({ ...made, id: of, method: 'retry' as const })),
  id.map(of => ({ method: 'task' as const, id: of })),
  id.map(of => ({ method: 'result' as const, id: of })),
  id.map(of => ({ method: 'logs' as const, id: of })),
  fc.tuple(id, fc.nat(1000)).map(([of, limit]) => ({ method: 'runs' as const, id: of, limit })),
  fc.tuple(id, fc.nat(1000)).map(([after, limit]) => ({
    method: 'tasks' as const,
    filter: { state: 'dead' as const, name: after, tag: 'é "' },
    after,
    limit,
  })),
  fc.constant({ method: 'status' as const }),
  fc.nat().map(call => ({ method: 'forget' as const, call })),
  fc.nat().map(graceMs => ({ method: 'close' as const, graceMs })),
)

describe('a call', () => {
  test('loses nothing on its way', () => {
    fc.assert(
      fc.property(request, call => {
        expect(JSON.parse(JSON.stringify(call))).toEqual(call)
      }),
      runs(200),
    )
  })

  test.each([
    { method: 'ring', id: 5 },
    { method: 'forget-stores' },
    { method: 'forget-stores', who: {} },
    { method: 'token', ttlMs: '1h' },
    { method: 'result', id: null },
  ])('with fields that can not be used is not let in: %j', bad => {
    expect(() => checkedRequest(bad)).toThrow(CorruptBytes)
  })

  test('has an answer of its own, each method', () => {
    expectTypeOf<CallRequest['method']>().toEqualTypeOf<keyof CallAnswers>()
  })

  test('that changes something carries its requestId', () => {
    type Changing = Extract<CallRequest, { method: 'cancel' | 'pause' | 'resume' | 'trigger' | 'retry' }>
    expectTypeOf<Changing>().toExtend<ChangeRequest>()
    expectTypeOf<Extract<CallRequest, { method: 'status' }>>().not.toExtend<ChangeRequest>()
  })
})

test('events are told apart by their type', () => {
  type Missed = Extract<EngineEvent, { type: 'missed' }>
  expectTypeOf<Missed['count']>().toEqualTypeOf<number>()
  expectTypeOf<Extract<EngineEvent, { type: 'stopped' }>['error']>().extract<null>().toEqualTypeOf<null>()
})
