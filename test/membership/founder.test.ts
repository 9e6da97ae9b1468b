import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { Founder } from '../../src/membership/founder.ts'
import type { FoundingMessage } from '../../src/membership/founding.ts'
import type { Members } from '../../src/membership/members.ts'
import { Peers } from '../../src/membership/peers.ts'
import { MembershipDisk } from '../../src/membership/persistence.ts'
import { TIMINGS } from '../../src/membership/timings.ts'
import { recordOf, storeId } from '../support/membership.ts'

/** A founder among three, whose disk syncs when the test says so. */
function bench() {
  const sights = { mayFound: true }
  const sent: FoundingMessage[] = []
  const syncs: Array<() => void> = []
  let writes = 0
  const store = {
    getMany: async () => [],
    cursor: () => ({ next: async () => [], close: async () => {} }),
    write: () => {
      writes++
      return new Promise<void>(resolve => syncs.push(resolve))
    },
  }
  const disk = new MembershipDisk(store, error => {
    throw error
  })
  const peers = new Peers({ self: 'n1', connect: () => {}, forget: () => {} })
  for (const number of [2, 3]) {
    const peer = peers.connected(`n${number}`, undefined, 0)
    const record = recordOf(number)
    peers.introduced(
      peer,
      {
        type: 'hello',
        role: 'node',
        seen: true,
        want: false,
        admitted: false,
        record,
        startSeq: 0,
        journalSeq: 0,
        starts: [],
        expect: 3,
        viewId: '0'.repeat(16),
        fresh: [],
      },
      undefined,
    )
  }
  const decided: string[] = []
  const founder = new Founder(
    {
      random: new SeededRandom('founder'),
      // All that a founder asks of the members is our own record.
      members: { own: recordOf(1) } as Members,
      peers,
      disk,
      lookout: { mayFound: () => sights.mayFound },
      send: (_node, message) => sent.push(message),
    },
    { self: storeId(1), expect: 3, ranges: 16, replicas: 3, timings: TIMINGS.lan, seeded: true },
    { decided: value => decided.push(value.meshId), refused: () => {} },
    undefined,
    0,
  )
  for (const { hello } of peers.all) founder.met(hello as NonNullable<typeof hello>, 0)
  const turn = () => new Promise(resolve => setImmediate(resolve))
  const sync = async () => {
    await turn()
    for (const resolve of syncs.splice(0)) resolve()
    await turn()
  }
  return { founder, sights, sent, decided, sync, turn, writes: () => writes }
}

test('a promise and an acceptance are told only when they are on disk (F1)', async () => {
  const { founder, sent, sync, turn, writes } = bench()
  const ballot = { counter: 1, store: storeId(2) }
  founder.receive(storeId(2), { type: 'prepare', ballot, expect: 3, seen: [] }, 0)
  await turn()
  expect(writes()).toBe(1)
  expect(sent).toEqual([])
  await sync()
  expect(sent.map(({ type }) => type)).toEqual(['promise'])
  const founders = [recordOf(2), recordOf(3)]
  const value = { meshId: 'ab'.repeat(16), expect: 3, ranges: 16, replicas: 3, founders }
  founder.receive(storeId(2), { type: 'accept', ballot, value, seen: [] }, 0)
  await turn()
  expect(sent).toHaveLength(1)
  await sync()
  expect(sent.map(({ type }) => type)).toEqual(['promise', 'accepted'])
})

test('a prepare is sent when the own promise is on disk, and the decree is told when the own acceptance is', async () => {
  const { founder, sent, decided, sync, turn } = bench()
  // All are here: it waits for rest, and then for its turn.
  founder.beat(TIMINGS.lan.foundingSettleMs)
  founder.beat(TIMINGS.lan.foundingSettleMs + 2 * TIMINGS.lan.helloMs)
  await turn()
  expect(sent).toEqual([])
  await sync()
  const [prepare] = sent
  expect(prepare?.type).toBe('prepare')
  const { ballot } = prepare as Extract<FoundingMessage, { type: 'prepare' }>
  founder.receive(storeId(2), { type: 'promise', ballot, accepted: undefined, seen: [] }, 0)
  await turn()
  expect(sent.some(({ type }) => type === 'accept')).toBe(false)
  await sync()
  expect(sent.some(({ type }) => type === 'accept')).toBe(true)
  expect(decided).toEqual([])
  founder.receive(storeId(2), { type: 'accepted', ballot }, 0)
  expect(decided).toHaveLength(1)
})

test('who may not found neither proposes nor promises nor accepts, and does once it may (F5)', async () => {
  const { founder, sights, sent, sync } = bench()
  sights.mayFound = false
  const ballot = { counter: 1, store: storeId(2) }
  const prepare: FoundingMessage = { type: 'prepare', ballot, expect: 3, seen: [] }
  const founders = [recordOf(2), recordOf(3)]
  const value = { meshId: 'ab'.repeat(16), expect: 3, ranges: 16, replicas: 3, founders }
  for (let now = 0; now < 20_000; now += 500) {
    founder.beat(now)
    founder.receive(storeId(2), prepare, now)
    founder.receive(storeId(2), { type: 'accept', ballot, value, seen: [] }, now)
  }
  await sync()
  expect(sent).toEqual([])
  sights.mayFound = true
  founder.receive(storeId(2), prepare, 20_000)
  await sync()
  expect(sent.map(({ type }) => type)).toEqual(['promise'])
})

test('who may not found still counts who is there (F3)', () => {
  const { founder, sights } = bench()
  sights.mayFound = false
  const ballot = { counter: 1, store: storeId(2) }
  founder.receive(storeId(2), { type: 'prepare', ballot, expect: 3, seen: [storeId(4)] }, 0)
  expect(founder.stopped).toBe(true)
})
