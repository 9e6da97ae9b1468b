/** The traces of PROTOCOLS part D that concern replication, each by its number, on stores that run the shipped code. */

import { describe, expect, test } from 'vitest'
import { check } from '../../sim/replication/checkers.ts'
import { Disk, statesOf } from '../../sim/replication/disk.ts'
import { Context } from '../../src/replication/context.ts'
import { wantedOf } from '../../src/replication/exchange.ts'
import { FormerLists } from '../../src/replication/lists.ts'
import type { Message } from '../../src/replication/messages.ts'
import { Bed } from './bed.ts'

/** First, second and third of the list. */
function stores(bed: Bed): [string, string, string] {
  return [...bed.list()] as [string, string, string]
}

describe('trace 1: the owner dies', () => {
  test('the next one fires what only another store had, and nothing that was cancelled there', () => {
    const bed = new Bed()
    const [a, b, c] = stores(bed)
    // B hears nothing of it: the copies are at A and C.
    bed.cut([b], [a, c])
    const made = bed.answered(bed.world.clients.call('create', 'late', a, { at: bed.inMs(900) }))
    const gone = bed.answered(bed.world.clients.call('create', 'gone', a, { at: bed.inMs(900) }))
    const cancel = bed.answered(bed.world.clients.call('cancel', 'gone', a))
    for (const op of [made, gone, cancel]) expect(op.outcome).toBe('done')
    bed.crash(a)
    bed.heal()
    bed.pass(5000)
    expect(bed.armed()).toEqual([b])
    expect(bed.starts('late')).toEqual([b])
    expect(bed.starts('gone')).toEqual([])
    expect(bed.world.history.unsure).toBe(0)
  })
})

test('trace 2: a change that was sent and not synced keeps its dot: the next start is another actor', () => {
  const bed = new Bed()
  const [a, b] = stores(bed)
  bed.site(a).slowUntil = Number.POSITIVE_INFINITY
  bed.world.clients.call('create', 'one', a, { at: bed.inMs(60_000) })
  bed.pass(30)
  expect(bed.holders('one')).toContain(b)
  const { disk } = bed.site(a)
  bed.site(a).process?.crash(0)
  bed.site(a).process = undefined
  bed.site(a).slowUntil = 0
  disk.boot--
  bed.restart(a)
  bed.pass(2500)
  bed.answered(bed.world.clients.call('create', 'two', a, { at: bed.inMs(60_000) }))
  bed.pass(1000)
  expect(bed.world.history.broken).toEqual([])
  expect(bed.holders('one')).toEqual([...bed.list()].sort())
  expect(bed.holders('two')).toEqual([...bed.list()].sort())
})

test('trace 3: who is alone acknowledges nothing', () => {
  const bed = new Bed()
  const [a, b, c] = stores(bed)
  bed.cut([a], [b, c])
  bed.pass(3000)
  const op = bed.world.clients.call('create', 'task', a, { at: bed.inMs(60_000) })
  bed.pass(20)
  const { replication } = bed.site(a).process ?? {}
  expect(replication?.view.isLive(b)).toBe(false)
  expect(bed.holders('task')).toEqual([a])
  expect(op.answeredAt).toBeNaN()
})

test('trace 4: two owners in a cut have a log each, and what both wrote is merged', () => {
  const bed = new Bed({ stores: 4 })
  const [a, b, c] = stores(bed)
  const others = bed.world.upSites().map(({ disk }) => disk.store)
  bed.cut(
    [a],
    others.filter(store => store !== a),
  )
  bed.pass(2000)
  bed.world.clients.call('create', 'left', a, { at: bed.inMs(60_000) })
  const right = bed.answered(bed.world.clients.call('create', 'right', b, { at: bed.inMs(60_000) }))
  expect(right.outcome).toBe('done')
  bed.pass(300)
  bed.heal()
  bed.pass(4000)
  for (const id of ['left', 'right']) expect(bed.holders(id)).toEqual([a, b, c].sort())
  expect(check(bed.world, 'healed')).toEqual([])
})

test('trace 5: what ended while a store was away is not brought back by it', () => {
  const bed = new Bed()
  const [a, b, c] = stores(bed)
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(700) }))
  bed.pass(100)
  bed.crash(c)
  bed.pass(3000)
  expect(bed.starts('task')).toEqual([a])
  bed.restart(c)
  bed.pass(6000)
  expect(bed.starts('task')).toEqual([a])
  expect(bed.holders('task')).toEqual([])
  // And it goes everywhere once all know.
  for (const store of [a, b, c]) expect(bed.site(store).process?.records.of(0).size).toBe(0)
})

