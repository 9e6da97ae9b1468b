import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { CarillonError, isCarillonError } from '../../src/errors.ts'
import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import { Definition, type DefinitionInput, writeDefinition } from '../../src/task/definition.ts'
import { DEFAULT_POLICY } from '../../src/task/policy.ts'
import { PROFILE_TEXTS, PROFILES, type Profile } from '../../src/task/profile.ts'
import { defineTask, type TaskDefaults } from '../../src/task/validate.ts'

const NOW = Date.UTC(2030, 0, 31, 9)

function defaultsOf(profile: Profile = 'balanced'): TaskDefaults {
  let minted = 0
  return {
    policy: PROFILES[profile],
    policyText: PROFILE_TEXTS[profile],
    mintId: () => `minted-${minted++}`,
    now: () => NOW,
  }
}

let defaults: TaskDefaults
beforeEach(() => {
  defaults = defaultsOf()
})

/** Twice: the second time a name is known, and the short way is open. */
function define(options: unknown, at?: string): DefinitionInput {
  const first = defineTask(options as never, defaults, at)
  const second = defineTask(options as never, defaults, at)
  const { id: _, ...rest } = first
  expect(second).toMatchObject(first.minted ? rest : first)
  return first
}

function refusal(options: unknown, at?: string, profile?: Profile): CarillonError {
  try {
    defineTask(options as never, profile === undefined ? defaults : defaultsOf(profile), at)
  } catch (error) {
    if (isCarillonError(error, 'INVALID')) return error
    throw error
  }
  throw new Error('it was accepted')
}

function policyOf(input: DefinitionInput): object {
  return input.policyText === '' ? {} : JSON.parse(input.policyText)
}

describe('instants', () => {
  test.each<[string, object, number]>([
    ['now', {}, NOW],
    ['after, in ms', { after: 1500 }, NOW + 1500],
    ['after, as text', { after: '10m' }, NOW + 600_000],
    ['at, a Date', { at: new Date(NOW + 5) }, NOW + 5],
    ['at, in ms', { at: NOW + 7 }, NOW + 7],
    ['at, with an offset', { at: '2030-01-31T10:00:00+01:00' }, NOW],
    ['at, UTC', { at: '2030-01-31T09:00:00.250Z' }, NOW + 250],
    ['at, local time', { at: '2030-01-31T10:00', tz: 'Europe/Paris' }, NOW],
    ['at, local date', { at: '2030-02-01', tz: 'Europe/Paris' }, Date.UTC(2030, 0, 31, 23)],
    ['at, in the past', { at: NOW - 1000 }, NOW - 1000],
  ])('%s', (_, options, at) => {
    expect(define({ name: 'x', ...options }).schedule).toEqual({ kind: 'at', at })
  })
})

describe('recurring schedules', () => {
  test('every is phase-aligned to 1970, so that the same definition is made at each start', () => {
    expect(define({ name: 'x', every: '1h' }).schedule).toEqual({
      kind: 'every',
      everyMs: 3_600_000,
      from: 'phase',
      anchor: 0,
    })
  })

  test('every takes an anchor, and else its start', () => {
    expect(define({ name: 'x', every: '1h', start: NOW }).schedule).toMatchObject({ anchor: NOW, start: NOW })
    expect(
      define({ name: 'x', every: '1h', anchor: new Date(5), from: 'completion' }).schedule,
    ).toMatchObject({
      anchor: 5,
      from: 'completion',
    })
  })

  test('cron has a zone, UTC by default, and a DST policy', () => {
    expect(define({ name: 'x', cron: '0 9 * * 1-5' }).schedule).toEqual({
      kind: 'cron',
      pattern: '0 9 * * 1-5',
      tz: 'UTC',
      dst: { gap: 'auto', overlap: 'auto' },
    })
    const options = {
      cron: '@daily',
      tz: 'Europe/Paris',
      dst: { gap: 'skip' },
      max: 3,
      jitter: '1m',
      end: '2031-01-01',
    }
    expect(define({ name: 'x', ...options }).schedule).toEqual({
      kind: 'cron',
      pattern: '@daily',
      tz: 'Europe/Paris',
      dst: { gap: 'skip', overlap: 'auto' },
      max: 3,
      jitterMs: 60_000,
      end: Date.UTC(2030, 11, 31, 23),
    })
  })
})

