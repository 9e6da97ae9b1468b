/**
 * Journals whose bytes are not what was written: cut short, with a flipped bit, missing, or in another's place. A replay
 * says so, or cuts a torn end off; it never makes a record of them that was not.
 */

import { beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.ts'
import { ByteWriter, CorruptBytes } from '../../src/lib/bytes.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import {
  type Actor,
  beginBlob,
  beginEntry,
  ENTRY,
  endEntry,
  openBlob,
  sealBlob,
} from '../../src/store/blob.ts'
import { History } from '../../src/store/history.ts'
import { journalKey, setAsideKey, taskKey } from '../../src/store/keys.ts'
import { Memory } from '../../src/store/memory.ts'
import { type Identity, startIdentity } from '../../src/store/meta.ts'
import { type Replayed, replay } from '../../src/store/replay.ts'
import { AloneReader } from '../../src/store/replay-alone.ts'
import { RequestLog } from '../../src/store/requests.ts'
import { decodeSnapshot, encodeSnapshot } from '../../src/store/snapshot.ts'
import { writeCreated, writeUpdate } from '../../src/task/change.ts'
import { Run, TaskRecord } from '../../src/task/record.ts'
import { BY_NUMBER } from '../../src/task/version.ts'
import { shown } from './judge.ts'
import { definition, OPTIONS } from './test-bed.ts'

type Outcome = Replayed & { readonly records: ReadonlyMap<string, TaskRecord> }
type Change = (out: ByteWriter) => void

const BY_FIRST = { actor: 0, actors: BY_NUMBER }
const make = (_: TaskRecord, instant: number, manual: boolean): Run => new Run(instant, manual)

