/** What another node says is not trusted: what can't be read ends the link, and everybody who asked over it is told. */

import { beforeEach, expect, test } from 'vitest'
import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import { PeerLink } from '../../src/mesh/peer-link.ts'
import type { WorkerChannelEvents } from '../../src/ports/worker-channel.ts'
import { Definition, writeDefinition } from '../../src/task/definition.ts'
import { MESSAGE } from '../../src/wire/frame.ts'

let told: string[]
let failures: unknown[]
let peer: WorkerChannelEvents
let link: PeerLink

beforeEach(() => {
  told = []
  failures = []
  const channel = {
    start: (events: WorkerChannelEvents) => {
      peer = events
    },
    send: () => undefined,
    close: () => undefined,
  }
  const host = {
    stir: () => undefined,
    closed: () => told.push('closed'),
    failed: failures.push.bind(failures),
  }
  link = new PeerLink('far', channel, { callsMax: 100, bytesMax: 10_000 }, host, undefined)
  link.start()
})

function asker(name: string) {
  return {
    scheduled: () => told.push(`${name} scheduled`),
    answered: (json: string) => told.push(`${name} answered ${json}`),
    refused: ({ code }: { code: string }) => told.push(`${name} refused ${code}`),
    lost: () => told.push(`${name} lost`),
  }
}

function batch(name: string): void {
  const out = new ByteWriter()
  const input = {
    id: 't',
    minted: false,
    ifAbsent: false,
    keyTtlMs: 0,
    name: 'work',
    madeAt: 1,
    schedule: { kind: 'at', at: 2 },
    policyText: '',
    payload: undefined,
  } as const
  writeDefinition(out, input, new Uint8Array(8), 1)
  const bytes = out.take()
  link.schedule([new Definition(new ByteReader(bytes), bytes.length)], 0, asker(name))
}

function call(name: string): void {
  link.call({ method: 'result', id: 't' }, asker(name))
}

function answer(number: number, isOk: 0 | 1, text: string): Uint8Array {
  const out = new ByteWriter()
  out.u8(MESSAGE.answer)
  out.varuint(number)
  out.u8(isOk)
  out.utf8(text)
  return out.take()
}

function scheduled(number: number, count: number, error?: string): Uint8Array {
  const out = new ByteWriter()
  out.u8(MESSAGE.scheduled)
  out.varuint(number)
  out.varuint(count)
  out.varuint(1)
  out.u8(error === undefined ? 0 : 1)
  if (error !== undefined) {
    out.u8(3)
    out.utf8(error)
  }
  return out.take()
}

const BAD: ReadonlyArray<readonly [string, () => Uint8Array]> = [
  ['an answer that is no JSON', () => answer(2, 1, '{')],
  ['an answer that is no object', () => answer(2, 1, 'null')],
  ['a refusal that is no JSON', () => answer(2, 0, '{')],
  ['a refusal that is nothing', () => answer(2, 0, 'null')],
  ['a refusal without a message', () => answer(2, 0, '{"code":"NOT_OWNER"}')],
  ['a refusal with an owner that is no name', () => answer(2, 0, '{"message":"","owner":{"a":1}}')],
  ['a refusal with a code that is no name', () => answer(2, 0, '{"message":"","code":7}')],
  ['a batch of nothing as the answer to a call', () => scheduled(2, 0)],
  ['a batch as the answer to a call', () => scheduled(2, 1)],
  ['an answer to a batch', () => answer(1, 1, '{}')],
  ['too many results of a batch', () => scheduled(1, 2)],
  ['no results of a batch', () => scheduled(1, 0)],
  ['the error of an item that is nothing', () => scheduled(1, 1, 'null')],
  ['the error of an item without a message', () => scheduled(1, 1, '{"code":"INVALID"}')],
  ['a huge count', () => scheduled(1, Number.MAX_SAFE_INTEGER)],
  ['an unknown message', () => new Uint8Array([250])],
]

test.each(BAD)('%s ends the link, and all are told once', (_, frame) => {
  batch('batch')
  call('call')
  peer.frame(frame())
  peer.frame(answer(2, 1, '{}'))
  peer.closed()
  expect(told).toEqual(['closed', 'batch lost', 'call lost'])
  expect(failures).toEqual([])
  expect(link.pending).toBe(0)
  expect(link.isFull).toBe(false)
})

test('what answers calls that nobody made is of no matter', () => {
  call('call')
  peer.frame(answer(77, 1, '{}'))
  peer.frame(scheduled(78, 100_000))
  peer.frame(answer(1, 1, '{"a":1}'))
  peer.frame(answer(1, 1, '{"a":2}'))
  expect(told).toEqual(['call answered {"a":1}'])
  expect(link.isOpen).toBe(true)
})
