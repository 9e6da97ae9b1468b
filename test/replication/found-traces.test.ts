/** Traces that the explorer found, and those of reads that end late (docs/protocols.md has the list). */

import { expect, test } from 'vitest'
import type { Message } from '../../src/replication/messages.ts'
import type { RangeReplica } from '../../src/replication/range-replica.ts'
import { Bed } from './bed.ts'

function replicaOf(bed: Bed, store: string): RangeReplica {
  const replica = bed.site(store).process?.replication.replica(0)
  if (replica === undefined) throw new Error(`${store} does not hold the range`)
  return replica
}

function spareOf(bed: Bed): string {
  const list = bed.list()
  return bed.world.upSites().find(({ disk }) => !list.includes(disk.store))?.disk.store as string
}

test('trace 33: a minted creation that is repeated waits for activation, since it may be done and gone', () => {
  const bed = new Bed()
  const [a, b, c] = [...bed.list()] as [string, string, string]
  bed.world.clients.lostOf = 1
  const op = bed.world.clients.call('create', 'task', a, { minted: true })
  bed.pass(2500)
  expect(bed.starts('task')).toEqual([a])
  expect(bed.site(b).process?.records.get(0, 'task')).toBeUndefined()
  for (const store of [a, b, c]) bed.crash(store)
  bed.world.clients.lostOf = 0
  bed.restart(a)
  bed.pass(900)
  // It is asked again and again, and takes what is new only.
  expect(bed.role(a)).toBe('activating')
  expect(replicaOf(bed, a).takesMinted).toBe(true)
  expect(op.answeredAt).toBeNaN()
  bed.restart(b)
  bed.restart(c)
  expect(bed.answered(op).outcome).toBe('done')
  bed.pass(1000)
  expect(bed.starts('task')).toEqual([a])
})

test('trace 34: a sync that ends after the range was let go says nothing of it', () => {
  const bed = new Bed()
  const [a, b] = [...bed.list()] as [string, string]
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(60_000) }))
  bed.pass(500)
  const replica = replicaOf(bed, b)
  expect(replica.applied.isEmpty).toBe(false)
  const synced = replica.flush(bed.world.agenda.now)
  replica.letGo()
  while (replica.role === 'deleting') bed.pass(0.1)
  expect(replica.synced.isEmpty).toBe(true)
  synced()
  expect(replica.synced.isEmpty).toBe(true)
})

test('trace 35: who has handed the range over hands a relay on', () => {
  const bed = new Bed({ stores: 4 })
  const [a, b] = [...bed.list()] as [string, string]
  const spare = spareOf(bed)
  bed.site(a).process?.replication.handOver()
  bed.pass(500)
  expect(bed.armed()).toEqual([b])
  const relays: string[] = []
  const send = bed.world.network.send.bind(bed.world.network)
  bed.world.network.send = (from, to, message: Message) => {
    if (message.type === 'relay') relays.push(`${from} ${to} ${message.hops}`)
    else send(from, to, message)
  }
  const relay = { source: 1, id: 'task', definition: new Uint8Array(0), origin: spare, hops: 2 }
  bed.site(a).process?.receive(spare, { type: 'relay', range: 0, ...relay })
  expect(relays).toEqual([`${a} ${b} 1`])
  bed.site(a).process?.receive(spare, { type: 'relay', range: 0, ...relay, hops: 0 })
  expect(relays).toHaveLength(1)
})

test('trace 36: of several that act, also unsure ones, the later of the list yield', () => {
  const bed = new Bed()
  const [a, b, c] = [...bed.list()] as [string, string, string]
  bed.pass(2000)
  for (const store of [b, c]) {
    const replica = replicaOf(bed, store)
    replica.standIn = true
    replica.settle(bed.world.agenda.now)
  }
  bed.pass(30)
  for (const store of [a, b, c]) replicaOf(bed, store).unsure = true
  bed.pass(2000)
  expect(bed.armed()).toEqual([a])
})

test('trace 39: a view that comes while a range is let go does not bring its context back to the disk', () => {
  const bed = new Bed({ stores: 4 })
  const [a, b, c] = [...bed.list()] as [string, string, string]
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(60_000) }))
  bed.pass(500)
  bed.site(b).slowUntil = Number.POSITIVE_INFINITY
  replicaOf(bed, b).letGo()
  bed.world.remove(c)
  expect(bed.role(b)).toBe('deleting')
  bed.site(b).slowUntil = 0
  bed.pass(1000)
  const kinds = bed.site(b).disk.entries.map(({ kind }) => kind)
  const [gone, deleted] = [kinds.indexOf('delete-state'), kinds.indexOf('delete-records')]
  expect(gone).toBeGreaterThan(-1)
  expect(kinds.slice(gone, deleted)).not.toContain('state')
  // And it knows that there was another list.
  expect(replicaOf(bed, b).lists.all.map(({ members }) => [...members].sort())).toContainEqual(
    [a, b, c].sort(),
  )
  bed.pass(4000)
  expect(bed.holders('task')).toContain(b)
})

