/**
 * Decoders of what lies on the disk, given bytes that nobody wrote: random ones, and valid ones that were changed, with
 * their checksum put right so that the change gets past it. They throw what they say, at once, and nothing else.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.ts'
import { isCarillonError } from '../../src/errors.ts'
import { ByteWriter, CorruptBytes } from '../../src/lib/bytes.ts'
import { crc32 } from '../../src/lib/crc32.ts'
import { openJson, sealJson } from '../../src/lib/sealed.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { beginBlob, beginEntry, ENTRY, endEntry, openBlob, sealBlob } from '../../src/store/blob.ts'
import { decodeEnded, encodeEnded } from '../../src/store/history.ts'
import { META_KEY } from '../../src/store/keys.ts'
import { encodeMeta, startIdentity } from '../../src/store/meta.ts'
import { RequestLog } from '../../src/store/requests.ts'
import { decodeSnapshot, encodeSnapshot } from '../../src/store/snapshot.ts'
import { readChange, writeCreated, writeUpdate } from '../../src/task/change.ts'
import { Run, TaskRecord } from '../../src/task/record.ts'
import { RUN_STATES } from '../../src/task/task.ts'
import { BY_NUMBER, SOME_FIRST, type Version } from '../../src/task/version.ts'
import { shown } from './judge.ts'
import { CALLER, definition } from './test-bed.ts'

const make = (_: TaskRecord, instant: number, manual: boolean): Run => new Run(instant, manual)
const instant = fc.integer({ min: 1, max: 4e12 })

const version: fc.Arbitrary<Version> = fc.record({
  rev: fc.integer({ min: 1, max: 2 ** 52 }),
  hlc: fc.integer({ min: 0, max: 2 ** 52 }),
  actor: fc.nat(1000),
})

const run: fc.Arbitrary<Run> = fc
  .record({
    instant,
    drive: fc.nat(3),
    returned: fc.nat(3),
    version: fc.oneof(version, fc.constantFrom(undefined, SOME_FIRST)),
    dot: fc.constantFrom({ n: 0, actor: -1 }, { n: 7, actor: 300 }),
    manual: fc.boolean(),
    state: fc.constantFrom(...RUN_STATES),
    attempt: fc.nat(300),
    fence: fc.maxSafeNat(),
    at: instant,
    body: fc.uint8Array({ maxLength: 40 }),
  })
  .map(({ at, dot, ...rest }) => {
    const drivenFrom = rest.drive
    const made = Object.assign(new Run(rest.instant, rest.manual), rest, dot, { drivenFrom, startedAt: at })
    if (made.state === 'retrying') made.retryAt = at
    else if (!['queued', 'running'].includes(made.state)) made.endedAt = at
    return made
  })

const record: fc.Arbitrary<TaskRecord> = fc
  .record({
    recurring: fc.boolean(),
    payload: fc.json(),
    at: instant,
    life: instant,
    firstLife: fc.boolean(),
    paused: fc.boolean(),
    cancelled: fc.boolean(),
    ended: fc.boolean(),
    pausedVersion: fc.option(version, { nil: undefined }),
    cancelVersion: fc.option(version, { nil: undefined }),
    timesVersion: fc.option(version, { nil: undefined }),
    closedBefore: fc.array(fc.record({ version, closed: instant }), { maxLength: 3 }),
    versions: fc.tuple(fc.nat(), fc.integer({ min: 0, max: 2 ** 52 }), fc.nat(1000)),
    next: fc.oneof(instant, fc.constant(Number.POSITIVE_INFINITY)),
    lastAt: fc.oneof(instant, fc.constant(Number.NEGATIVE_INFINITY)),
    fired: fc.nat(),
    runs: fc.uniqueArray(run, { maxLength: 4, selector: each => each.instant }),
    kept: fc.array(instant, { maxLength: 4 }),
    expiresAt: fc.oneof(instant, fc.constant(Number.POSITIVE_INFINITY)),
    dots: fc.uniqueArray(fc.record({ actor: fc.nat(99), n: fc.maxSafeNat() }), {
      maxLength: 4,
      selector: dot => dot.actor,
    }),
  })
  .map(({ recurring, payload, at, life, firstLife, versions, dots, ...rest }) => {
    const made = new TaskRecord(
      'some-id',
      1,
      life,
      firstLife,
      definition('some-id', { recurring, payload, at }),
    )
    // The times of a one-shot that was never reached are not written: they follow from its definition.
    if (!recurring && rest.fired === 0) rest.next = at
    const [rev, hlc, actor] = versions
    Object.assign(made, rest, { closed: rest.lastAt, rev, hlc, actor })
    made.dots = dots
    return made
  })

const PUT_RIGHT = { snapshot: 5, ended: 5, sealed: 4 } as const

/** The checksum stands right before what it is of, but in a blob. */
function putRight(bytes: Uint8Array, from: number, at = from - 4): Uint8Array {
  if (bytes.length >= from)
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, crc32(bytes.subarray(from)), true)
  return bytes
}