describe('the policy', () => {
  test('of a task that sets nothing is left out', () => {
    expect(define({ name: 'x' }).policyText).toBe('')
    expect(define({ name: 'x', guarantee: 'at-least-once', priority: 0, tags: [] }).policyText).toBe('')
  })

  test('holds only what differs', () => {
    const options = {
      name: 'x',
      priority: 5,
      timeout: '30s',
      overlap: 'skip',
      every: 1000,
      tags: ['a'],
      precision: 'low',
    }
    expect(policyOf(define(options))).toEqual({
      priority: 5,
      timeoutMs: 30_000,
      overlap: 'skip',
      tags: ['a'],
      precision: 'low',
    })
  })

  test.each<[unknown, object]>([
    [false, { max: 1 }],
    [3, { max: 3 }],
    [
      { max: 2, base: '2s' },
      { max: 2, baseMs: 2000 },
    ],
    [
      { kind: 'fixed', base: 10, maxDelay: '1d' },
      { kind: 'fixed', baseMs: 10, maxDelayMs: 86_400_000, jitter: false },
    ],
    [
      { kind: 'immediate', jitter: true },
      { kind: 'immediate', jitter: true },
    ],
  ])('reads retry %j', (retry, expected) => {
    expect(policyOf(define({ name: 'x', retry }))).toEqual({
      retry: { ...DEFAULT_POLICY.retry, ...expected },
    })
  })

  test('reads misfire', () => {
    expect(policyOf(define({ name: 'x', misfire: 'skip' }))).toEqual({
      misfire: { kind: 'skip', max: 100, afterMs: 60_000 },
    })
    expect(policyOf(define({ name: 'x', misfire: { kind: 'all', max: 7, after: '5m' } }))).toEqual({
      misfire: { kind: 'all', max: 7, afterMs: 300_000 },
    })
  })

  test('comes from the profile where the task says nothing', () => {
    defaults = defaultsOf('performance')
    expect(policyOf(define({ name: 'x' }))).toEqual({ precision: 'high', guarantee: 'exactly-once' })
    expect(policyOf(define({ name: 'x', guarantee: 'at-least-once', precision: 'low' }))).toEqual({
      precision: 'low',
    })
    defaults = defaultsOf('economy')
    expect(policyOf(define({ name: 'x' }))).toEqual({ precision: 'low', guarantee: 'at-most-once' })
  })
})

describe('ids and keys', () => {
  test('an id that the user gave is not minted', () => {
    expect(define({ name: 'x', id: 'report:2030-01_31.a' })).toMatchObject({
      id: 'report:2030-01_31.a',
      minted: false,
      ifAbsent: false,
      keyTtlMs: 0,
    })
    expect(define({ name: 'x' })).toMatchObject({ minted: true, ifAbsent: false })
  })

  test('a key makes the id, from the name and the key', () => {
    const a = define({ name: 'x', key: 'order-17 ü' })
    expect(a).toMatchObject({ minted: false, ifAbsent: true, keyTtlMs: 86_400_000 })
    expect(a.id).toMatch(/^key-[0-9a-v]{32,}$/)
    expect(define({ name: 'x', key: 'order-17 ü', keyTtl: '1h' })).toMatchObject({
      id: a.id,
      keyTtlMs: 3_600_000,
    })
    expect(define({ name: 'y', key: 'order-17 ü' }).id).not.toBe(a.id)
    expect(define({ name: 'x', key: 'order-18 ü' }).id).not.toBe(a.id)
  })

  test('fields that are undefined count as left out', () => {
    const all = {
      id: undefined,
      payload: undefined,
      after: undefined,
      at: undefined,
      cron: undefined,
      retry: undefined,
    }
    expect(define({ name: 'x', ...all })).toMatchObject({ minted: true, policyText: '', payload: undefined })
    expect(define({ name: 'x', retry: { max: undefined } }).policyText).toBe('')
  })
})