test('trace 40: a chunk whose records were being read when its copy ended is not taken', () => {
  const bed = new Bed({ stores: 4 })
  const [a, , c] = [...bed.list()] as [string, string, string]
  const spare = spareOf(bed)
  for (let i = 0; i < 6; i++) bed.world.clients.call('create', `t${i}`, a, { at: bed.inMs(60_000) })
  bed.pass(500)
  const { process } = bed.site(spare)
  if (process === undefined) throw new Error('it is up')
  const late: Array<() => void> = []
  const load = process.load.bind(process)
  process.load = (range, ids, done) => void late.push(() => load(range, ids, done))
  bed.crash(c)
  for (let i = 0; i < 300 && late.length === 0; i++) bed.pass(20)
  const replica = replicaOf(bed, spare)
  expect([replica.copying.incoming?.chunk, replica.inbox.isBusy]).toEqual([0, true])
  replica.letGo()
  expect(replica.inbox.isBusy).toBe(false)
  for (const read of late.splice(0)) read()
  bed.pass(600)
  expect(process.records.of(0).size).toBe(0)
  expect(replica.applied.isEmpty).toBe(true)
  // It is in the list: it copies anew.
  process.load = load
  for (const read of late.splice(0)) read()
  bed.pass(3000)
  expect(bed.holders('t3')).toContain(spare)
})

test('trace 41: records of a copy that ended half way are in custody, and go', () => {
  const bed = new Bed({ stores: 4 })
  const [a] = bed.list() as [string]
  const spare = spareOf(bed)
  for (let i = 0; i < 6; i++) bed.world.clients.call('create', `t${i}`, a, { at: bed.inMs(60_000) })
  bed.pass(500)
  const { process } = bed.site(spare)
  if (process === undefined) throw new Error('it is up')
  const late: Array<() => void> = []
  const page = process.page.bind(process)
  process.page = (...args) => void late.push(() => page(...args))
  process.receive(a, { type: 'copy-offer', range: 0 })
  for (let i = 0; i < 50 && late.length === 0; i++) bed.pass(2)
  expect(process.records.of(0).size).toBe(2)
  const want = replicaOf(bed, spare).copying.incoming
  if (want === undefined) throw new Error('a copy comes in')
  process.receive(a, { type: 'copy-end', range: 0, copy: want.copy })
  process.page = page
  for (const read of late) read()
  bed.pass(20)
  expect(bed.role(spare)).toBe('outside')
  bed.pass(3000)
  expect(process.records.of(0).size).toBe(0)
})

/** A mesh of 16 ranges that has just let a store in; `send` is what its network did before a test changes that. */
function withNewcomer() {
  const bed = new Bed({ ranges: 16 })
  const [founder] = bed.world.upSites()
  if (founder === undefined) throw new Error('one is up')
  const newcomer = bed.world.admit(founder)
  const send = bed.world.network.send.bind(bed.world.network)
  const replicas = () => [...(newcomer.process?.replication.replicas() ?? [])]
  return { bed, store: newcomer.disk.store, send, replicas }
}

test('trace 51: a newcomer that nobody has told who is ready does not act for what it has nothing of', () => {
  const { bed, store, send, replicas } = withNewcomer()
  // It lives, as far as anybody can tell, and what it is told of ranges is late.
  bed.world.network.send = (from, to, message: Message) => {
    if (to !== store) send(from, to, message)
  }
  bed.pass(100)
  const first = replicas().filter(({ list }) => list[0] === store)
  expect(first.length).toBeGreaterThan(0)
  for (const replica of first) {
    for (const other of replica.list) if (other !== store) replica.peer(other).isNew()
    replica.settle(bed.world.agenda.now)
  }
  bed.pass(4000)
  expect(first.map(({ role }) => role)).toEqual(first.map(() => 'activating'))
  bed.world.network.send = send
  bed.pass(2000)
  expect(first.map(({ role, unsure, ready }) => [role, unsure, ready])).toEqual(
    first.map(() => ['owner', false, true]),
  )
  for (const { range } of first) expect(bed.armed(range)).toEqual([store])
})