/** Changes to some bytes of a valid value: each overwrites, removes or doubles a stretch. */
const edits = fc.array(
  fc.record({
    at: fc.nat(),
    length: fc.nat(9),
    kind: fc.constantFrom('set', 'set', 'cut', 'twice'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }),
  }),
  { minLength: 1, maxLength: 4 },
)
type Edits = typeof edits extends fc.Arbitrary<infer T> ? T : never

function edited(valid: Uint8Array, changes: Edits): Uint8Array {
  let bytes = [...valid]
  for (const { at, length, kind, bytes: other } of changes) {
    const from = at % (bytes.length + 1)
    const piece = kind === 'set' ? other : kind === 'cut' ? [] : bytes.slice(from, from + length)
    bytes = [
      ...bytes.slice(0, from),
      ...piece,
      ...bytes.slice(kind === 'twice' ? from : from + (kind === 'set' ? piece.length : length)),
    ]
  }
  return Uint8Array.from(bytes)
}

/** True if it decoded. Any error but the declared ones is thrown on. */
function tried(decode: () => unknown): boolean {
  try {
    decode()
    return true
  } catch (error) {
    if (
      error instanceof CorruptBytes ||
      isCarillonError(error, 'STORE_CORRUPT') ||
      isCarillonError(error, 'STORE_FORMAT')
    )
      return false
    throw error
  }
}

/** Each of many inputs is decoded or refused; how many of each. Slow or greedy ones would show in the time limit. */
function fuzz(
  decode: (bytes: Uint8Array) => unknown,
  valid: fc.Arbitrary<Uint8Array>,
  put: (bytes: Uint8Array) => Uint8Array,
): { taken: number; refused: number } {
  const counts = { taken: 0, refused: 0 }
  const attempt = (bytes: Uint8Array): void => {
    counts[tried(() => decode(bytes)) ? 'taken' : 'refused']++
  }
  const settings = { seed: 11, numRuns: 1500 }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => attempt(put(bytes))),
    settings,
  )
  fc.assert(
    fc.property(valid, edits, (bytes, changes) => attempt(put(edited(bytes, changes)))),
    settings,
  )
  fc.assert(
    fc.property(valid, edits, (bytes, changes) => attempt(edited(bytes, changes))),
    settings,
  )
  return counts
}