describe('trace 6: a range that is left', () => {
  test('goes context first: a start between the two finds records that cover nothing', () => {
    const disk = new Disk('s')
    const context = Context.from([{ actor: 0, n: 1 }])
    const list = ['s']
    const state = { context, lists: FormerLists.NONE, list, quorum: 1, ready: true }
    disk.entries.push({ kind: 'state', range: 0, state }, { kind: 'delete-state', range: 0 })
    expect(statesOf(disk.entries).size).toBe(0)
  })

  test('is deleted in that order, and only when the whole list has confirmed', () => {
    const bed = new Bed({ stores: 4 })
    const [a, b, c] = stores(bed)
    const spare = bed.world
      .upSites()
      .map(({ disk }) => disk.store)
      .find(store => ![a, b, c].includes(store))
    bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(60_000) }))
    bed.crash(c)
    bed.pass(5000)
    // C is gone, the spare store has its place; now C comes back, and the spare one has to leave again.
    expect(bed.holders('task')).toContain(spare)
    bed.restart(c)
    bed.pass(5000)
    expect(bed.holders('task')).toEqual([a, b, c].sort())
    const { entries } = bed.site(spare as string).disk
    const kinds = entries.map(({ kind }) => kind)
    expect(kinds.lastIndexOf('delete-state')).toBeGreaterThan(-1)
    expect(kinds.indexOf('delete-records')).toBeGreaterThan(kinds.indexOf('delete-state'))
  })

  test('and a hole covers nothing: a record that it may be of is not dropped for it', () => {
    const holed = Context.from([{ actor: 1, n: 5 }], [{ actor: 1, n: 3 }])
    expect(holed.coversAll([{ actor: 1, n: 2 }])).toBe(true)
    expect(holed.coversAll([{ actor: 1, n: 4 }])).toBe(false)
    expect(holed.join(Context.from([{ actor: 1, n: 4 }])).coversAll([{ actor: 1, n: 5 }])).toBe(true)
  })
})

test('trace 7: a new store takes its copy while the range is served; the seal is for the tail only', () => {
  const bed = new Bed()
  const [a] = stores(bed)
  for (let i = 0; i < 30; i++) bed.world.clients.call('create', `t${i}`, a, { at: bed.inMs(60_000) })
  bed.pass(500)
  bed.answered(bed.world.clients.call('create', 'busy', a, { at: bed.inMs(100), everyMs: 100, count: 40 }))
  bed.world.admit(bed.site(a))
  bed.pass(3000)
  const starts = bed.world.history.starts.filter(({ id }) => id === 'busy').map(({ at }) => at)
  const gaps = starts.slice(1).map((at, i) => at - (starts[i] as number))
  expect(starts.length).toBeGreaterThan(20)
  expect(Math.max(...gaps)).toBeLessThan(400)
  const [owner] = bed.armed() as [string]
  bed.site(owner).process?.replication.handOver()
  bed.pass(200)
  expect(bed.armed()).toHaveLength(1)
  expect(bed.armed()).not.toEqual([owner])
  expect(bed.world.history.unsure).toBe(0)
})

test('trace 8: after a power cut nobody starts anything before it has heard enough', () => {
  const bed = new Bed()
  const [a, b, c] = stores(bed)
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(400) }))
  bed.pass(1000)
  expect(bed.starts('task')).toEqual([a])
  for (const store of [a, b, c]) bed.crash(store)
  bed.restart(b)
  bed.pass(1000)
  // Alone it would not know of the end.
  expect(bed.armed()).toEqual([])
  for (const store of [a, c]) bed.restart(store)
  bed.pass(3000)
  expect(bed.armed()).toEqual([a])
  expect(bed.starts('task')).toEqual([a])
})

