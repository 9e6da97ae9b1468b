/**
 * The shape of what users pass, as JSON Schema, checked by typebox; later it becomes the OpenAPI file. Each property's
 * description says what is allowed, and is what a refusal shows: field, value, allowed.
 */

import { CarillonError } from '../errors.ts'
import { compile, type Schema, Type } from '../lib/json-schema.ts'

/** Not '.' and '..': no URL can name them. */
export const NAME_PATTERN = /^(?!\.{1,2}$)[A-Za-z0-9_.:-]{1,200}$/
export const NAME_TEXT = "1 to 200 of letters, digits and _ . : - (but not '.' or '..')"
const DURATION_TEXT = "a duration: '500ms', '10m', '1h30m', ISO 8601 like 'PT10M', or milliseconds"
const INSTANT_TEXT =
  "an instant: a Date, epoch milliseconds, or ISO 8601 like '2030-01-31T09:00:00Z' (without an offset it needs tz)"
const MESH_ADDRESS_TEXT = "an address like '10.0.0.2:7400', '[::1]:7400' or 'host' (port 7400)"
const ADDRESS_TEXT = "an address to listen on, like '127.0.0.1:7410', '[::1]:7410', or with port 0 for any"

const name = (): Schema => Type.String({ pattern: NAME_PATTERN.source, description: NAME_TEXT })
const oneOf = (values: readonly string[]): Schema =>
  Type.Enum(values, { description: `one of ${values.map(value => `'${value}'`).join(', ')}` })
const duration = (): Schema => Type.Union([Type.String(), Type.Number()], { description: DURATION_TEXT })
const instant = (): Schema =>
  Type.Union([Type.String(), Type.Number(), Type.Any<Date>()], {
    description: INSTANT_TEXT,
  })
const integer = (minimum: number, maximum: number): Schema =>
  Type.Integer({ minimum, maximum, description: `a whole number from ${minimum} to ${maximum}` })
const flag = (): Schema => Type.Boolean({ description: 'true or false' })
const object = <P extends Record<string, Schema>>(properties: P, description: string): ObjectOf<P> =>
  Type.Object(
    Object.fromEntries(Object.entries(properties).map(([key, schema]) => [key, Type.Optional(schema)])),
    { additionalProperties: false, description },
  ) as unknown as ObjectOf<P>
type ObjectOf<P> = Schema & { readonly properties: P }

const retry = Type.Union(
  [
    Type.Boolean(),
    Type.Integer({ minimum: 1, maximum: 1000 }),
    object(
      {
        kind: oneOf(['immediate', 'fixed', 'exponential']),
        base: duration(),
        max: integer(1, 1000),
        maxDelay: duration(),
        jitter: flag(),
      },
      'an object',
    ),
  ],
  {
    description:
      'false (one attempt), a number of attempts from 1 to 1000, or { kind, base, max, maxDelay, jitter }',
  },
)

export const TASK_SCHEMA = object(
  {
    id: name(),
    name: name(),
    payload: Type.Unknown(),
    command: Type.String({
      minLength: 1,
      maxLength: 64 * 1024,
      description: 'a shell command of 1 to 65536 characters',
    }),
    after: duration(),
    at: instant(),
    every: duration(),
    from: oneOf(['phase', 'completion']),
    anchor: instant(),
    cron: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'a cron pattern of 5 or 6 fields, or a macro like @daily',
    }),
    tz: Type.String({
      minLength: 1,
      maxLength: 100,
      description: "an IANA time zone such as 'Europe/Paris'",
    }),
    dst: object(
      { gap: oneOf(['auto', 'skip', 'shift']), overlap: oneOf(['auto', 'first', 'second', 'both']) },
      'an object { gap, overlap }',
    ),
    start: instant(),
    end: instant(),
    max: integer(1, 1_000_000_000),
    jitter: duration(),
    guarantee: oneOf(['at-least-once', 'at-most-once', 'exactly-once']),
    precision: oneOf(['high', 'normal', 'low']),
    priority: integer(-100, 100),
    retry,
    timeout: duration(),
    misfire: Type.Union(
      [
        oneOf(['once', 'all', 'skip']),
        object(
          { kind: oneOf(['once', 'all', 'skip']), max: integer(1, 1000), after: duration() },
          'an object',
        ),
      ],
      { description: "'once', 'all', 'skip', or { kind, max, after }" },
    ),
    overlap: oneOf(['allow', 'skip', 'queue-one', 'cancel-old']),
    tags: Type.Array(
      Type.String({ minLength: 1, maxLength: 100, description: 'a tag of 1 to 100 characters' }),
      { maxItems: 20, description: 'an array of at most 20 tags' },
    ),
    key: Type.String({ minLength: 1, maxLength: 512, description: 'a text of 1 to 512 characters' }),
    keyTtl: duration(),
  },
  'an object of task options',
)

