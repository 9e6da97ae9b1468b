/** Traces of stores that start again, or come, while others act (docs/protocols.md has the list): nothing is acted for twice. */

import { expect, test } from 'vitest'
import type { Process } from '../../sim/replication/process.ts'
import type { Message } from '../../src/replication/messages.ts'
import type { RangeReplica } from '../../src/replication/range-replica.ts'
import { Bed } from './bed.ts'

function processOf(bed: Bed, store: string): Process {
  const { process } = bed.site(store)
  if (process === undefined) throw new Error(`${store} is up`)
  return process
}

function replicaOf(bed: Bed, store: string): RangeReplica {
  const replica = processOf(bed, store).replication.replica(0)
  if (replica === undefined) throw new Error(`${store} does not hold the range`)
  return replica
}

/** The first of three has been away, the second acts; the first starts again, and the second hears nothing of it yet. */
function withRestart(): { bed: Bed; names: [string, string, string]; hears: () => void } {
  const bed = new Bed()
  const names = [...bed.list()] as [string, string, string]
  const [a, b] = names
  bed.crash(a)
  bed.pass(2000)
  expect(bed.armed()).toEqual([b])
  const late: Array<() => void> = []
  const process = processOf(bed, b)
  const { viewChanged, receive } = process
  process.viewChanged = view => void late.push(() => viewChanged.call(process, view))
  process.receive = (from, message) => {
    if (from === a) late.push(() => receive.call(process, from, message))
    else receive.call(process, from, message)
  }
  bed.restart(a)
  const hears = (): void => {
    Object.assign(process, { viewChanged, receive })
    for (const each of late.splice(0)) each()
  }
  return { bed, names, hears }
}

test('trace 53: who starts again does not act before who acts meanwhile has heard of it, and ceased', () => {
  const { bed, names, hears } = withRestart()
  const [a, b, c] = names
  bed.pass(2500)
  // C has answered: with it A knows all that was acknowledged.
  const { round } = replicaOf(bed, a)
  expect([...(round?.answers.keys() ?? [])]).toEqual([c])
  expect(bed.role(a)).toBe('activating')
  expect(bed.armed()).toEqual([b])
  hears()
  expect(bed.armed()).toEqual([])
  bed.pass(100)
  expect(bed.armed()).toEqual([a])
  expect(replicaOf(bed, a).unsure).toBe(false)
})

test('trace 53: who lives, and is not heard at all, is not waited for for ever', () => {
  const { bed, names } = withRestart()
  const [a, b] = names
  bed.pass(bed.world.protocol.unsureWhenActsMs + bed.world.protocol.unsureAfterStartMs)
  expect(bed.armed().sort()).toEqual([a, b].sort())
})

test('trace 53: who cannot be connected with is waited for as long as it takes to start', () => {
  const { bed, names } = withRestart()
  const [a, b] = names
  bed.world.network.cut(b, a)
  bed.pass(bed.world.protocol.unsureAfterStartMs + 200)
  expect(bed.role(a)).toBe('owner')
})

test('who has seen others act since it started does not wait for those that may be starting as well', () => {
  for (const hasSeen of [true, false]) {
    const bed = new Bed({}, { unsureAfterStartMs: 10_000 })
    const [a, b, c] = [...bed.list()] as [string, string, string]
    bed.crash(c)
    bed.pass(2000)
    if (!hasSeen) {
      bed.crash(a)
      bed.crash(b)
    }
    bed.restart(c)
    bed.pass(500)
    if (hasSeen) {
      bed.crash(a)
      bed.crash(b)
    }
    bed.pass(3000)
    expect([hasSeen, bed.role(c)]).toEqual([hasSeen, hasSeen ? 'owner' : 'activating'])
  }
})

test('trace 54: who is about to act disowns nothing, and nobody that stood in for it goes on', () => {
  const { bed, names, hears } = withRestart()
  const [a, , c] = names
  bed.pass(300)
  expect(bed.role(a)).toBe('activating')
  const disowns: string[] = []
  bed.world.saw = (from, _to, { type }: Message) => void (type === 'disown' && disowns.push(from))
  const viewId = processOf(bed, a).replication.view.id
  processOf(bed, a).receive(c, { type: 'overdue', range: 0, id: 'task', viewId })
  expect(disowns).toEqual([])
  const standIn = replicaOf(bed, c)
  standIn.standIn = true
  standIn.settle(bed.world.agenda.now)
  hears()
  bed.pass(500)
  expect([standIn.standIn, standIn.role]).toEqual([false, 'replica'])
  expect(bed.armed()).toEqual([a])
})

test('trace 54: an answer of a store that has begun to act since says nothing any more', () => {
  const { bed, names, hears } = withRestart()
  const [a, , c] = names
  bed.pass(300)
  const replica = replicaOf(bed, a)
  const { round } = replica
  if (round === undefined) throw new Error('it asks')
  expect(replica.activation.hasCeased(round, c)).toBe(true)
  const digest = { type: 'digest' as const, range: 0, hash: '', ready: true, active: true, durable: true }
  processOf(bed, a).receive(c, { ...digest, seen: 0, asks: false })
  expect(replica.activation.hasCeased(round, c)).toBe(false)
  hears()
  bed.pass(500)
  expect(bed.armed()).toEqual([a])
})