test('trace 9: an occurrence that is nobody’s by two views is somebody’s soon', () => {
  const bed = new Bed()
  const [a, b, c] = stores(bed)
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(800) }))
  bed.pass(50)
  // A believes that B is to act, which believes that A is: both mistake the other's readiness.
  const replicaOf = (store: string) => bed.site(store).process?.replication.replica(0)
  for (const store of [a, b, c]) {
    const replica = replicaOf(store)
    if (replica === undefined) throw new Error('it is in the list')
    if (store === a) replica.released = true
    else replica.peer(a).ready = true
  }
  bed.world.saw = () => undefined
  const send = bed.world.network.send.bind(bed.world.network)
  // The gossip that would tell them is lost.
  bed.world.network.send = (from, to, message: Message) => {
    const { type } = message
    if (from === a && (type === 'digest' || type === 'tail')) return
    send(from, to, message)
  }
  replicaOf(a)?.settle(bed.world.agenda.now)
  expect(bed.armed()).toEqual([])
  bed.pass(5000)
  expect(bed.starts('task').length).toBeGreaterThan(0)
})

test('trace 10: a completed id that is made again is a new task, also after its record has gone', () => {
  const bed = new Bed()
  const [a] = stores(bed)
  bed.answered(bed.world.clients.call('create', 'task', a, { madeAt: bed.inMs(5000) }))
  bed.pass(2500)
  expect(bed.site(a).process?.records.get(0, 'task')).toBeUndefined()
  // The clock of its second caller is behind that of the first.
  const again = bed.answered(bed.world.clients.call('create', 'task', a, { madeAt: bed.inMs(-5000) }))
  bed.pass(2500)
  const lives = bed.world.history.starts.filter(({ id }) => id === 'task').map(({ life }) => life)
  expect(lives).toHaveLength(2)
  expect(lives[1]).toBeGreaterThan(lives[0] as number)
  expect(again.outcome).toBe('done')
})

test('trace 11: a request whose answer was lost makes nothing twice, though its task is done and gone', () => {
  const bed = new Bed()
  const [a, b] = stores(bed)
  bed.world.clients.lostOf = 1
  const op = bed.world.clients.call('create', 'task', a)
  bed.pass(3000)
  expect(bed.site(a).process?.records.get(0, 'task')).toBeUndefined()
  bed.crash(a)
  bed.pass(3000)
  bed.world.clients.lostOf = 0
  expect(bed.answered(op).outcome).toBe('done')
  bed.pass(500)
  expect(bed.armed()).toEqual([b])
  expect(bed.starts('task')).toEqual([a])
})

test('trace 12: the same id at two owners is one task', () => {
  const bed = new Bed({ stores: 4 })
  const [a, b, c] = stores(bed)
  const others = bed.world.upSites().map(({ disk }) => disk.store)
  bed.cut(
    [a],
    others.filter(store => store !== a),
  )
  bed.pass(2000)
  for (const store of [a, b]) bed.world.clients.call('create', 'key', store, { at: bed.inMs(9000) })
  bed.pass(300)
  bed.heal()
  bed.pass(4000)
  const texts = [a, b, c].map(store => {
    const records = bed.site(store).process?.records
    const record = records?.get(0, 'key')
    return record && records?.canonical(record)
  })
  expect(texts[0]).toBeDefined()
  expect(new Set(texts).size).toBe(1)
  bed.pass(6000)
  expect(bed.starts('key')).toHaveLength(1)
})

test('trace 25: a chunk that comes after custody has deleted joins nothing', () => {
  const bed = new Bed({ stores: 4 })
  const [a, b, c] = stores(bed)
  const spare = bed.world
    .upSites()
    .map(({ disk }) => disk.store)
    .find(each => ![a, b, c].includes(each))
  for (let i = 0; i < 60; i++) bed.world.clients.call('create', `t${i}`, a, { at: bed.inMs(60_000) })
  bed.pass(1000)
  const late: Array<() => void> = []
  const send = bed.world.network.send.bind(bed.world.network)
  bed.world.network.send = (from, to, message: Message) => {
    const isLast = message.type === 'copy-chunk' && message.upTo === undefined && to === spare
    if (isLast) late.push(() => send(from, to, message))
    else send(from, to, message)
  }
  bed.crash(c)
  bed.pass(4500)
  expect(late.length).toBeGreaterThan(0)
  bed.restart(c)
  bed.pass(3000)
  expect(bed.role(spare as string) ?? 'none').toBe('none')
  for (const deliver of late) deliver()
  bed.pass(2000)
  const replica = bed.site(spare as string).process?.replication.replica(0)
  expect(replica?.applied.isEmpty ?? true).toBe(true)
  expect(bed.holders('t7')).toEqual([a, b, c].sort())
})

