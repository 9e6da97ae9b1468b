/** What the model (router-model.test.ts) does not come to: very many calls, full links, clients that vanish in between. */

import { expect, test } from 'vitest'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { Lanes } from '../../src/mesh/lanes.ts'
import { type ClientLanes, newStretch, RoutedCall } from '../../src/mesh/routed-call.ts'
import { WaitingCalls } from '../../src/mesh/waiting-calls.ts'
import { DEADLINE_MS, definition, RouterBed, StubClient } from './router-bed.ts'

function schedule(bed: RouterBed, client: StubClient, number: number, range = 0): void {
  bed.router.schedule(client, number, [definition(`${range}-0-${number}-0`)], 0)
}

test('150,000 calls about one range that wait go on together, in order', async () => {
  const clock = new VirtualClock()
  const seqs: number[] = []
  const waiting = new WaitingCalls(clock, {
    route: stretches => seqs.push(...stretches.map(({ call }) => call.seq)),
    canGo: () => true,
    pauseMs: () => 10,
    tick: () => Number.POSITIVE_INFINITY,
  })
  const client = new StubClient()
  const lanes: ClientLanes = new Lanes()
  for (let seq = 0; seq < 150_000; seq++)
    waiting.add(newStretch(new RoutedCall({ client, lanes, number: seq, seq }), 0))
  await clock.advanceBy(10)
  expect(seqs.length).toBe(150_000)
  expect(seqs.every((seq, i) => seq === i)).toBe(true)
})

test('many calls whose client is gone take no time each', () => {
  const bed = new RouterBed(1)
  const client = new StubClient()
  for (let i = 0; i < 60_000; i++) schedule(bed, client, i)
  const began = performance.now()
  bed.router.gone(client)
  expect(performance.now() - began).toBeLessThan(1000)
  expect(bed.router.pending).toBe(0)
})

test('many calls whose time is over together are each told so once', async () => {
  const bed = new RouterBed(1)
  const client = new StubClient()
  for (let i = 0; i < 5000; i++) schedule(bed, client, i)
  await bed.clock.advanceBy(2 * DEADLINE_MS)
  expect(client.answers.size).toBe(5000)
  for (const answers of client.answers.values()) expect(answers.length).toBe(1)
  expect(bed.router.pending).toBe(0)
})

test('100,000 tasks in one range, and in 256, are one call', async () => {
  for (const ranges of [1, 256]) {
    const bed = new RouterBed(ranges)
    const client = new StubClient()
    bed.open('a')
    bed.open('b')
    for (let range = 0; range < ranges; range++) bed.owners[range] = range % 2 === 0 ? 'a' : 'b'
    const batch = Array.from({ length: 100_000 }, (_, i) => definition(`${i % ranges}-0-0-${i}`))
    bed.router.schedule(client, 0, batch, 0)
    await bed.clock.advanceBy(100)
    expect(client.answers.get(0)?.map(results => results.length)).toEqual([100_000])
    expect(bed.done.length).toBe(100_000)
  }
})

test('nothing of a client that is gone is sent, not even what waited for an earlier call of it', async () => {
  const bed = new RouterBed(1)
  const client = new StubClient()
  bed.open('a')
  const link = bed.open('b')
  bed.owners[0] = 'a'
  bed.mute.add('a')
  schedule(bed, client, 0)
  bed.owners[0] = 'b'
  schedule(bed, client, 1)
  bed.router.gone(client)
  expect(link.pending.size).toBe(0)
  await bed.clock.advanceBy(2 * DEADLINE_MS)
  expect(bed.done).toEqual([])
  expect(bed.clock.pending).toBe(0)
})

test('a wait that was taken on is not refused where its range has moved and all is full', async () => {
  const bed = new RouterBed(1, { callsMax: 1 })
  const client = new StubClient()
  bed.open('a')
  const link = bed.open('b')
  bed.owners[0] = 'a'
  bed.ends = false
  bed.router.call(client, 0, { method: 'result', id: '0-0-0-0' })
  await bed.clock.advanceBy(50)
  link.isFull = true
  bed.owners[0] = 'b'
  bed.lose('a')
  await bed.clock.advanceBy(3 * DEADLINE_MS)
  expect(client.answers.size).toBe(0)
  link.isFull = false
  bed.ends = true
  await bed.clock.advanceBy(DEADLINE_MS)
  expect(client.answers.get(0)).toEqual([[undefined]])
})

test('what waits for an owner is bounded, a command like a batch, and the refusal says by what', () => {
  const bed = new RouterBed(1, { callsMax: 2 })
  const client = new StubClient()
  for (let i = 0; i < 3; i++)
    bed.router.call(client, i, { method: 'cancel', id: `0-0-${i}-0`, caller: '00', n: i, madeAt: 0 })
  expect(client.answers.get(2)?.[0]?.[0]).toMatchObject({
    code: 'TOO_MANY',
    message: '2 tasks and calls wait for other nodes, at most 2 may: await earlier ones first',
  })
  const small = new RouterBed(1, { bytesMax: 5 })
  schedule(small, client, 7)
  schedule(small, client, 8)
  expect(client.answers.get(8)?.[0]?.[0]?.message).toContain('7 bytes of tasks wait')
})

