/** What a store of a mesh does that one alone does not, case by case. */

import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../../src/lib/bytes.ts'
import { Context } from '../../src/replication/context.ts'
import type { TaskStoreOptions } from '../../src/store/task-store.ts'
import { NEVER, type Run, TaskRecord } from '../../src/task/record.ts'
import { save, stateOf } from './mesh-states.ts'
import { Rooms } from './rooms.ts'
import { CALLER, definition, OPTIONS, StoreBed } from './test-bed.ts'

const MESH: Partial<TaskStoreOptions> = { ranges: 2, replicated: true, requestWindowMs: 1e14 }

async function meshBed(options: Partial<TaskStoreOptions> = {}): Promise<StoreBed> {
  const bed = new StoreBed({ ...MESH, ...options })
  await bed.open()
  for (const range of [0, 1]) save(bed, range)
  return bed
}

/** Ends the task of an id at once. */
function finish(bed: StoreBed, id: string): TaskRecord {
  const rooms = new Rooms(bed)
  rooms.carryOut('create', id, false, 0)
  const record = bed.tasks.peek(id) as TaskRecord
  rooms.carryOut('finish', id, false, 0)
  return record
}

describe('a store that joins a mesh', () => {
  test('is taken over with what its index and its journal have, and is never alone again', async () => {
    const bed = new StoreBed({ ranges: 2 })
    await bed.open()
    const rooms = new Rooms(bed)
    for (const id of ['a', 'b', 'c', 'd']) rooms.carryOut('create', id, false, 0)
    await bed.settle()
    rooms.carryOut('pause', 'a', false, 0)
    rooms.carryOut('create', 'e', false, 0)
    await bed.drain()
    const { actor } = bed.tasks.identity
    const counts = [0, 1].map(range => bed.tasks.journal.nextN(range) - 1)
    bed.crash()
    await bed.open({ replicated: true })
    const { states, withRecords } = bed.started
    for (const range of [0, 1]) {
      const state = states.get(range)
      expect([...(state?.context.dots() ?? [])]).toEqual([{ actor: actor.index, n: counts[range] }])
      expect(state).toMatchObject({ list: [], quorum: 0, ready: false })
    }
    expect([...withRecords].sort()).toEqual([0, 1])
    const records = await bed.run(bed.tasks.load(['a', 'b', 'c', 'd', 'e']))
    expect(records.map(record => record?.paused)).toEqual([true, false, false, false, false])
    expect(bed.tasks.requests.find(CALLER, 0, 1e6, 1e6)).toBeDefined()
    bed.crash()
    await expect(bed.open({ replicated: false })).rejects.toMatchObject({ code: 'MESH_STORE' })
  })

  test('is refused alone when only its journal says that it was one of a mesh', async () => {
    const bed = await meshBed()
    await bed.drain()
    bed.crash()
    await expect(bed.open({ replicated: false })).rejects.toMatchObject({ code: 'MESH_STORE' })
    bed.crash()
    await bed.open()
    expect(bed.started.states.get(0)).toMatchObject({ ready: true, quorum: 2 })
  })
})