test('trace 26: of two replaces at once the end of the one that lost does not close the other', () => {
  const bed = new Bed({ stores: 4 })
  const [a, b] = stores(bed)
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(60_000) }))
  bed.pass(500)
  const others = bed.world.upSites().map(({ disk }) => disk.store)
  bed.cut(
    [a],
    others.filter(store => store !== a),
  )
  bed.pass(2000)
  // A replaces first, and runs its own; the later one, on the other side, wins, and is due only after the heal.
  bed.world.clients.call('create', 'task', a, { at: bed.inMs(100) })
  bed.pass(300)
  const winner = bed.answered(bed.world.clients.call('create', 'task', b, { at: bed.inMs(5000) }))
  expect(winner.outcome).toBe('done')
  bed.heal()
  bed.pass(8000)
  const ran = bed.world.history.completions.filter(({ id }) => id === 'task').map(({ instant }) => instant)
  expect(ran).toContain(winner.instants[0])
})

test('trace 27: a disk image that starts again is another store, and says only what it has', () => {
  const bed = new Bed({ stores: 4 })
  const [a, b] = stores(bed)
  bed.answered(bed.world.clients.call('create', 'one', a, { at: bed.inMs(9000) }))
  const image = bed.site(a).disk.image()
  bed.answered(bed.world.clients.call('create', 'two', a, { at: bed.inMs(9000) }))
  bed.crash(a)
  bed.pass(500)
  bed.world.admit(bed.site(b), image)
  bed.pass(6000)
  bed.answered(bed.world.clients.call('create', 'three', b, { at: bed.inMs(5000) }))
  bed.pass(9000)
  for (const id of ['one', 'two', 'three']) expect(bed.starts(id)).toHaveLength(1)
  expect(bed.world.history.broken).toEqual([])
})

test('trace 28: a known request is acknowledged by its copies, not by being known', () => {
  const bed = new Bed()
  const [a, b, c] = stores(bed)
  bed.cut([a], [b, c])
  const op = bed.world.clients.call('create', 'task', a, { at: bed.inMs(60_000) })
  bed.pass(400)
  expect(bed.holders('task')).toEqual([a])
  // The caller repeats it, at the same store.
  const replica = bed.site(a).process?.replication.replica(0)
  let copies = 0
  replica?.acknowledge({ actor: replica.next().actor, n: 1 }, 'majority', count => {
    copies = count
  })
  bed.pass(200)
  expect([op.answeredAt, copies]).toEqual([Number.NaN, 0])
  bed.heal()
  bed.pass(1500)
  expect(copies).toBeGreaterThanOrEqual(2)
  expect(bed.answered(op).outcome).toBe('done')
})

test('trace 29: a cancel is firm only when every store has it that could start the task', () => {
  const bed = new Bed()
  const [a, b, c] = stores(bed)
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(60_000) }))
  bed.pass(300)
  bed.cut([c], [a, b])
  const cancel = bed.answered(bed.world.clients.call('cancel', 'task', a))
  bed.pass(3500)
  expect([cancel.outcome, cancel.firmAt]).toEqual(['done', Number.NaN])
  bed.heal()
  bed.pass(3000)
  expect(cancel.firmAt).toBeGreaterThan(cancel.answeredAt)
})

// Those that the explorer found.

test('trace 30: an end that all have does not drop a record before all that they had is here too', () => {
  const bed = new Bed()
  const [a, b, c] = stores(bed)
  bed.world.clients.retryMs = Number.POSITIVE_INFINITY
  bed.cut([a], [b, c])
  bed.pass(1500)
  // B makes it as well, which nobody else hears; and then takes A's log, with its cancel, before A has B's.
  bed.world.clients.call('create', 'task', b, { at: bed.inMs(3000), madeAt: 5 })
  bed.world.clients.call('create', 'task', a, { at: bed.inMs(3000), madeAt: 5 })
  bed.pass(200)
  bed.world.clients.call('cancel', 'task', a)
  bed.pass(100)
  const send = bed.world.network.send.bind(bed.world.network)
  bed.world.network.send = (from, to, message: Message) => {
    if (to !== a || message.type !== 'append') send(from, to, message)
  }
  bed.heal()
  bed.pass(1200)
  bed.world.network.send = send
  bed.pass(4000)
  expect(bed.starts('task')).toEqual([])
  expect(bed.holders('task')).toEqual([])
})