test('trace 52: who waits for the word of one that acts asks again those who did not yet', () => {
  const { bed, store, send, replicas } = withNewcomer()
  let isEarly = true
  bed.world.network.send = (from, to, message: Message) => {
    const isWord = isEarly && to === store && message.type === 'tail'
    send(from, to, isWord ? { ...message, active: false } : message)
  }
  const listed = () => replicas().filter(({ list, role }) => list.includes(store) && role === 'replica')
  bed.pass(1500)
  expect(listed().filter(({ ready }) => !ready).length).toBeGreaterThan(0)
  isEarly = false
  bed.pass(3000)
  expect(listed().filter(({ ready }) => !ready)).toEqual([])
})

test('trace 62: two that were away at once do not know of the list that acknowledged meanwhile, and are not sure', () => {
  const bed = new Bed({ stores: 4 })
  const [a, b, c] = [...bed.list()] as [string, string, string]
  const spare = spareOf(bed)
  for (const store of [b, c]) bed.crash(store)
  bed.pass(2000)
  expect(bed.list()).toEqual([a, b, c, spare])
  expect(bed.answered(bed.world.clients.call('create', 'task', a)).outcome).toBe('done')
  bed.pass(500)
  expect(bed.starts('task')).toEqual([a])
  for (const store of [a, spare]) bed.crash(store)
  for (const store of [b, c]) bed.restart(store)
  bed.pass(2000)
  // A majority of the one list that they know of, and no store of the other that was a majority.
  expect(bed.armed()).toEqual([b])
  expect([replicaOf(bed, b).unsure, bed.world.history.unsure]).toEqual([true, 1])
  // With one of them at most could be something that nobody else has.
  bed.restart(spare)
  bed.pass(3000)
  expect(bed.armed().map(store => replicaOf(bed, store).unsure)).toEqual([false])
})

test('who restarts is told of the lists by who was there, and is sure without the rest of the roster', () => {
  const bed = new Bed({ stores: 6 })
  const [a, b, c, ...others] = [...bed.list(), ...bed.world.upSites().map(({ disk }) => disk.store)]
  const spares = others.filter(store => ![a, b, c].includes(store))
  for (const store of [b, c] as string[]) {
    bed.crash(store)
    bed.restart(store)
    bed.pass(1500)
    expect(replicaOf(bed, store).knowsLists).toBe(true)
  }
  expect(bed.armed()).toEqual([a])
  for (const store of [a, ...spares] as string[]) bed.crash(store)
  bed.pass(3000)
  expect(bed.armed()).toEqual([b])
  expect(bed.world.history.unsure).toBe(0)
})

test('trace 63: a copy brings nothing that a crash of its source undoes', () => {
  const bed = new Bed({ seed: 3, stores: 4 })
  const [a] = bed.list() as [string]
  const spare = spareOf(bed)
  bed.answered(bed.world.clients.call('create', 't0', a, { at: bed.inMs(60_000) }))
  bed.pass(500)
  bed.site(a).slowUntil = Number.POSITIVE_INFINITY
  bed.world.clients.call('create', 't1', a, { at: bed.inMs(60_000) })
  bed.pass(5)
  const source = bed.site(a).process
  const copied = bed.site(spare).process
  if (source === undefined || copied === undefined) throw new Error('both are up')
  expect([...source.records.of(0).keys()]).toEqual(['t0', 't1'])
  expect(bed.site(a).disk.synced).toBeLessThan(bed.site(a).disk.entries.length)
  copied.receive(a, { type: 'copy-offer', range: 0 })
  bed.pass(30)
  expect([...copied.records.of(0).keys()]).toEqual([])
  bed.pass(800)
  expect([...copied.records.of(0).keys()]).toEqual(['t0', 't1'])
})

test('trace 64: what only a copied record tells of, as its source has lost its disk, gets its copies', () => {
  const bed = new Bed({ seed: 3, stores: 4 })
  const [a, , c] = [...bed.list()] as [string, string, string]
  const spare = spareOf(bed)
  for (let i = 0; i < 6; i++) bed.world.clients.call('create', `t${i}`, a, { at: bed.inMs(60_000) })
  bed.pass(500)
  const send = bed.world.network.send.bind(bed.world.network)
  const held: Array<() => void> = []
  bed.world.network.send = (from, to, message: Message) => {
    if (message.type === 'append' || message.type === 'copy-offer') return
    if (message.type !== 'copy-chunk') send(from, to, message)
    else if (message.chunk === 0) held.push(() => send(from, to, message))
  }
  bed.crash(c)
  for (let i = 0; i < 300 && !bed.list().includes(spare); i++) bed.pass(20)
  bed.world.clients.retryMs = 9000
  const op = bed.world.clients.call('create', 'a0', a, { at: bed.inMs(600) })
  bed.pass(30)
  bed.site(spare).process?.receive(a, { type: 'copy-offer', range: 0 })
  bed.pass(20)
  for (const give of held) give()
  bed.pass(20)
  const { process } = bed.site(spare)
  if (process === undefined) throw new Error('it is up')
  expect([...process.records.of(0).keys()]).toEqual(['a0', 't0'])
  // It does not come back.
  bed.crash(a)
  bed.world.network.send = send
  bed.restart(c)
  bed.pass(4000)
  const [owner] = bed.armed() as [string]
  const dots = bed.site(owner).process?.records.get(0, 'a0')?.dots ?? []
  expect(replicaOf(bed, owner).applied.coversAll(dots)).toBe(false)
  expect(op.answeredAt).toBeNaN()
  expect(bed.answered(op, 12_000).outcome).toBe('done')
  expect(bed.starts('a0')).toEqual([owner])
  expect(replicaOf(bed, owner).applied.coversAll(dots)).toBe(true)
})