describe('an ended record', () => {
  test('is gone for who asks by its id, and stays until all have its end', async () => {
    const bed = await meshBed()
    const { tasks, states } = bed
    const record = finish(bed, 'a')
    const { range } = record
    expect([tasks.peek('a'), record.gone, tasks.lastLifeOf('a')]).toEqual(['absent', true, record.life])
    expect((await bed.run(tasks.page(undefined, 10))).records).toEqual([])
    expect((await bed.run(tasks.pageOf(range, undefined, 10))).heads).toMatchObject([
      { id: 'a', ended: true },
    ])
    const context = states.all.get(range)?.context as Context
    const [dot] = [...context.dots()]
    tasks.stable(range, Context.from([{ actor: dot?.actor as number, n: (dot?.n as number) - 1 }]))
    expect(tasks.endedIn(range)).toEqual([record])
    tasks.stable(range, context)
    expect(tasks.endedIn(range)).toEqual([])
    expect(states.all.get(range)?.context.life).toBe(record.life)
    expect(tasks.endedDroppedEarly).toBe(0)
    await bed.settle()
    expect(await bed.dump('t')).toEqual([])
  })

  test('makes place for a new life of its id', async () => {
    const bed = await meshBed()
    const before = finish(bed, 'a')
    new Rooms(bed, 1).carryOut('create', 'a', false, 0)
    const now = bed.tasks.peek('a') as TaskRecord
    expect([now.life > before.life, now.firstLife]).toEqual([true, false])
    expect(bed.tasks.endedIn(before.range)).toEqual([])
  })

  test('comes to mind after a start by its due key, and goes when it was kept for long enough', async () => {
    const bed = await meshBed({ endedKeepMs: 1000, journal: { ...OPTIONS.journal, segmentChangesMax: 1 } })
    const { range } = finish(bed, 'a')
    await bed.settle()
    bed.crash()
    await bed.open()
    const { tasks } = bed
    expect(tasks.endedIn(range)).toEqual([])
    const keys = (await bed.dump('d')).map(([key]) => key)
    expect(keys.length).toBe(1)
    expect(await bed.run(tasks.loadDue(keys))).toEqual([{ id: 'a', record: undefined }])
    const [record] = tasks.endedIn(range)
    const endAt = record?.runs[0]?.endedAt as number
    tasks.sweepEnded(endAt + 999)
    expect(tasks.endedIn(range)).toEqual([record])
    tasks.sweepEnded(endAt + 1000)
    expect([tasks.endedIn(range), tasks.endedDroppedEarly]).toEqual([[], 1])
    expect(bed.states.all.get(range)?.context.life).toBe(record?.life)
    await bed.settle()
    expect([await bed.dump('t'), await bed.dump('d')]).toEqual([[], []])
  })

  test('goes early, the oldest first, when they are too many', async () => {
    const bed = await meshBed({ endedBytesMax: 2000 })
    const ids = ['a', 'b', 'c', 'd', 'e', 'f']
    for (const id of ids) finish(bed, id)
    bed.tasks.sweepEnded(0)
    const kept = [0, 1].flatMap(range => bed.tasks.endedIn(range)).map(({ id }) => id)
    expect(kept.sort()).toEqual(ids.slice(ids.length - kept.length))
    expect(bed.tasks.endedDroppedEarly).toBe(ids.length - kept.length)
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.length).toBeLessThan(ids.length)
  })

  test('that a greater version revives is live again', async () => {
    const bed = await meshBed()
    const peer = new StoreBed(MESH, 'peer')
    await peer.open()
    for (const range of [0, 1]) save(peer, range)
    const changes: Array<{ range: number; n: number; bytes: Uint8Array }> = []
    peer.wrote = (range, bytes, _, { n }) => void changes.push({ range, n, bytes })
    const rooms = new Rooms(peer)
    rooms.carryOut('create', 'a', false, 0)
    const [made] = changes
    const actor = bed.tasks.actors.learn(peer.tasks.identity.actor.startId)
    const apply = ({ range, n, bytes }: (typeof changes)[number]) => bed.tasks.apply(range, actor, n, bytes)
    const { record } = apply(made as (typeof changes)[number])
    expect(bed.tasks.peek('a')).toBe(record)
    new Rooms(bed, 1).carryOut('cancel', 'a', false, 0)
    expect([record?.gone, bed.tasks.peek('a')]).toEqual([true, 'absent'])
    rooms.carryOut('create', 'a', true, 0)
    rooms.carryOut('create', 'a', true, 0)
    const applied = changes.slice(1).map(apply)
    expect(applied.at(-1)?.record).toBe(record)
    expect([record?.gone, bed.tasks.peek('a')]).toEqual([false, record])
  })
})