test('trace 31: the end of a task that comes before its creation is not lost', () => {
  const bed = new Bed()
  const [a, b, c] = stores(bed)
  const send = bed.world.network.send.bind(bed.world.network)
  // C hears nothing of what A writes.
  bed.world.network.send = (from, to, message: Message) => {
    const isOfA = message.type === 'append' && to === c && from === a
    if (!isOfA) send(from, to, message)
  }
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(2500) }))
  bed.crash(a)
  bed.pass(1800)
  expect(bed.answered(bed.world.clients.call('cancel', 'task', b)).outcome).toBe('done')
  bed.pass(3000)
  expect(bed.starts('task')).toEqual([])
  expect(bed.holders('task')).toEqual([])
})

test('trace 32: a former list is asked by the W that it had', () => {
  const three = ['a', 'b', 'c']
  // R is 5. Three stores were all there were, and two of them acknowledged; then the roster grew to five.
  const lists = FormerLists.NONE.add(three, 2, 1000)
  expect(lists.open.map(wantedOf)).toEqual([2])
  expect(wantedOf({ members: three, quorum: 3 })).toBe(1)
  // Of two words about one list the lesser W stays: it asks more.
  expect(FormerLists.NONE.add(three, 3, 2000).join(lists).open.map(wantedOf)).toEqual([2])
})

test('trace 37: who held nothing of a range still asks the list that kept it', () => {
  const bed = new Bed({ stores: 5 })
  const [a, b, c] = stores(bed)
  const others = bed.world
    .upSites()
    .map(({ disk }) => disk.store)
    .filter(store => ![a, b, c].includes(store))
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(60_000) }))
  bed.cut([a, b, c], others)
  bed.pass(6000)
  // All of the list is gone for the others: they are the list now, and know that they know too little.
  const replica = bed.site(others[0] as string).process?.replication.replica(0)
  expect(replica?.list.every(store => others.includes(store))).toBe(true)
  expect(replica?.lists.open.map(({ members }) => [...members].sort())).toContainEqual([a, b, c].sort())
  const acting = others.map(store => bed.site(store).process?.acting.get(0)).find(each => each !== undefined)
  expect(acting?.unsure).toBe(true)
  bed.heal()
  bed.pass(5000)
  expect(bed.holders('task')).toEqual([a, b, c].sort())
})

test('trace 38: a change to a record that a copy brought goes with what the record includes', () => {
  const bed = new Bed()
  const [a] = stores(bed)
  const replica = bed.site(a).process?.replication.replica(0)
  if (replica === undefined) throw new Error('it is in the list')
  // The record includes a change of another actor, of which the copy has not brought the context yet.
  const foreign = bed.world.actors.learn(Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9))
  const has = replica.applied
  replica.wrote(new Uint8Array(1), [{ actor: foreign, n: 4 }])
  const [entry] = replica.log.lacking(replica.applied, has, 1000) ?? []
  expect(entry?.after).toContainEqual({ actor: foreign, n: 4 })
})

test('trace 42: the same stores in another order have another owner, by every view', () => {
  const bed = new Bed()
  const before = bed.list()
  for (const { process } of bed.world.upSites()) {
    const view = process?.replication.view
    if (process === undefined || view === undefined) continue
    process.replication.viewChanged({
      id: 'f'.repeat(16),
      quorum: view.quorum,
      list: range => [...view.list(range)].reverse(),
      isLive: store => view.isLive(store),
      live: () => view.live(),
      roster: () => view.roster(),
      goneSince: store => view.goneSince(store),
    })
    expect(process.replication.owner(0)).toBe(before.at(-1))
  }
})

test('trace 43: of two that go at once neither hands over to the other', () => {
  const bed = new Bed()
  const [first, second, third] = bed.list() as [string, string, string]
  for (const store of [first, second]) bed.site(store).process?.replication.handOver()
  for (let i = 0; i < 40; i++) {
    bed.pass(50)
    for (const store of [first, second]) bed.site(store).process?.replication.handOver()
  }
  expect(bed.armed()).toEqual([third])
})