describe('payloads', () => {
  test.each([
    [null],
    [0],
    [''],
    ['text ü 🙂'],
    [false],
    [[1, [2, [3]]]],
    [{ a: { b: [null, 'c'] }, d: true }],
    [{ left: undefined }],
    [Object.assign(Object.create(null), { a: 1 })],
    [new Date(NOW)],
    [
      new (class Order {
        id = 5
      })(),
    ],
  ])('%o is kept as JSON.stringify writes it', payload => {
    expect(define({ name: 'x', payload }).payload).toBe(JSON.stringify(payload))
  })

  test('may have 256 KiB as JSON, and not a byte more', () => {
    const most = 'ü'.repeat((256 * 1024 - 2) / 2)
    expect(Buffer.byteLength(define({ name: 'x', payload: most }).payload as string)).toBe(256 * 1024)
    const error = refusal({ name: 'x', payload: `${most}a` })
    expect(error).toMatchObject({ field: 'payload' })
    expect(error.message).toMatch(/262145 bytes.*262144/)
  })

  const circle: Record<string, unknown> = {}
  circle.round = circle
  let deep: unknown = 1
  for (let i = 0; i < 5000; i++) deep = [deep]
  test.each<[string, unknown]>([
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['a BigInt', 5n],
    ['a nested BigInt', { a: [5n] }],
    ['a cycle', circle],
    ['a nested function', { a: { b: () => 1 } }],
    ['a nested symbol', [Symbol('s')]],
    ['a nested NaN', { a: [1, Number.NaN] }],
    ['undefined in an array', [1, undefined]],
    ['a hole in an array', new Array(2)],
    ['a Map', new Map([[1, 2]])],
    ['a Set in an object', { a: new Set([1]) }],
    ['bytes', new Uint8Array(3)],
    ['a Promise', { a: Promise.resolve(1) }],
    ['an Error', { error: new Error('lost') }],
    ['an invalid Date in a field', { at: new Date(Number.NaN) }],
    ['a toJSON that throws', { toJSON: () => { throw new Error('no') } }], // biome-ignore format: one line each
    ['what is nested too deep', deep],
  ])('refuses %s', (_, payload) => {
    const error = refusal({ name: 'x', payload }, '[3]')
    expect(error.field).toMatch(/^\[3\]\.payload/)
    expect(error.message).toMatch(/^\[3\]\.payload.*JSON/s)
    // On the short way too.
    define({ name: 'x' })
    expect(refusal({ name: 'x', payload }, '[3]').message).toBe(error.message)
  })
})