describe('ended runs of a record', () => {
  test('stay until all have them, but no more than a hundred', async () => {
    const bed = await meshBed()
    const { tasks, states } = bed
    const rooms = new Rooms(bed)
    rooms.carryOut('create', 'a', true, 0)
    const record = tasks.peek('a') as TaskRecord
    for (let i = 0; i < 5; i++) rooms.carryOut('finish', 'a', true, 0)
    expect(record.runs.length).toBe(5)
    tasks.release(record)
    tasks.stable(record.range, states.all.get(record.range)?.context as Context)
    expect(record.runs).toEqual([])
    for (let i = 0; i < 150; i++) rooms.carryOut('finish', 'a', true, 0)
    expect(record.runs.length).toBe(100)
    expect(record.runs.at(-1)?.instant).toBe(record.lastAt)
  })

  test('trace 47: that were pruned elsewhere come to a store that has them open as no longer open', async () => {
    const bed = await meshBed()
    const peer = new StoreBed(MESH, 'peer')
    await peer.open()
    for (const range of [0, 1]) save(peer, range)
    const rooms = new Rooms(peer)
    rooms.carryOut('create', 'a', true, 0)
    rooms.carryOut('trigger', 'a', true, 0)
    const { range } = peer.tasks.peek('a') as TaskRecord
    const copy = (): Uint8Array => peer.tasks.encodeRecord(range, 'a') as Uint8Array
    const old = copy()
    const { record } = bed.tasks.adopt(range, old)
    const [open] = record?.runs ?? []
    rooms.carryOut('start', 'a', true, 0)
    rooms.carryOut('complete', 'a', true, 0)
    peer.tasks.stable(range, peer.states.all.get(range)?.context as Context)
    expect(peer.tasks.peek('a')).toMatchObject({ runs: [] })
    const merged = bed.tasks.adopt(range, copy())
    expect([merged.record === record, record?.runs, merged.forgotten, merged.ended]).toEqual([
      ...[true, [], [open], []],
    ])
    // Nor does an older copy, or a replay, bring it back.
    expect(bed.tasks.adopt(range, old)).toMatchObject({ forgotten: [], ended: [] })
    await bed.drain()
    bed.crash()
    await bed.open()
    for (const { tasks } of [bed, peer]) await bed.run(tasks.load(['a']))
    expect(bed.tasks.canonical(bed.tasks.peek('a') as TaskRecord)).toBe(
      peer.tasks.canonical(peer.tasks.peek('a') as TaskRecord),
    )
    expect(bed.tasks.peek('a')).toMatchObject({ runs: [] })
  })

  // One that may not leave fills the memory for as long as a single store is away, and nothing that is due is read any more.
  test('keep nothing in memory, and go when their record comes again', async () => {
    const bed = await meshBed({ journal: { ...OPTIONS.journal, segmentChangesMax: 1 } })
    const { tasks, states } = bed
    const rooms = new Rooms(bed)
    rooms.carryOut('create', 'a', true, 0)
    const { range } = tasks.peek('a') as TaskRecord
    rooms.carryOut('finish', 'a', true, 0)
    await bed.settle()
    expect(tasks.peek('a')).toBeUndefined()
    expect(bed.evicted).toEqual(['a'])
    const [again] = await bed.run(tasks.load(['a']))
    expect(again?.isPrunable).toBe(true)
    tasks.stable(range, states.all.get(range)?.context as Context)
    expect(again?.isPrunable).toBe(false)
  })
})

describe('a follow-up that waits in the range of its run', () => {
  test('is seen by nobody but replication, stays in memory, and is read first after a start', async () => {
    const bed = await meshBed({ journal: { ...OPTIONS.journal, segmentChangesMax: 1 } })
    const range = 1 - bed.tasks.rangeOf('a')
    new Rooms(bed).followUp(range, 'a')
    await bed.settle()
    const { tasks } = bed
    const [record] = tasks.outboxOf(range)
    expect(record).toMatchObject({ id: 'a', outbox: true, segment: 0, gone: false })
    expect(tasks.peek('a')).toBeUndefined()
    expect(await bed.run(tasks.load(['a']))).toEqual([undefined])
    expect((await bed.run(tasks.page(undefined, 10))).records).toEqual([])
    expect([[...tasks.records()], tasks.size]).toEqual([[], 1])
    bed.crash()
    await bed.open()
    const cursor = bed.tasks.dueCursor(range, Uint8Array.of(0x64, 0, range), 1)
    const keys = (await bed.run(cursor.next(10))).map(([key]) => key)
    await bed.run(bed.tasks.loadDue(keys))
    expect([...bed.tasks.outboxOf(range)]).toMatchObject([{ id: 'a', outbox: true }])
  })
})