test('a node that begins to act between two changes carries out neither before the other', async () => {
  const bed = new RouterBed(1)
  const client = new StubClient()
  bed.open('a')
  bed.known = () => 'a'
  bed.owners[0] = undefined
  schedule(bed, client, 0)
  await bed.clock.advanceBy(4)
  schedule(bed, client, 1)
  await bed.clock.advanceBy(1)
  bed.owners[0] = 'a'
  await bed.clock.advanceBy(DEADLINE_MS / 2)
  expect(bed.done).toEqual(['0-0-0-0', '0-0-1-0'])
})

test('what others ask about the range meanwhile is taken, also when the first never comes again', async () => {
  const bed = new RouterBed(1)
  const [first, second] = [new StubClient(), new StubClient()]
  bed.open('a')
  bed.known = () => 'a'
  bed.owners[0] = undefined
  schedule(bed, first, 0)
  await bed.clock.advanceBy(5)
  bed.router.gone(first)
  bed.owners[0] = 'a'
  schedule(bed, second, 1)
  await bed.clock.advanceBy(100)
  expect(second.answers.get(1)).toEqual([[undefined]])
})

test('who gives up names the node that did not answer, and quotes only who was asked', async () => {
  const said = async (before: (bed: RouterBed) => void, after: (bed: RouterBed) => void): Promise<string> => {
    const bed = new RouterBed(1)
    const client = new StubClient()
    bed.hint = () => undefined
    before(bed)
    schedule(bed, client, 0)
    await bed.clock.advanceBy(65)
    after(bed)
    await bed.clock.advanceBy(2 * DEADLINE_MS)
    const error = client.answers.get(0)?.[0]?.[0]
    return `${error?.code} ${error?.message}`
  }
  const silent = (bed: RouterBed): void => {
    bed.owners[0] = 'a'
    bed.mute.add('a')
    for (const node of ['a', 'b']) bed.open(node)
  }
  const refusedElsewhere = (bed: RouterBed): void => {
    bed.known = () => 'b'
    bed.lose('a')
  }
  const away = (bed: RouterBed): void => {
    bed.known = () => 'c'
  }
  expect(await said(silent, refusedElsewhere)).toMatch(/^NOT_DURABLE it was sent to node a, /)
  expect(await said(silent, bed => bed.lose('a'))).toMatch(/^NOT_DURABLE it was sent to node a, /)
  expect(await said(away, () => undefined)).toBe(
    'NOT_OWNER for 1000 ms no node took the call about the task: node c acts for it, and is not connected to this one',
  )
  expect(await said(refusedElsewhere, bed => bed.open('b'))).toBe(
    'NOT_OWNER for 1000 ms no node took the call about the task; node b was asked last and said: not b',
  )
  expect(
    await said(
      () => undefined,
      () => undefined,
    ),
  ).toMatch(/^NOT_OWNER no node that acts for the task was found in 1000 ms/)
})

test('60,000 calls that wait are tried as few, and all go once one of them is taken, in order', async () => {
  const bed = new RouterBed(4, { againMsMax: 500 })
  const client = new StubClient()
  bed.known = () => 'a'
  bed.hint = () => undefined
  for (let i = 0; i < 60_000; i++) schedule(bed, client, i, i % 4)
  const link = bed.open('a')
  let asked = 0
  link.heard = () => asked++
  await bed.clock.advanceBy(20)
  // What waited for a link is sent to it as a probe, one of each range.
  expect(asked).toBeLessThanOrEqual(8)
  await bed.clock.advanceBy(500)
  expect(asked).toBeLessThanOrEqual(4 * 8)
  bed.owners.fill('a')
  await bed.clock.advanceBy(DEADLINE_MS / 2)
  expect(bed.done.length).toBe(60_000)
  for (let range = 0; range < 4; range++) {
    const calls = bed.done.filter(key => key.startsWith(`${range}-`)).map(key => Number(key.split('-')[2]))
    expect(calls.every((call, i) => call === 4 * i + range)).toBe(true)
  }
})

test('calls that wait for results are asked again without an answer to the first of them', async () => {
  const bed = new RouterBed(1)
  const client = new StubClient()
  bed.ends = false
  bed.known = () => 'a'
  bed.hint = () => undefined
  for (let i = 0; i < 200; i++) bed.router.call(client, i, { method: 'result', id: `0-0-${i}-0` })
  const link = bed.open('a')
  await bed.clock.advanceBy(DEADLINE_MS / 2)
  expect(link.pending.size).toBeLessThan(200)
  bed.owners[0] = 'a'
  await bed.clock.advanceBy(DEADLINE_MS / 2)
  expect(link.pending.size).toBe(200)
})