describe('a journal that is not as it was written', () => {
  let identity: Identity
  let store: MemoryStore
  /** Four commits: +a +b, then a paused and +c, then a run of b, then +d and c paused. */
  let blobs: Uint8Array[]

  beforeAll(async () => {
    store = new MemoryStore()
    await store.open()
    identity = await startIdentity({ store, random: new SeededRandom(1) }, { ranges: 2, renew: false })
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(
      (id, n) => new TaskRecord(id, 0, 1000, true, definition(id, { n })),
    )
    const paused = (record: TaskRecord): Change => {
      record.setPaused(true, 1, 0)
      const later = Object.assign(Object.create(TaskRecord.prototype) as TaskRecord, record)
      return out => writeUpdate(out, later, { register: 'paused', times: true }, BY_FIRST)
    }
    const run = Object.assign(new Run(2e12, false), { state: 'running', attempt: 1 })
    const [created, pausedA, pausedC] = [
      [a, b, c, d].map(each => creationOf(each as TaskRecord)),
      paused(a as TaskRecord),
      paused(c as TaskRecord),
    ]
    blobs = [
      [created[0], created[1]],
      [pausedA, created[2]],
      [(out: ByteWriter) => writeUpdate(out, b as TaskRecord, { runs: [run] }, BY_FIRST)],
      [created[3], pausedC],
    ].map((changes, at) => blobOf(at + 1, changes as Change[], identity.actor))
  })

  function creationOf(record: TaskRecord): Change {
    const text = new ByteWriter()
    writeCreated(text, record)
    const bytes = text.take()
    return out => out.bytes(bytes)
  }

  let n = 0
  function blobOf(
    seq: number,
    changes: readonly Change[],
    actor: Actor,
    kind: number = ENTRY.change,
  ): Uint8Array {
    const out = new ByteWriter()
    beginBlob(out)
    for (const change of changes) {
      const at = beginEntry(out, kind, 0, ++n)
      change(out)
      endEntry(out, at)
    }
    return Uint8Array.from(sealBlob(out, seq, actor))
  }

  /** Replays these blobs, from number 1 on; undefined is a missing one. */
  async function replayed(journal: ReadonlyArray<Uint8Array | undefined>, repair = false): Promise<Outcome> {
    await store.clear({ gte: journalKey(0), lt: journalKey(99) })
    for (const [at, value] of journal.entries())
      if (value !== undefined)
        await store.write([{ type: 'put', key: journalKey(at + 1), value }], { sync: true })
    const memory = new Memory<Run>({ ranges: 2, replicated: false, endedKeepMs: 1 })
    const requests = new RequestLog(1e9)
    const history = new History(OPTIONS.history, () => undefined)
    const input = { store, identity, memory, requests, history, makeRun: make, repair, now: 0 }
    return { ...(await replay(input, new AloneReader(input, new Map()))), records: memory.live }
  }

  function texts({ records }: Outcome): string[] {
    return [...records.values()].map(record => JSON.stringify(shown(record))).sort()
  }

  /** Every way to cut the bytes short, and every single bit flipped. */
  function* spoilt(bytes: Uint8Array): Generator<[how: string, bytes: Uint8Array]> {
    for (let length = 0; length < bytes.length; length++) yield [`${length} bytes`, bytes.slice(0, length)]
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Uint8Array.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      yield [`bit ${bit}`, flipped]
    }
    yield ['one byte more', Uint8Array.from([...bytes, 0])]
  }

  test('a last blob that is cut short or flipped anywhere is cut, and its number is used again', async () => {
    const before = texts(await replayed(blobs.slice(0, 3)))
    expect(before.length).toBe(3)
    for (const [how, bytes] of spoilt(blobs[3] as Uint8Array)) {
      const found = await replayed([...blobs.slice(0, 3), bytes])
      expect([found.cut, found.nextSeq, texts(found)], how).toEqual([[4], 4, before])
      expect(await store.get(journalKey(4)), how).toBeUndefined()
    }
  })

  test('one before the last that is cut short or flipped anywhere stops the start, and nothing is touched', async () => {
    for (const at of [0, 1, 2]) {
      for (const [how, bytes] of spoilt(blobs[at] as Uint8Array)) {
        const journal = blobs.with(at, bytes)
        await expect(replayed(journal), `blob ${at + 1}, ${how}`).rejects.toMatchObject({
          code: 'STORE_CORRUPT',
        })
        expect(await store.get(journalKey(at + 1))).toEqual(bytes)
      }
    }
  })

  test('a repair sets it aside, and makes of the rest what it can', async () => {
    const broken = (blobs[1] as Uint8Array).slice(0, 30)
    const found = await replayed(blobs.with(1, broken), true)
    expect(found.cut).toEqual([2])
    expect(await store.get(setAsideKey(2))).toEqual(broken)
    expect([...found.records.values()].map(({ id, paused, runs }) => [id, paused, runs.length])).toEqual([
      ['a', false, 0],
      ['b', false, 1],
      ['d', false, 0],
    ])
  })

  test('a missing blob stops the start unless it is a repair; so does one in the place of another', async () => {
    for (const at of [0, 1, 2]) {
      const message = `journal blobs ${at + 1} to ${at + 1} are missing`
      const missing = [...blobs.slice(0, at), undefined, ...blobs.slice(at + 1)]
      await expect(replayed(missing)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringContaining(message),
      })
      expect((await replayed(missing, true)).cut).toEqual([at + 1])
    }
    const swapped = [blobs[0], blobs[2], blobs[1], blobs[3]]
    await expect(replayed(swapped)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    await expect(replayed([...blobs, blobs[0]])).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  test('a last blob that is whole is never taken for torn, whatever it says', async () => {
    const start = blobs.slice(0, 3)
    const stranger = { ...identity.actor, startId: new Uint8Array(8) }
    const create = creationOf(new TaskRecord('e', 0, 1000, true, definition('e')))
    const wholes = {
      'a stranger wrote it': blobOf(4, [create], stranger),
      'its kind is of a later version': blobOf(4, [create], identity.actor, ENTRY.strictEntry),
      'its change has flags of a later version': blobOf(4, [out => out.u8(255)], identity.actor),
      'it changes what is not there': blobOf(
        4,
        [out => writeUpdate(out, new TaskRecord('x', 0, 1, true, definition('x')), {}, BY_FIRST)],
        identity.actor,
      ),
    }
    for (const [why, bytes] of Object.entries(wholes)) {
      await expect(replayed([...start, bytes]), why).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      expect(await store.get(journalKey(4)), why).toEqual(bytes)
    }
  })

  test('a broken record of the index stops the start, and costs the blob that changes it nothing', async () => {
    const found = await replayed(blobs)
    const record = found.records.get('c') as TaskRecord
    const key = taskKey(0, 'c')
    for (const [how, value] of spoilt(encodeSnapshot(new ByteWriter(), record))) {
      expect(() => decodeSnapshot(value, 0, make), how).toThrow(CorruptBytes)
    }
    await store.write([{ type: 'put', key, value: new Uint8Array(20) }], { sync: true })
    await expect(replayed(blobs)).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining('"c"'),
    })
    expect(await store.get(journalKey(4))).toEqual(blobs[3])
    expect((await replayed(blobs, true)).records.get('c')?.paused).toBe(true)
    await store.write([{ type: 'del', key }], { sync: true })
  })

  test('a blob says what was written to it', () => {
    const blob = openBlob(blobs[1] as Uint8Array)
    expect([blob.seq, blob.boot, [...blob.entries()].map(entry => entry.kind)]).toEqual([2, 1, [1, 1]])
    expect(Buffer.from(blob.store)).toEqual(Buffer.from(identity.actor.store))
  })
})