describe('a range that was let go of', () => {
  test('has nothing at once, whatever the index has, and what comes later stays', async () => {
    const bed = await meshBed({ journal: { ...OPTIONS.journal, segmentChangesMax: 3 } })
    const rooms = new Rooms(bed)
    const ids = ['a', 'b', 'c', 'd', 'e', 'f']
    for (const id of ids) rooms.carryOut('create', id, false, 0)
    await bed.settle()
    const { tasks } = bed
    const mine = ids.filter(id => tasks.rangeOf(id) === 0)
    const others = ids.filter(id => tasks.rangeOf(id) === 1)
    expect(mine.length).toBeGreaterThan(1)
    tasks.deleteState(0)
    tasks.deleteRecords(0)
    bed.states.all.delete(0)
    bed.freshActor(0)
    expect(mine.map(id => tasks.peek(id))).toEqual(mine.map(() => 'absent'))
    expect(tasks.loadIn(0, mine)).toBeUndefined()
    expect(await bed.run(tasks.pageOf(0, undefined, 10))).toEqual({ heads: [], isLast: true })
    const listed = (await bed.run(tasks.page(undefined, 10))).records.map(({ id }) => id)
    expect(listed.sort()).toEqual(others)
    expect(await bed.run(tasks.dueCursor(0, Uint8Array.of(0x64, 0, 0), NEVER).next(10))).toEqual([])
    save(bed, 0, stateOf())
    const [again = ''] = mine
    rooms.carryOut('create', again, false, 0)
    await bed.settle()
    expect((await bed.run(tasks.pageOf(0, undefined, 10))).heads).toMatchObject([{ id: again }])
    bed.crash()
    await bed.open()
    expect((await bed.run(bed.tasks.pageOf(0, undefined, 10))).heads).toMatchObject([{ id: again }])
    expect((await bed.run(bed.tasks.page(undefined, 10))).records.length).toBe(others.length + 1)
  })
})

describe('requests of a mesh', () => {
  test('that were answered and forgotten are refused where a copy came from who knows, after a start too', async () => {
    const [bed, peer] = [await meshBed(), await meshBed()]
    const madeAt = bed.clock.now()
    peer.tasks.requests.add(CALLER, 7, 7, madeAt)
    peer.tasks.requests.raiseMark(CALLER, 8, madeAt)
    const found = () => bed.tasks.requests.find(CALLER, 7, madeAt, bed.clock.now())
    expect(found()).toBeUndefined()
    bed.tasks.adoptExtras(0, peer.tasks.encodeExtras(0))
    expect(found).toThrow(expect.objectContaining({ code: 'TOO_OLD' }))
    await bed.settle()
    bed.crash()
    await bed.open()
    expect(found).toThrow(expect.objectContaining({ code: 'TOO_OLD' }))
    expect(bed.tasks.requests.find(CALLER, 8, madeAt, bed.clock.now())).toBeUndefined()
  })

  test('know the change that they made, after a start too, until they are too old', async () => {
    const bed = await meshBed({
      requestWindowMs: 60_000,
      journal: { ...OPTIONS.journal, segmentChangesMax: 2 },
    })
    const madeAt = bed.clock.now()
    const record = new TaskRecord<Run>(
      'a',
      bed.tasks.rangeOf('a'),
      madeAt,
      true,
      definition('a', { n: 7, madeAt }),
    )
    record.actor = bed.tasks.actorOf(record.range)
    bed.tasks.created(record)
    record.setPaused(true, 1, record.actor)
    const request = { caller: CALLER, n: 9, answer: '{"paused":true}' }
    bed.tasks.updated(record, { times: true, register: 'paused', request })
    const found = () => [7, 8, 9].map(n => bed.tasks.requests.find(CALLER, n, madeAt, bed.clock.now()))
    const { range, actor } = record
    const expected = [
      { answer: undefined, dot: { range, actor, n: 1 } },
      undefined,
      { answer: '{"paused":true}', dot: { range, actor, n: 2 } },
    ]
    expect(found()).toMatchObject(expected)
    await bed.settle()
    bed.crash()
    await bed.open()
    expect(await bed.dump('j')).toEqual([])
    expect(found()).toMatchObject(expected)
    bed.tasks.requests.add(CALLER, 7, 7, madeAt)
    expect(found()[0]).toMatchObject(expected[0] as object)
    bed.tasks.requests.raiseMark(CALLER, 9, madeAt)
    expect(() => bed.tasks.requests.find(CALLER, 8, madeAt, bed.clock.now())).toThrow(/more than 60000 ms/)
    await bed.clock.advanceBy(700_000)
    for (const state of [stateOf(), stateOf(), stateOf()]) save(bed, 0, state)
    await bed.settle()
    expect(() => found()).toThrow(/more than 60000 ms/)
    // The value on the disk went with its time; what is left is how far the caller has its answers.
    const values = (await bed.dump('q')).map(([, value]) => Buffer.from(value).toString())
    expect(values).toEqual([expect.not.stringContaining('paused')])
  })
})