test('trace 44: who keeps nothing of a range is answered, and sent nothing of it', () => {
  const bed = new Bed({ stores: 4, replicas: 2 })
  const [a, b] = stores(bed)
  bed.answered(bed.world.clients.call('create', 'a', a, { at: bed.inMs(60_000) }))
  const other = bed.world
    .upSites()
    .map(({ disk }) => disk.store)
    .find(store => store !== a && store !== b) as string
  const { network } = bed.world
  const sent: string[] = []
  const send = network.send.bind(network)
  network.send = (from, to, message) => {
    if (from === a && to === other) sent.push(message.type)
    send(from, to, message)
  }
  const { process } = bed.site(a)
  const viewId = process?.replication.view.id ?? ''
  process?.receive(other, {
    ...{ type: 'tail', range: 0, kind: 'ask', number: 1, viewId, context: Context.EMPTY },
    ...{ lists: FormerLists.NONE, knows: false, ready: false, active: false, durable: true },
  })
  bed.pass(1000)
  // It would have to let go of it again, and ask others that once kept the range, who would then hold it in turn.
  expect(sent).toEqual(['tail'])
  expect(bed.holders('a').sort()).toEqual([a, b].sort())
})

test('trace 45: who was told of no list in between hears of it from those that it asks', () => {
  const bed = new Bed({ stores: 6, replicas: 2 })
  const [a, b] = stores(bed)
  const [c, d, e, f] = bed.world
    .upSites()
    .map(({ disk }) => disk.store)
    .filter(store => store !== a && store !== b) as [string, string, string, string]
  const processOf = (store: string) =>
    bed.site(store).process as NonNullable<ReturnType<Bed['site']>['process']>
  for (const store of [a, b, c, d, e, f]) processOf(store).viewChanged = () => undefined
  const see = (
    seeing: readonly string[],
    list: readonly string[],
    id: string,
    away: readonly string[] = [],
  ): void => {
    for (const store of seeing) {
      processOf(store).replication.viewChanged({
        ...{ id: id.padStart(16, '0'), quorum: 2, list: () => list },
        ...{ isLive: store => !away.includes(store), goneSince: () => undefined },
        live: () => [a, b, c, d, e, f].filter(store => !away.includes(store)),
        roster: () => [a, b, c, d, e, f],
      })
    }
  }
  const cancelled = bed.answered(bed.world.clients.call('create', 't', a, { at: bed.inMs(60_000) }))
  expect(cancelled.outcome).toBe('done')
  // They still run something of it, and keep what they have.
  for (const store of [a, b]) processOf(store).isBusy = () => true
  see([a, b, c, d], [c, d], '1')
  bed.pass(1000)
  bed.cut([a, b, e, f], [c, d])
  expect(bed.answered(bed.world.clients.call('cancel', 't', c)).outcome).toBe('done')
  see([a, b, e, f], [e, f], '2', [c, d])
  bed.pass(2000)
  // It knows that c and d may have acknowledged what it has not: with the lists of the own disk alone it would be sure.
  expect(bed.armed()).toContain(e)
  expect(processOf(e).replication.replica(0)?.unsure).toBe(true)
})

test('trace 46: an old change that comes beside a copy makes no task that the copy has the end of', () => {
  const bed = new Bed({ stores: 4, replicas: 2 })
  const [a, b] = stores(bed)
  const other = bed.world
    .upSites()
    .map(({ disk }) => disk.store)
    .find(store => store !== a && store !== b) as string
  const { network } = bed.world
  const appends: Message[] = []
  const wants: Message[] = []
  const send = network.send.bind(network)
  network.send = (from, to, message) => {
    if (message.type === 'append') appends.push(message)
    if (from !== other) return send(from, to, message)
    if (message.type === 'copy-want') wants.push(message)
  }
  bed.answered(bed.world.clients.call('create', 'a', a, { at: bed.inMs(60_000) }))
  const [append] = appends
  const { process } = bed.site(other)
  if (append?.type !== 'append' || process === undefined) throw new Error('the creation is sent')
  const { actor, n } = append.entries.at(-1) ?? { actor: 0, n: 0 }
  process.receive(a, { type: 'copy-offer', range: 0 })
  const [want] = wants
  if (want?.type !== 'copy-want') throw new Error('the copy is asked for')
  const chunk = {
    type: 'copy-chunk',
    ...{ range: 0, copy: want.copy, records: [], extras: Buffer.from('[]') },
    context: Context.from([{ actor, n: n + 5 }]),
  } as const
  process.receive(a, { ...chunk, chunk: 0, after: '', upTo: 'b' })
  bed.pass(200)
  process.receive(b, append)
  bed.pass(200)
  process.receive(a, { ...chunk, chunk: 1, after: 'b', upTo: undefined })
  bed.pass(200)
  expect(process.replication.replica(0)?.applied.of(actor)).toBe(n + 5)
  expect([...process.records.of(0).keys()]).toEqual([])
})