const JOIN = Type.Array(
  Type.String({
    minLength: 1,
    maxLength: 4096,
    description: `${MESH_ADDRESS_TEXT}; local, mdns, or a join token`,
  }),
  { maxItems: 100, description: 'an array of at most 100 addresses, or of one join token' },
)

/** Of `mesh`: whose it is, and who is let in. */
const ACCESS = {
  name: Type.String({ minLength: 1, maxLength: 100, description: 'a name of 1 to 100 characters' }),
  secret: Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1, maxItems: 2 })], {
    description: 'a text of at least 16 characters; or the new and the old one, while it is changed',
  }),
}

const NODE = object(
  {
    dataDir: Type.String({ minLength: 1, description: 'a path' }),
    slots: integer(1, 64),
    handlers: Type.Any({ description: 'an object of functions by name' }),
    concurrency: integer(1, 100_000),
    profile: oneOf(['performance', 'balanced', 'economy']),
    durability: oneOf(['sync', 'interval']),
    repair: flag(),
    signals: flag(),
    http: Type.Union(
      [
        Type.String({ minLength: 1, maxLength: 300 }),
        object(
          {
            listen: Type.String({ minLength: 1, maxLength: 300, description: ADDRESS_TEXT }),
            token: Type.String({
              minLength: 16,
              maxLength: 512,
              pattern: '^[\\x21-\\x7e]+$',
              description: 'a secret of 16 to 512 printable characters without spaces',
            }),
          },
          'an object { listen, token }',
        ),
      ],
      { description: `${ADDRESS_TEXT}; or { listen, token }` },
    ),
    listen: Type.String({ minLength: 1, maxLength: 300, description: MESH_ADDRESS_TEXT }),
    advertise: Type.String({ minLength: 1, maxLength: 300, description: MESH_ADDRESS_TEXT }),
    join: JOIN,
    mesh: object(
      {
        ...ACCESS,
        expect: integer(1, 48),
        replicas: integer(1, 16),
        zone: Type.String({
          maxLength: 64,
          pattern: '^[\\x20-\\x7e]*$',
          description: 'at most 64 ASCII characters',
        }),
        weight: integer(1, 1000),
      },
      'an object { name, secret, expect, replicas, zone, weight }',
    ),
    network: oneOf(['local', 'lan', 'wan']),
    commands: Type.Union([Type.Boolean(), Type.Array(Type.String({ minLength: 1 }))], {
      description:
        'true, false, or an array of the commands that are allowed (a trailing * stands for anything)',
    }),
  },
  'an object of node options',
)

const CLIENT = object(
  {
    join: {
      ...JOIN,
      minItems: 1,
      description: 'an array of 1 to 100 addresses of nodes, or of one join token',
    },
    mesh: object(ACCESS, 'an object { name, secret }'),
    handlers: Type.Any({ description: 'an object of functions by name' }),
    concurrency: integer(1, 100_000),
    profile: oneOf(['performance', 'balanced', 'economy']),
    waitMs: integer(1, 86_400_000),
    signal: Type.Any<AbortSignal>({ description: 'an AbortSignal' }),
  },
  'an object of client options',
)

export const FILTER_SCHEMA = object(
  {
    state: oneOf(['scheduled', 'running', 'paused', 'completed', 'cancelled', 'missed', 'dead']),
    name: name(),
    tag: Type.String({ minLength: 1, maxLength: 100, description: 'a tag of 1 to 100 characters' }),
  },
  'an object { state, name, tag }',
)