describe('a store whose commits are synced at intervals', () => {
  test('syncs what a waiting change needs at once, also if it was written before', async () => {
    const journal = { ...OPTIONS.journal, durability: 'interval', intervalMs: 50_000 } as const
    const bed = await meshBed({ journal })
    await bed.drain()
    const { syncCount } = bed.disk
    let isTold = false
    bed.tasks.journal.syncNext()
    bed.tasks.afterSync(() => {
      isTold = true
    })
    expect(isTold).toBe(false)
    bed.tasks.flush()
    await bed.clock.advanceBy(100)
    expect([isTold, bed.disk.syncCount]).toEqual([true, syncCount + 1])
    bed.tasks.saveState(0, stateOf())
    bed.tasks.flush()
    bed.tasks.journal.syncNext()
    bed.tasks.afterSync(() => {
      expect(bed.disk.syncCount).toBe(syncCount + 2)
      isTold = false
    })
    await bed.clock.advanceBy(100)
    expect(isTold).toBe(false)
    bed.crash()
    await bed.open()
    expect(bed.started.states.size).toBe(2)
  })
})

describe('a journal of a mesh that lost a blob', () => {
  test('stops the start, and leaves holes in its contexts after a repair', async () => {
    const bed = await meshBed({ journal: { ...OPTIONS.journal, segmentChangesMax: 1000 } })
    const rooms = new Rooms(bed)
    const range = bed.tasks.rangeOf('a')
    for (const verb of ['create', 'pause', 'pause', 'pause'] as const) {
      rooms.carryOut(verb, 'a', true, 0)
      await bed.drain()
    }
    const actor = bed.tasks.actorOf(range)
    bed.crash()
    const blobs = (await bed.dump('j')).map(([key]) => key)
    await bed.overwrite(blobs[2] as Uint8Array, Uint8Array.of(1, 2, 3))
    await expect(bed.open()).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    bed.crash()
    await bed.open({ repair: true })
    const { context } = bed.started.states.get(range) ?? stateOf()
    expect([context.of(actor), context.holes]).toEqual([4, [{ actor, n: 3 }]])
    expect([...bed.tasks.rangeRecords(range)]).toMatchObject([{ id: 'a', pausedVersion: { rev: 3 } }])
  })
})

describe('what others wrote', () => {
  test('is refused when it can not be read, and then nothing was journaled', async () => {
    const bed = await meshBed()
    const peer = new StoreBed(MESH, 'peer')
    await peer.open()
    for (const range of [0, 1]) save(peer, range)
    const changes: Uint8Array[] = []
    peer.wrote = (_, bytes) => void changes.push(bytes)
    const rooms = new Rooms(peer)
    rooms.carryOut('create', 'a', true, 0)
    rooms.carryOut('finish', 'a', true, 0)
    rooms.carryOut('pause', 'a', true, 0)
    const range = peer.tasks.rangeOf('a')
    const copy = peer.tasks.encodeRecord(range, 'a') as Uint8Array
    const extras = peer.tasks.encodeExtras(range)
    await bed.settle()
    const { tasks } = bed
    const actor = tasks.actors.learn(peer.tasks.identity.actor.startId)
    const { bytesWritten } = tasks.journal
    for (const bytes of changes) {
      for (let length = 0; length < bytes.length; length++) {
        if (length > 40 && length < bytes.length - 10) continue
        // A payload may be cut and still be one.
        const read = () => tasks.apply(range, actor, 1, bytes.slice(0, length))
        expect(read, `${length} of ${bytes.length}`).toThrow(
          expect.objectContaining({ name: 'CorruptBytes' }),
        )
      }
    }
    for (let at = 0; at < copy.length; at++) {
      const flipped = Uint8Array.from(copy)
      flipped[at] = (flipped[at] as number) ^ 4
      expect(() => tasks.adopt(range, flipped)).toThrow(expect.objectContaining({ name: 'CorruptBytes' }))
    }
    for (let length = 0; length < extras.length; length++) {
      expect(() => tasks.adoptExtras(range, extras.slice(0, length))).toThrow(
        expect.objectContaining({ name: 'CorruptBytes' }),
      )
    }
    const many = new ByteWriter()
    many.u8(2)
    many.varuint(1_000_000)
    expect(() => tasks.adoptExtras(range, many.take())).toThrow(/1000000 of at most/)
    await bed.settle()
    expect(tasks.journal.bytesWritten).toBe(bytesWritten)
    expect([...tasks.rangeRecords(range)]).toEqual([])
    tasks.adopt(range, copy)
    tasks.adoptExtras(range, extras)
    expect(tasks.encodeRecord(range, 'a')).toEqual(copy)
    expect(tasks.headOf(range, copy)).toMatchObject({ id: 'a', ended: false, isHere: true })
  })
})