describe('what the store decodes', () => {
  const out = new ByteWriter()

  test('a record comes back as it was, with everything that is kept of it', () => {
    fc.assert(
      fc.property(record, made => {
        const again = decodeSnapshot(encodeSnapshot(out, made), 1, make)
        expect(shown(again)).toEqual(shown(made))
        const rest = (of: TaskRecord): unknown => [
          of.timesVersion,
          of.closedBefore,
          of.ended,
          of.runs.map(({ version, actor, n }) => [version, actor, n]),
        ]
        expect(rest(again)).toEqual(rest(made))
        expect([again.expiresAt, again.dueAt]).toEqual([made.expiresAt, made.dueAt])
      }),
      { seed: 1, numRuns: 1000 },
    )
  })

  test('an ended run comes back as it was', () => {
    fc.assert(
      fc.property(run, instant, fc.boolean(), fc.boolean(), (each, life, firstLife, recurring) => {
        const ended = { taskId: 'a', name: 'mail', range: 1, life, firstLife, recurring, run: each }
        const again = decodeEnded(encodeEnded(out, ended), 1)
        expect({ ...again, run: undefined }).toEqual({ ...ended, run: undefined })
        expect(again.run).toMatchObject({
          instant: each.instant,
          state: each.state,
          body: each.body,
          endedAt: each.endedAt,
        })
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  test('an ended run with any bit flipped is refused', () => {
    const ended = { taskId: 'a', name: 'mail', range: 1, life: 1, firstLife: true, recurring: false }
    const bytes = encodeEnded(out, {
      ...ended,
      run: Object.assign(new Run(5, false), { state: 'completed' }),
    })
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Uint8Array.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(() => decodeEnded(flipped, 1)).toThrow(CorruptBytes)
    }
  })

  test('a record of any bytes is read or refused', () => {
    const valid = record.map(made => encodeSnapshot(out, made))
    const { taken, refused } = fuzz(
      bytes => decodeSnapshot(bytes, 1, make).definition.payload,
      valid,
      bytes => putRight(bytes, PUT_RIGHT.snapshot),
    )
    expect(Math.min(taken, refused)).toBeGreaterThan(100)
  })

  test('an ended run of any bytes is read or refused', () => {
    const valid = run.map(each =>
      encodeEnded(out, {
        taskId: 'a',
        name: 'mail',
        range: 1,
        life: 1,
        firstLife: true,
        recurring: false,
        run: each,
      }),
    )
    const { taken, refused } = fuzz(
      bytes => decodeEnded(bytes, 1),
      valid,
      bytes => putRight(bytes, PUT_RIGHT.ended),
    )
    expect(Math.min(taken, refused)).toBeGreaterThan(100)
  })

  test('a blob of any bytes is read, down to its changes, or refused', () => {
    const actor = { index: 0, store: new Uint8Array(16), boot: 1, startId: new Uint8Array(8) }
    const valid = fc.array(record, { minLength: 1, maxLength: 3 }).map(records => {
      beginBlob(out)
      for (const [n, made] of records.entries()) {
        const at = beginEntry(out, ENTRY.change, 1, n)
        if (n % 2 === 0) writeCreated(out, made)
        else
          writeUpdate(
            out,
            // Nobody writes of times whose definition has yet to come.
            Object.assign(made, { timesVersion: undefined }),
            {
              times: true,
              ...(made.pausedVersion === undefined ? {} : { register: 'paused' }),
              runs: made.runs,
              request: { caller: CALLER, n, answer: '{}' },
            },
            { actor: 0, actors: BY_NUMBER },
          )
        endEntry(out, at)
      }
      return Uint8Array.from(sealBlob(out, 1, actor))
    })
    const read = (bytes: Uint8Array): number =>
      [...openBlob(bytes).entries()].map(({ body }) => readChange(body, BY_NUMBER)).length
    const { taken, refused } = fuzz(read, valid, bytes => {
      if (bytes.length >= 9) new DataView(bytes.buffer).setUint32(5, bytes.length, true)
      return putRight(bytes, 13, 9)
    })
    expect(Math.min(taken, refused)).toBeGreaterThan(100)
  })

  test('a count that the bytes cannot hold costs nothing', () => {
    const made = new TaskRecord('a', 1, 1, true, definition('a'))
    const bytes = encodeSnapshot(out, made)
    // The count of dots comes after format, sum, flags, life, rev, hlc and actor.
    const at = 1 + 4 + 1 + 8 + 1 + 8 + 1
    for (const count of [
      [0xff, 0xff, 0x03],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ]) {
      const before = process.memoryUsage().arrayBuffers
      const greedy = putRight(Uint8Array.from([...bytes.slice(0, at), ...count, ...bytes.slice(at + 1)]), 5)
      expect(() => decodeSnapshot(greedy, 1, make)).toThrow(CorruptBytes)
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20)
    }
  })

  test('a list of requests of any bytes is read or refused, and a read one answers', () => {
    const log = new RequestLog(1000)
    log.add(CALLER, 1, 5, 10)
    log.add(CALLER, 6, 6, 11, '{"id":"a"}')
    log.raiseMark('other', 3, 12)
    const valid = fc.constant(log.encode())
    const { taken, refused } = fuzz(
      bytes => {
        const again = new RequestLog(1000)
        again.decode(bytes)
        again.raiseMark(CALLER, 2, 13)
        try {
          again.find(CALLER, 3, 5, 13)
        } catch (error) {
          if (!isCarillonError(error, 'TOO_OLD')) throw error
        }
        again.sweep(5000)
      },
      valid,
      bytes => putRight(bytes, PUT_RIGHT.sealed),
    )
    expect(taken).toBeGreaterThan(5)
    expect(refused).toBeGreaterThan(100)
    for (const value of [
      5,
      'a',
      null,
      {},
      [5],
      [['a']],
      [['a', null]],
      [['a', { spans: 1 }]],
      [['a', { spans: [null], mark: 0, highest: 0, forgotten: 0, seenAt: 0 }]],
    ]) {
      expect(() => new RequestLog(1000).decode(sealJson(value)), JSON.stringify(value)).toThrow(
        expect.objectContaining({ code: 'STORE_CORRUPT' }),
      )
    }
  })

  test('a small value is refused when any bit of it is flipped', () => {
    const sealed = sealJson({ journalFrom: 123_456 })
    expect(openJson(sealed, 'it', value => value)).toEqual({ journalFrom: 123_456 })
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Uint8Array.from(sealed)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(() => openJson(flipped, 'it', value => value)).toThrow(
        expect.objectContaining({ code: 'STORE_CORRUPT' }),
      )
    }
  })
})

describe('the meta record', () => {
  const META = { format: 1, store: 'ab'.repeat(16), boot: 3, ranges: 2, journalFrom: 7 }

  async function started(meta: Uint8Array): Promise<unknown> {
    const store = new MemoryStore()
    await store.open()
    await store.write([{ type: 'put', key: META_KEY, value: meta }], { sync: true })
    const found = await startIdentity(
      { store, random: new SeededRandom(1) },
      { ranges: 8, renew: false },
    ).catch((error: unknown) => error)
    if (found instanceof Error) expect(await store.get(META_KEY)).toEqual(Uint8Array.from(meta))
    return found
  }

  test('of an unknown format is refused, says which, and is left alone', async () => {
    for (const format of [0, 2, 99, '1', null, undefined]) {
      expect(await started(sealJson({ ...META, format }))).toMatchObject({
        code: 'STORE_FORMAT',
        message: `the store has format ${String(format)}, this Carillon knows 1: use the version that wrote it`,
      })
    }
  })

  test('is read if it is whole, and raises the boot; the ranges are those of the store', async () => {
    expect(await started(encodeMeta(META))).toMatchObject({
      fresh: false,
      meta: { ...META, boot: 4 },
      actor: { boot: 4 },
    })
  })

  test('that is not whole is refused', async () => {
    const broken = {
      boot: [0, -1, 1.5, '3', null, 2 ** 60],
      ranges: [0, 65_537, 1e15, '2'],
      journalFrom: [0, null, Number.NaN],
      store: ['', 'xy', 5, null],
    }
    for (const [field, values] of Object.entries(broken)) {
      for (const value of values) {
        expect(
          await started(sealJson({ ...META, [field]: value })),
          `${field}: ${String(value)}`,
        ).toMatchObject({ code: 'STORE_CORRUPT' })
      }
    }
  })

  test('of any bytes is read or refused', async () => {
    const attempt = async (bytes: Uint8Array): Promise<void> => {
      const found = await started(bytes)
      if (found instanceof Error && !isCarillonError(found, 'STORE_CORRUPT'))
        expect(found).toMatchObject({ code: 'STORE_FORMAT' })
    }
    const settings = { seed: 5, numRuns: 800 }
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), attempt), settings)
    await fc.assert(
      fc.asyncProperty(edits, changes => attempt(putRight(edited(encodeMeta(META), changes), 4))),
      settings,
    )
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), value => attempt(sealJson(value))),
      settings,
    )
  })
})