export const checkTaskShape = checkerOf(TASK_SCHEMA)
export const checkNodeShape = checkerOf(NODE)
export const checkClientShape = checkerOf(CLIENT)
export const checkFilterShape = checkerOf(FILTER_SCHEMA)

/** Throws INVALID, naming field, value and what is allowed. `at` is put before the field: '[3]', 'task'. */
export function checkerOf(schema: Schema): (value: unknown, at?: string) => void {
  const checker = compile(schema)
  return (value, at = '') => {
    if (checker.check(value)) return
    const errors = checker.complaints(value)
    const extra = errors.find(error => error.keyword === 'additionalProperties')
    const chosen = extra ?? errors.reduce((a, b) => (b.instancePath.length > a.instancePath.length ? b : a))
    const path = chosen.instancePath.split('/').slice(1).map(unescaped)
    if (extra !== undefined) {
      const { additionalProperties } = extra.params as { additionalProperties: string[] }
      throw unknownField(schemaAt(schema, path), [...path, additionalProperties[0] as string], at)
    }
    throw invalid(fieldOf(at, path), valueAt(value, path), descriptionAt(schema, path))
  }
}

/** The refusal of a value, in the words of the house. */
export function invalid(field: string, value: unknown, allowed: string, cause?: unknown): CarillonError {
  return new CarillonError('INVALID', `${field} is ${shown(value)}: allowed is ${allowed}`, { field, cause })
}

function unknownField(schema: Schema | undefined, path: readonly string[], at: string): CarillonError {
  const field = fieldOf(at, path)
  const known = propertiesOf(schema)
  const wrong = path.at(-1) as string
  const near = known
    .map(each => ({ each, distance: distance(each.toLowerCase(), wrong.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0]
  const hint =
    near !== undefined && near.distance <= Math.max(2, wrong.length / 3) ? `did you mean ${near.each}? ` : ''
  return new CarillonError('INVALID', `${field} is not known: ${hint}Allowed are ${known.join(', ')}`, {
    field,
  })
}

/** The names that an object may have there; of a union, those of its objects. */
function propertiesOf(schema: Schema | undefined): string[] {
  const { properties, anyOf } = (schema ?? {}) as AnySchema
  return properties === undefined ? (anyOf ?? []).flatMap(propertiesOf) : Object.keys(properties)
}

function fieldOf(at: string, path: readonly string[]): string {
  let field = at
  for (const part of path) field += /^\d+$/.test(part) ? `[${part}]` : field === '' ? part : `.${part}`
  return field === '' ? 'the argument' : field
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], value)
}

/** The innermost schema on the path that says what is allowed. */
function descriptionAt(schema: Schema, path: readonly string[]): string {
  for (let depth = path.length; depth >= 0; depth--) {
    const { description } = (schemaAt(schema, path.slice(0, depth)) ?? {}) as { description?: string }
    if (description !== undefined) return description
  }
  return 'something else'
}

interface AnySchema {
  readonly properties?: Record<string, Schema>
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}

function schemaAt(schema: Schema, path: readonly string[]): Schema | undefined {
  const [part, ...rest] = path
  if (part === undefined) return schema
  const { properties, items, anyOf } = schema as AnySchema
  const next = properties?.[part] ?? items
  if (next !== undefined) return schemaAt(next, rest)
  return anyOf?.map(each => schemaAt(each, path)).find(each => each !== undefined)
}

/** A value as an error shows it: short, and never throwing. */
export function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'symbol') return 'a symbol'
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString()
  let text: string
  try {
    text = JSON.stringify(value) ?? String(value)
  } catch {
    text = Object.prototype.toString.call(value)
  }
  return text.length <= 100 ? text : `${text.slice(0, 97)}...`
}

function unescaped(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~')
}

/** Edits from one word to the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(
        Math.min(
          (next[j - 1] as number) + 1,
          (row[j] as number) + 1,
          (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      )
    }
    row = next
  }
  return row[b.length] as number
}