describe('refusals name the field, the value and what is allowed', () => {
  test.each<[unknown, RegExp | string, RegExp | string, RegExp | string]>([
    [{}, 'name', 'undefined', /name of a handler|1 to 200/],
    [{ name: '' }, 'name', '""', '1 to 200'],
    [{ name: 'a b' }, 'name', '"a b"', /letters, digits/],
    [{ name: 'a/b' }, 'name', '"a/b"', /letters, digits/],
    [{ name: 'x\n' }, 'name', '"x\\n"', /letters, digits/],
    [{ name: 'a'.repeat(201) }, 'name', '...', '1 to 200'],
    [{ name: 5 }, 'name', '5', '1 to 200'],
    [{ name: 'x', id: 'a@b' }, 'id', '"a@b"', '1 to 200'],
    [{ name: 'x', id: null }, 'id', 'null', '1 to 200'],
    [{ name: 'x', after: 'soon' }, 'after', /['"]soon['"]/, "'10m'"],
    [{ name: 'x', after: '1M' }, 'after', /['"]1M['"]/, "'10m'"],
    [{ name: 'x', after: 'P1M' }, 'after', /['"]P1M['"]/, 'cron'],
    [{ name: 'x', after: -1 }, 'after', '-1', "'10m'"],
    [{ name: 'x', after: Number.NaN }, 'after', /NaN|null/, "'10m'"],
    [{ name: 'x', after: {} }, 'after', '{}', "'10m'"],
    [{ name: 'x', after: Number.MAX_SAFE_INTEGER }, 'after', '9007199254740991', /year/],
    [{ name: 'x', at: 'tomorrow' }, 'at', '"tomorrow"', 'ISO 8601'],
    [{ name: 'x', at: '2030-01-31T09:00:00' }, 'at', '"2030-01-31T09:00:00"', /needs tz/],
    [{ name: 'x', at: '2030-02-30', tz: 'UTC' }, 'at', '"2030-02-30"', 'ISO 8601'],
    [{ name: 'x', at: '2030-01-31T24:00', tz: 'UTC' }, 'at', '"2030-01-31T24:00"', 'ISO 8601'],
    [{ name: 'x', at: '2030-02-30T00:00:00Z' }, 'at', '"2030-02-30T00:00:00Z"', 'ISO 8601'],
    [{ name: 'x', at: new Date(Number.NaN) }, 'at', /invalid date/i, 'ISO 8601'],
    [{ name: 'x', at: {} }, 'at', '{}', 'ISO 8601'],
    [{ name: 'x', at: Number.POSITIVE_INFINITY }, 'at', /Infinity|null/, 'ISO 8601'],
    [{ name: 'x', at: 1, after: 1 }, /^(at|after)$/, '1', /only one of/],
    [{ name: 'x', every: '1s', cron: '* * * * *' }, /^(every|cron)$/, '', /only one of/],
    [{ name: 'x', every: 99 }, 'every', '99', '100 ms'],
    [{ name: 'x', every: '1s', from: 'start' }, 'from', '"start"', "'completion'"],
    [{ name: 'x', from: 'phase' }, 'from', '"phase"', 'every'],
    [{ name: 'x', cron: '* * * *' }, 'cron', '* * * *', ''],
    [{ name: 'x', cron: '61 * * * *' }, 'cron', '61', '0-59'],
    [{ name: 'x', cron: '0 0 30 2 *' }, 'cron', '0 0 30 2 *', ''],
    [{ name: 'x', cron: '0 9 * * *', tz: 'Paris' }, 'tz', 'Paris', 'Europe/Paris'],
    [{ name: 'x', cron: '0 9 * * *', dst: { gap: 'jump' } }, 'dst.gap', '"jump"', "'shift'"],
    [{ name: 'x', dst: {} }, 'dst', '{}', 'cron'],
    [{ name: 'x', every: '1h', start: NOW, end: NOW - 1 }, 'end', String(NOW - 1), 'start'],
    [{ name: 'x', cron: '0 9 * * *', end: NOW - 1 }, 'cron', '0 9 * * *', 'fires'],
    [{ name: 'x', max: 3 }, 'max', '3', 'every or cron'],
    [{ name: 'x', every: '1h', max: 0 }, 'max', '0', 'from 1'],
    [{ name: 'x', guarantee: 'twice' }, 'guarantee', '"twice"', "'exactly-once'"],
    [{ name: 'x', precision: 1 }, 'precision', '1', "'high'"],
    [{ name: 'x', priority: 101 }, 'priority', '101', '-100 to 100'],
    [{ name: 'x', priority: 0.5 }, 'priority', '0.5', 'whole number'],
    [{ name: 'x', retry: 0 }, 'retry', '0', 'number of attempts'],
    [{ name: 'x', retry: { max: 0 } }, 'retry.max', '0', 'from 1'],
    [{ name: 'x', retry: { kind: 'slowly' } }, 'retry.kind', '"slowly"', "'exponential'"],
    [{ name: 'x', retry: { base: 'long' } }, 'retry.base', /['"]long['"]/, "'10m'"],
    [{ name: 'x', timeout: 0 }, 'timeout', '0', '1 ms'],
    [{ name: 'x', timeout: '30d' }, 'timeout', /['"]30d['"]/, '24 days'],
    [{ name: 'x', misfire: 'never' }, 'misfire', '"never"', "'skip'"],
    [{ name: 'x', misfire: { max: 0 } }, 'misfire.max', '0', 'from 1'],
    [{ name: 'x', misfire: { after: 'x' } }, 'misfire.after', 'x', "'10m'"],
    [{ name: 'x', overlap: 'yes', every: 1000 }, 'overlap', '"yes"', "'queue-one'"],
    [{ name: 'x', tags: 'a' }, 'tags', '"a"', '20'],
    [{ name: 'x', tags: [''] }, 'tags[0]', '""', '1 to 100'],
    [{ name: 'x', tags: ['a', 5] }, 'tags[1]', '5', '1 to 100'],
    [{ name: 'x', tags: new Array(21).fill('a') }, 'tags', '"a"', '20'],
    [{ name: 'x', key: '' }, 'key', '""', '1 to 512'],
    [{ name: 'x', key: 'a'.repeat(513) }, 'key', '...', '1 to 512'],
    [{ name: 'x', key: 'a', id: 'b' }, 'key', '"a"', 'id'],
    [{ name: 'x', keyTtl: '1h' }, 'keyTtl', '"1h"', 'key'],
    [{ name: 'x', key: 'a', keyTtl: '-1h' }, 'keyTtl', '-1h', "'10m'"],
    [{ command: 'ls', payload: 1 }, /^(command|payload)$/, '', 'command'],
    [{ command: '' }, 'command', '""', 'shell command'],
  ])('%j', (options, field, value, allowed) => {
    const error = refusal(options)
    if (typeof field === 'string') expect(error.field).toBe(field)
    else expect(error.field).toMatch(field)
    expect(error.message).toContain(error.field)
    expect(error.message).toMatch(typeof value === 'string' ? new RegExp(escaped(value)) : value)
    expect(error.message).toMatch(typeof allowed === 'string' ? new RegExp(escaped(allowed)) : allowed)
    expect(error.message.length).toBeLessThan(700)
    // In a list, the index comes first.
    const listed = refusal(options, '[17]')
    expect(listed.field).toBe(`[17].${error.field}`)
    expect(listed.message).toContain(listed.field)
  })

  test.each([[undefined], [null], [5], ['x'], [[]], [() => 1]])('refuses %o as a task', options => {
    expect(refusal(options, '[2]').message).toMatch(/^\[2\] is .*task options/)
    expect(refusal(options).message).toMatch(/task options/)
  })

  test.each<[object, string, string]>([
    [{ name: 'x', nmae: 'y' }, 'nmae', 'did you mean name?'],
    [{ name: 'x', crons: '* * * * *' }, 'crons', 'did you mean cron?'],
    [{ name: 'x', Priority: 1 }, 'Priority', 'did you mean priority?'],
    [{ name: 'x', retry: { bsae: 5 } }, 'retry.bsae', 'did you mean base?'],
    [{ name: 'x', dst: { gaps: 'skip' }, cron: '@daily' }, 'dst.gaps', 'did you mean gap?'],
    [{ name: 'x', zzzzzz: 1 }, 'zzzzzz', 'payload'],
  ])('suggests the nearest name for %j', (options, field, hint) => {
    const error = refusal(options)
    expect(error.field).toBe(field)
    expect(error.message).toContain(hint)
  })

  test('tags that are long when escaped are refused here, not by the engine', () => {
    const error = refusal({ name: 'x', tags: new Array(20).fill('\u0001'.repeat(100)) })
    expect(error).toMatchObject({ field: 'tags' })
    expect(error.message).toMatch(/8000 bytes/)
    expect(error.message.length).toBeLessThan(300)
  })

  test('an at-most-once task takes no retry, whoever made it at-most-once', () => {
    expect(refusal({ name: 'x', guarantee: 'at-most-once', retry: 3 })).toMatchObject({ field: 'retry' })
    const error = refusal({ name: 'x', retry: { max: 3 } }, '', 'economy')
    expect(error.message).toMatch(/^retry is .*at-most-once/)
    expect(
      defineTask({ name: 'x', retry: 3, guarantee: 'at-least-once' }, defaultsOf('economy')).policyText,
    ).not.toBe('')
  })
})

test('what is accepted can be encoded, and decoded to the same', () => {
  const caller = new Uint8Array(8).fill(7)
  const accepted = [
    {
      name: 'a'.repeat(200),
      id: 'b'.repeat(200),
      payload: { a: 'ü' },
      tags: new Array(20).fill('字'.repeat(100)),
    },
    { name: 'x', cron: '0 9 * * *', tz: 'Europe/Paris', key: 'k', keyTtl: '1w', retry: 3 },
    { name: 'x', every: '1d', jitter: '1h', max: 5, misfire: { kind: 'all' } },
    { name: 'x', at: NOW },
  ]
  for (const options of accepted) {
    const input = define(options)
    const out = new ByteWriter(64)
    writeDefinition(out, input, caller, 9)
    const bytes = out.take()
    const read = new Definition(new ByteReader(bytes), bytes.length)
    expect(read).toMatchObject({ id: input.id, name: input.name, keyTtlMs: input.keyTtlMs, requestNumber: 9 })
    expect(read.schedule).toEqual(input.schedule)
    expect(read.policy).toEqual({ ...DEFAULT_POLICY, ...policyOf(input) })
    expect(Buffer.from(read.payload).toString()).toBe(input.payload ?? '')
  }
})

describe('whatever it gets', () => {
  const FIELDS = [
    ...[
      'id',
      'name',
      'payload',
      'command',
      'after',
      'at',
      'every',
      'from',
      'anchor',
      'cron',
      'tz',
      'dst',
      'start',
      'end',
    ],
    ...[
      'max',
      'jitter',
      'guarantee',
      'precision',
      'priority',
      'retry',
      'timeout',
      'misfire',
      'overlap',
      'tags',
      'key',
    ],
    ...['keyTtl', 'kind', 'base', 'gap', '__proto__', 'constructor', 'toJSON'],
  ]
  const value: fc.Arbitrary<unknown> = fc.oneof(
    fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
    }),
    fc.constantFrom(
      '1h',
      '10m',
      'x',
      '* * * * *',
      '0 0 29 2 *',
      'UTC',
      'Europe/Paris',
      'phase',
      'once',
      'fixed',
      'skip',
    ),
    fc.constantFrom<unknown>(
      0,
      1,
      100,
      1000,
      NOW,
      -NOW,
      1e15,
      8.64e15,
      2 ** 53,
      0.5,
      new Date(NOW),
      '2030-01-31',
      '0000-01-01',
    ),
    fc.dictionary(
      fc.constantFrom(...FIELDS),
      fc.constantFrom<unknown>(1, '1s', 'fixed', 'skip', true, undefined, null),
    ),
  )

  test('it throws nothing but INVALID, and what it accepts can be encoded', () => {
    const out = new ByteWriter(1024)
    let accepted = 0
    const check = (options: unknown) => {
      let input: DefinitionInput
      try {
        input = defineTask(options as never, defaults, '[0]')
      } catch (error) {
        if (!isCarillonError(error, 'INVALID')) throw error
        expect(error.field).toMatch(/^\[0\]/)
        return
      }
      accepted++
      out.reset()
      writeDefinition(out, input, new Uint8Array(8), 1)
      const bytes = out.take()
      new Definition(new ByteReader(bytes), bytes.length).schedule
    }
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything({ withBigInt: true, withNullPrototype: true }),
          fc.dictionary(fc.constantFrom(...FIELDS), value, { maxKeys: 4 }),
          fc
            .dictionary(fc.constantFrom(...FIELDS), value, { maxKeys: 3 })
            .map(options => ({ ...options, name: 'x' })),
        ),
        check,
      ),
      { numRuns: 5000 },
    )
    expect(accepted).toBeGreaterThan(100)
  })

  test('getters and proxies that throw are refused like any other value', () => {
    const angry = (): never => {
      throw new Error('not today')
    }
    const options = [
      Object.defineProperty({ name: 'x' }, 'at', { enumerable: true, get: angry }),
      Object.defineProperty({ payload: 1 }, 'name', { enumerable: true, get: angry }),
      new Proxy({ name: 'x' }, { ownKeys: angry }),
      new Proxy({ name: 'x' }, { get: angry }),
      { name: 'x', payload: new Proxy({}, { get: angry, ownKeys: angry, getPrototypeOf: angry }) },
      { name: 'x', tags: new Proxy([], { get: angry }) },
    ]
    for (const each of options) expect(() => define(each)).toThrow(CarillonError)
  })
})

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