test('changes follow on one that is known alone, with holes before it', () => {
  const bed = new Bed({ seed: 3 })
  const [a, b, c] = [...bed.list()] as [string, string, string]
  bed.answered(bed.world.clients.call('create', 't0', a, { at: bed.inMs(60_000) }))
  const replica = replicaOf(bed, a)
  const actor = bed.world.actors.learn(Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9))
  replica.joined(replica.applied.withAlone(actor, 4), bed.world.agenda.now)
  bed.pass(1000)
  for (const store of [a, b, c]) expect(replicaOf(bed, store).applied.covers(actor, 4)).toBe(true)
  const create = (id: string) => bed.world.clients.call('create', id, undefined, { at: bed.inMs(60_000) })
  expect(bed.answered(create('t1'), 1200).outcome).toBe('done')
  // One that starts with them, and one that has them by a copy.
  bed.crash(a)
  bed.restart(a)
  bed.pass(1500)
  expect(bed.answered(create('t2'), 1200).outcome).toBe('done')
  bed.crash(a)
  bed.pass(2000)
  expect(bed.answered(create('t3'), 1200).outcome).toBe('done')
})

test('what comes in while records are read waits, in order, and is bounded', () => {
  const bed = new Bed()
  const [a, b] = [...bed.list()] as [string, string]
  const { process } = bed.site(b)
  if (process === undefined) throw new Error('it is up')
  const late: Array<() => void> = []
  const load = process.load.bind(process)
  process.load = (range, ids, done) => void late.push(() => load(range, ids, done))
  bed.world.clients.call('create', 't0', a, { at: bed.inMs(60_000) })
  bed.pass(20)
  for (let i = 1; i < 200; i++) {
    bed.world.clients.call('create', `t${i}`, a, { at: bed.inMs(60_000) })
    bed.pass(4)
  }
  // One is read for, and B has none of them.
  expect(late).toHaveLength(1)
  expect(bed.holders('t0')).not.toContain(b)
  process.load = load
  for (const read of late) read()
  // As long as a read takes at most.
  bed.pass(400)
  expect(bed.holders('t0')).toContain(b)
  // What there was no room for is sent again, or copied.
  bed.pass(10_000)
  for (const id of ['t1', 't199']) expect(bed.holders(id)).toContain(b)
  expect(bed.world.history.broken).toEqual([])
})

test.each([0, 1])(
  'a live record that a store (number %i of the list) has lost without a hole comes back',
  n => {
    const bed = new Bed()
    const list = bed.list()
    bed.answered(bed.world.clients.call('create', 'task', list[0], { at: bed.inMs(60_000) }))
    bed.pass(1000)
    bed
      .site(list[n] as string)
      .process?.records.of(0)
      .delete('task')
    expect(bed.holders('task')).toHaveLength(2)
    bed.pass(5000)
    expect(bed.holders('task')).toEqual([...list].sort())
  },
)

test('trace 65: what was lost is sent again, also while more is sent all the time', () => {
  const bed = new Bed()
  const [a, ...others] = [...bed.list()] as [string, string, string]
  const restore = others.map(store => {
    const { process } = bed.site(store)
    if (process === undefined) throw new Error(`${store} is up`)
    const { receive } = process
    process.receive = (from, message) => {
      if (message.type !== 'append') receive.call(process, from, message)
    }
    return () => Object.assign(process, { receive })
  })
  const lost = bed.world.clients.call('create', 'lost', a, { at: bed.inMs(60_000) })
  bed.pass(50)
  for (const each of restore) each()
  for (let i = 0; i < 20; i++) {
    bed.world.clients.call('create', `more-${i}`, a, { at: bed.inMs(60_000) })
    bed.pass(50)
  }
  expect(lost.outcome).toBe('done')
})