test('trace 55: time in which the process itself stood still counts against nobody', () => {
  const bed = new Bed()
  const [a, b] = [...bed.list()] as [string, string, string]
  bed.crash(a)
  bed.pass(2000)
  bed.restart(a)
  const process = processOf(bed, a)
  const { tick, receive } = process
  const late: Array<() => void> = []
  process.tick = () => {}
  process.receive = (from, message) => void late.push(() => receive.call(process, from, message))
  bed.pass(20_000)
  // What was late comes in the order in which it was due: first a timer.
  Object.assign(process, { tick, receive })
  process.tick()
  expect(bed.role(a)).toBe('activating')
  expect(bed.armed()).not.toContain(a)
  for (const each of late) each()
  bed.pass(1000)
  expect(bed.armed()).toEqual([a])
  expect(bed.role(b)).toBe('replica')
})

test('trace 56: a newcomer does not begin with half of a copy', () => {
  const bed = new Bed({ stores: 4 })
  const [a, , c] = [...bed.list()] as [string, string, string]
  const spare = bed.world.upSites().find(({ disk }) => !bed.list().includes(disk.store))?.disk.store as string
  for (let i = 0; i < 40; i++) bed.world.clients.call('create', `t${i}`, a, { at: bed.inMs(60_000) })
  bed.pass(500)
  bed.crash(c)
  for (let i = 0; i < 300 && !bed.list().includes(spare); i++) bed.pass(20)
  const replica = replicaOf(bed, spare)
  for (let i = 0; i < 300 && !replica.copying.isComing; i++) bed.pass(1)
  expect(replica.copying.isComing).toBe(true)
  // Nobody else is in sight, and it would act at once.
  for (const store of bed.list()) if (store !== spare) bed.site(store).process?.crash(0)
  const { replication } = processOf(bed, spare)
  const { quorum, list } = replica
  const isLive = (store: string): boolean => store === spare
  replication.viewChanged({
    id: 'ff',
    quorum,
    list: () => list,
    isLive,
    live: () => [],
    roster: () => list,
    goneSince: () => undefined,
  })
  expect([replica.role, replica.copying.isComing]).toEqual(['activating', true])
  // The copy ends without a chunk for so long; then it is alone, and acts.
  bed.pass(bed.world.protocol.copy.patienceMs + bed.world.protocol.unsureAfterMs + 500)
  expect(replica.role).toBe('owner')
})

test('trace 58: a newcomer does not act with nothing while those that have something live, and are only late', () => {
  const bed = new Bed({ ranges: 16 })
  const [founder] = bed.world.upSites()
  if (founder === undefined) throw new Error('one is up')
  const { process, disk } = bed.world.admit(founder)
  const send = bed.world.network.send.bind(bed.world.network)
  bed.world.network.send = (from, to, message: Message) => {
    if (to !== disk.store) send(from, to, message)
  }
  bed.pass(100)
  const first = [...(process?.replication.replicas() ?? [])].filter(({ list }) => list[0] === disk.store)
  expect(first.length).toBeGreaterThan(0)
  for (const replica of first) {
    for (const other of replica.list) if (other !== disk.store) replica.peer(other).isNew()
    replica.settle(bed.world.agenda.now)
  }
  const { unsureWhenActsMs, unsureWhenNewMs, unsureAfterStartMs } = bed.world.protocol
  bed.pass(unsureWhenActsMs + unsureAfterStartMs + 500)
  expect(first.map(({ role }) => role)).toEqual(first.map(() => 'activating'))
  // That they are late for ever is no reason to stand still for ever.
  bed.pass(unsureWhenNewMs)
  expect(first.map(({ role, unsure }) => [role, unsure])).toEqual(first.map(() => ['owner', true]))
})

test('trace 59: of newcomers alone that are the list of a range none is sure before those that kept it are heard', () => {
  const bed = new Bed({ ranges: 16 })
  const founders = bed.world.upSites()
  const [founder] = founders
  if (founder === undefined) throw new Error('one is up')
  // All have come before the first of them is told of who is there.
  for (let i = 0; i < 6; i++)
    founder.table.join({ store: `s${4 + i}`, boot: 1, incarnation: 0, state: 'live', at: 0 })
  const admitted = Array.from({ length: 6 }, () => bed.world.admit(founder))
  expect(admitted.map(({ disk }) => disk.store)).toEqual(['s4', 's5', 's6', 's7', 's8', 's9'])
  const isNew = (store: string): boolean => admitted.some(({ disk }) => disk.store === store)
  const send = bed.world.network.send.bind(bed.world.network)
  // What founders say is late.
  bed.world.network.send = (from, to, message: Message) => {
    if (isNew(from)) send(from, to, message)
  }
  const newLists = () =>
    admitted
      .flatMap(({ process }) => [...(process?.replication.replicas() ?? [])])
      .filter(({ list, parts }) => list.includes(parts.self) && list.every(isNew))
  bed.pass(2000)
  expect(newLists().length).toBeGreaterThan(3)
  expect(
    newLists()
      .filter(({ role, unsure }) => role === 'owner' && !unsure)
      .map(({ range }) => range),
  ).toEqual([])
  bed.world.network.send = send
  bed.pass(4000)
  for (const { range } of newLists()) expect(bed.armed(range)).toHaveLength(1)
  expect(
    newLists()
      .filter(({ ready }) => !ready)
      .map(({ range }) => range),
  ).toEqual([])
})
