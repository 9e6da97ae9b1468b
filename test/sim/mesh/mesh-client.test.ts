/** Clients of a mesh, against engines that answer as they are told. */

import { beforeEach, expect, test } from 'vitest'
import { channelPair } from '../../../sim/channel.ts'
import type { Spec } from '../../../sim/history.ts'
import { MeshHistory } from '../../../sim/mesh/history.ts'
import type { TaskNode } from '../../../sim/mesh/tasks/engine-link.ts'
import { MeshClient } from '../../../sim/mesh/tasks/mesh-client.ts'
import { type MeshOp, TaskHistory } from '../../../sim/mesh/tasks/task-history.ts'
import { SimulatedProcess } from '../../../sim/process.ts'
import { Trace } from '../../../sim/trace.ts'
import { VirtualClock } from '../../../sim/virtual-clock.ts'
import { ByteReader, ByteWriter } from '../../../src/lib/bytes.ts'
import { SeededRandom } from '../../../src/lib/seeded-random.ts'
import { DEFAULT_POLICY } from '../../../src/task/policy.ts'
import { MESSAGE, SCHEDULE_STATUS } from '../../../src/wire/frame.ts'

let clock: VirtualClock
let trace: Trace
let history: MeshHistory
let tasks: TaskHistory
/** What each node got: the bytes of every definition. */
let got: { readonly node: number; readonly bytes: string }[]

beforeEach(() => {
  clock = new VirtualClock()
  trace = new Trace(clock, {})
  history = new MeshHistory(clock)
  tasks = new TaskHistory(clock.wallOffset)
  got = []
})

/** A node whose engine gives these answers to what it is sent, the last one for ever; `silence`: none at all. */
function node(number: number, ...answers: string[]): TaskNode {
  const random = new SeededRandom(`node ${number}`)
  return {
    number,
    name: `n${number}`,
    life: 1,
    wallNow: () => clock.now(),
    ownerOf: () => undefined,
    attach: process => {
      const [ours, theirs] = channelPair({ clock, random }, new SimulatedProcess(clock, trace), process)
      ours.start({
        frame: bytes => {
          const reader = new ByteReader(bytes)
          expect(reader.u8()).toBe(MESSAGE.schedule)
          const [call, , count] = [reader.varuint(), reader.varuint(), reader.varuint()]
          const definitions = Array.from({ length: count }, () => reader.bytes(reader.u32le()))
          for (const each of definitions) got.push({ node: number, bytes: Buffer.from(each).toString('hex') })
          const answer = answers.length > 1 ? (answers.shift() as string) : answers[0]
          if (answer !== undefined && answer !== 'silence') ours.send(scheduled(call, answer.split(' ')))
        },
        closed: () => {},
      })
      return theirs
    },
  }
}

function scheduled(call: number, codes: readonly string[]): Uint8Array {
  const out = new ByteWriter(64)
  out.u8(MESSAGE.scheduled)
  out.varuint(call)
  out.varuint(codes.length)
  out.varuint(2)
  out.u8(1)
  for (const code of codes) {
    const status = SCHEDULE_STATUS.indexOf(code as (typeof SCHEDULE_STATUS)[number])
    out.u8(status === -1 ? SCHEDULE_STATUS.indexOf('error') : status)
    if (status === -1) out.utf8(JSON.stringify({ name: 'CarillonError', message: code, code }))
  }
  return out.take()
}

function client(nodes: readonly TaskNode[], repeatShare = 0): MeshClient {
  return new MeshClient(0, { clock, random: new SeededRandom('client'), trace, history, nodes }, repeatShare)
}

function asked(by: MeshClient, ...ids: string[]): MeshOp[] {
  const spec: Spec = {
    name: 'quick',
    schedule: { kind: 'at', at: 1 },
    policy: DEFAULT_POLICY,
    payload: '1',
    conduct: { durationMs: [1, 2], failShare: 0, failFirst: 0, hangShare: 0, fatalShare: 0, followUps: 0 },
    keyTtlMs: 0,
    ifAbsent: false,
    minted: false,
    madeAtWall: clock.now(),
  }
  by.schedule(ids.map(id => ({ story: tasks.story(id), spec })))
  return ids.map(id => tasks.story(id).ops[0] as MeshOp)
}

test.each(['NOT_OWNER', 'NOT_DURABLE', 'CLOSED', 'STORE_FULL', 'silence'])(
  'after %s the same bytes go elsewhere, until there is an answer',
  async code => {
    const by = client([node(0, code), node(1, code), node(2, 'created')])
    const [op] = asked(by, 'a')
    await clock.advanceBy(120_000)
    expect(op?.outcome).toBe('created')
    expect(by.openCount).toBe(0)
    expect(new Set(got.map(({ bytes }) => bytes)).size).toBe(1)
    expect(op?.sends.map(each => each.node)).toEqual(got.map(each => each.node))
    expect(op?.answers.at(-1)).toMatchObject({ node: 2, code: 'created' })
    expect(op?.answers.slice(0, -1).every(each => each.code === code)).toBe(true)
    expect(history.faults).toEqual([])
  },
)

test('an answer for good is not asked for again, also if it is a refusal', async () => {
  const [op] = asked(client([node(0, 'INVALID')]), 'a')
  await clock.advanceBy(60_000)
  expect(op?.outcome).toBe('INVALID')
  expect(got).toHaveLength(1)
})

test('of a batch only what was not answered goes on', async () => {
  const by = client([node(0, 'created NOT_OWNER exists', 'created')])
  const ops = asked(by, 'a', 'b', 'c')
  await clock.advanceBy(60_000)
  expect(ops.map(op => op.outcome)).toEqual(['created', 'created', 'exists'])
  expect(ops.map(op => op.sendCount)).toEqual([1, 2, 1])
})

test('a request that is refused as too old after it was unsure leaves its effect unknown', async () => {
  const [unsure] = asked(client([node(0, 'NOT_DURABLE', 'TOO_OLD')]), 'a')
  const [refused] = asked(client([node(0, 'NOT_OWNER', 'TOO_OLD')]), 'b')
  await clock.advanceBy(60_000)
  expect(unsure?.unknown).toBe(true)
  expect(refused?.unknown).toBe(false)
})

test('an acknowledged call may come once more, and its first answer stays', async () => {
  const by = client([node(0, 'created', 'replaced')], 1)
  const [op] = asked(by, 'a')
  await clock.advanceBy(60_000)
  expect(got).toHaveLength(2)
  expect(got[1]).toEqual(got[0])
  expect(op?.outcome).toBe('created')
  expect(history.counters['repeated, and answered otherwise']).toBe(1)
})

test('while nobody listens it waits, and once all is over it asks no more', async () => {
  const down: TaskNode = { ...node(0, 'created'), life: undefined }
  const by = client([down])
  const [op] = asked(by, 'a')
  await clock.advanceBy(30_000)
  expect(op?.ackAt).toBeUndefined()
  expect(by.openCount).toBe(1)
  by.isOver = true
  await clock.advanceBy(10_000)
  expect(clock.pending).toBe(0)
})
