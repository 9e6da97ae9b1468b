/**
 * From what users pass to an exact definition: absolute instants, whole milliseconds, and a policy with only what
 * differs from the default. Every refusal names the field, the value and what is allowed.
 *
 * The commonest tasks, `{ name, payload }` with `after` or `at`, take a short way past the schema; whatever it is not
 * sure of goes the long way.
 */

import { CarillonError } from '../errors.ts'
import { parseCron } from './cron.ts'
import { type DefinitionInput, PAYLOAD_BYTES_MAX } from './definition.ts'
import { parseDuration } from './duration.ts'
import { jsonText } from './json-value.ts'
import type { CommandOptions, Instant, TaskOptions } from './options.ts'
import { DEFAULT_POLICY, type MisfirePolicy, type Policy, policyText } from './policy.ts'
import { recurrenceOf } from './recurrence.ts'
import type { RetryPolicy } from './retry.ts'
import type { Recurring, Schedule } from './schedule.ts'
import { checkTaskShape, invalid, NAME_PATTERN, NAME_TEXT } from './schema.ts'
import { hashText } from './text-hash.ts'
import { checkZone, instantOfLocal } from './zone.ts'

/** What a node adds to what the user left out. */
export interface TaskDefaults {
  /** What the profile sets. */
  readonly policy: Partial<Policy>
  /** The same as the policy text of a task that sets nothing. */
  readonly policyText: string
  readonly mintId: () => string
  readonly now: () => number
}

export const EVERY_MS_MIN = 100
const KEY_TTL_MS = 86_400_000
/** A definition's policy can be 8 KiB; only tags make one long. */
const POLICY_BYTES_MAX = 8000
/** Year 275760, where Date ends; nobody's task is later. */
const INSTANT_MAX = 8_640_000_000_000_000

/** Throws INVALID. `at` names the argument in a refusal: '', or '[3]' in a list. */
export function defineTask(
  options: TaskOptions | CommandOptions,
  defaults: TaskDefaults,
  at = '',
): DefinitionInput {
  try {
    return quickly(options, defaults, at) ?? carefully(options, defaults, at)
  } catch (error) {
    if (error instanceof CarillonError) throw error
    // A getter, a proxy or a toJSON of the user's own threw.
    const field = at === '' ? 'the task' : at
    const why = error instanceof Error ? error.message : 'something else than an error was thrown'
    throw new CarillonError('INVALID', `${field} can't be read: ${why}`, { field, cause: error })
  }
}

const QUICK_FIELDS = new Set(['name', 'payload', 'after', 'at'])
const knownNames = new Set<string>()
const KNOWN_NAMES_MAX = 10_000

/** The short way; undefined when this is not one of the commonest tasks, or not certainly right. */
function quickly(
  options: TaskOptions | CommandOptions,
  defaults: TaskDefaults,
  at: string,
): DefinitionInput | undefined {
  if (typeof options !== 'object' || options === null) return undefined
  for (const field in options) if (!QUICK_FIELDS.has(field)) return undefined
  const { name, payload, after, at: given } = options as TaskOptions
  if (typeof name !== 'string' || !knownNames.has(name)) return undefined
  const madeAt = defaults.now()
  let instant = madeAt
  if (after !== undefined) {
    if (given !== undefined || typeof after !== 'number' || !Number.isSafeInteger(after) || after < 0)
      return undefined
    instant = madeAt + after
  } else if (given !== undefined) {
    if (typeof given !== 'number' || !Number.isSafeInteger(given) || given < 0) return undefined
    instant = given
  }
  if (instant > INSTANT_MAX) return undefined
  return {
    id: defaults.mintId(),
    minted: true,
    ifAbsent: false,
    keyTtlMs: 0,
    name,
    madeAt,
    schedule: { kind: 'at', at: instant },
    policyText: defaults.policyText,
    payload: payload === undefined ? undefined : payloadText(payload, at === '' ? '' : `${at}.`),
  }
}

function carefully(
  options: TaskOptions | CommandOptions,
  defaults: TaskDefaults,
  at: string,
): DefinitionInput {
  checkTaskShape(options, at)
  const prefix = at === '' ? '' : `${at}.`
  const { command, ...rest } = options as TaskOptions & { command?: string }
  const task: TaskOptions =
    command === undefined ? rest : { ...rest, name: rest.name ?? 'command', payload: { command } }
  if (command !== undefined && (rest.payload !== undefined || (rest.name ?? 'command') !== 'command')) {
    throw invalid(`${prefix}command`, command, 'a command alone, without a name or a payload')
  }
  if (task.name === undefined) throw invalid(`${prefix}name`, undefined, 'the name of a handler')
  if (knownNames.size < KNOWN_NAMES_MAX && command === undefined) knownNames.add(task.name)
  const madeAt = defaults.now()
  const { id, key } = task
  if (id !== undefined && key !== undefined) {
    throw invalid(`${prefix}key`, key, 'either an id or a key: the key makes the id')
  }
  if (task.keyTtl !== undefined && key === undefined)
    throw invalid(`${prefix}keyTtl`, task.keyTtl, 'nothing here, as there is no key')
  const schedule = scheduleOf(task, madeAt, prefix)
  const policy = policyText(policyOf(task, defaults.policy, schedule, prefix))
  if (Buffer.byteLength(policy) > POLICY_BYTES_MAX) {
    throw invalid(
      `${prefix}tags`,
      task.tags,
      `tags that have at most ${POLICY_BYTES_MAX} bytes together, as JSON`,
    )
  }
  const taskId = key !== undefined ? idOfKey(task.name, key) : (id ?? defaults.mintId())
  if (schedule.kind !== 'at') checkFires(schedule, taskId, madeAt, prefix)
  const keyTtlMs = key === undefined ? 0 : duration(task.keyTtl, `${prefix}keyTtl`, KEY_TTL_MS)
  return {
    id: taskId,
    minted: id === undefined && key === undefined,
    ifAbsent: key !== undefined,
    keyTtlMs: key === undefined ? 0 : Math.max(1, keyTtlMs),
    name: task.name,
    madeAt,
    schedule,
    policyText: policy,
    payload: task.payload === undefined ? undefined : payloadText(task.payload, prefix),
  }
}

/** The id of a keyed task: any node makes the same of the same name and key. */
export function idOfKey(name: string, key: string): string {
  return `key-${hashText(`${name}\0${key}`)}`
}

const KINDS = ['after', 'at', 'every', 'cron'] as const
const RECURRING_ONLY = ['start', 'end', 'max', 'jitter'] as const

function scheduleOf(task: TaskOptions, madeAt: number, prefix: string): Schedule {
  const given = KINDS.filter(kind => task[kind] !== undefined)
  if (given.length > 1)
    throw invalid(
      `${prefix}${given[1]}`,
      task[given[1] as 'at'],
      `only one of ${KINDS.join(', ')}; ${given[0]} is given too`,
    )
  const [kind] = given
  const recurring = kind === 'every' || kind === 'cron'
  for (const field of RECURRING_ONLY) {
    if (task[field] !== undefined && !recurring)
      throw invalid(`${prefix}${field}`, task[field], 'nothing here: it goes with every or cron')
  }
  for (const field of ['from', 'anchor'] as const) {
    if (task[field] !== undefined && kind !== 'every')
      throw invalid(`${prefix}${field}`, task[field], 'nothing here: it goes with every')
  }
  if (task.dst !== undefined && kind !== 'cron')
    throw invalid(`${prefix}dst`, task.dst, 'nothing here: it goes with cron')
  if (task.tz !== undefined) zone(task.tz, `${prefix}tz`)
  if (kind === undefined) return { kind: 'at', at: madeAt }
  if (kind === 'after') {
    const at = madeAt + duration(task.after, `${prefix}after`, 0)
    if (at > INSTANT_MAX)
      throw invalid(`${prefix}after`, task.after, 'a duration that ends before the year 275760')
    return { kind: 'at', at }
  }
  if (kind === 'at') return { kind: 'at', at: instantOf(task.at as Instant, task.tz, `${prefix}at`) }
  const limits = recurringOf(task, prefix)
  if (kind === 'cron') {
    const pattern = task.cron as string
    inField(`${prefix}cron`, () => parseCron(pattern))
    const dst = { gap: task.dst?.gap ?? 'auto', overlap: task.dst?.overlap ?? 'auto' } as const
    return { kind: 'cron', pattern, tz: task.tz ?? 'UTC', dst, ...limits }
  }
  const everyMs = duration(task.every, `${prefix}every`, 0)
  if (everyMs < EVERY_MS_MIN) throw invalid(`${prefix}every`, task.every, `${EVERY_MS_MIN} ms or more`)
  const anchor =
    task.anchor === undefined ? (limits.start ?? 0) : instantOf(task.anchor, task.tz, `${prefix}anchor`)
  return { kind: 'every', everyMs, from: task.from ?? 'phase', anchor, ...limits }
}

function recurringOf(task: TaskOptions, prefix: string): Recurring {
  const start = task.start === undefined ? undefined : instantOf(task.start, task.tz, `${prefix}start`)
  const end = task.end === undefined ? undefined : instantOf(task.end, task.tz, `${prefix}end`)
  if (start !== undefined && end !== undefined && end < start)
    throw invalid(`${prefix}end`, task.end, 'an instant that is not before start')
  const jitterMs = duration(task.jitter, `${prefix}jitter`, 0)
  return {
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    ...(task.max === undefined ? {} : { max: task.max }),
    ...(jitterMs === 0 ? {} : { jitterMs }),
  }
}

/** A schedule that would never fire is refused when it is made. */
function checkFires(
  schedule: Exclude<Schedule, { kind: 'at' }>,
  id: string,
  madeAt: number,
  prefix: string,
): void {
  if (recurrenceOf(schedule, id).next(madeAt) !== undefined) return
  const field = schedule.kind === 'cron' ? 'cron' : 'every'
  const value = schedule.kind === 'cron' ? schedule.pattern : schedule.everyMs
  throw invalid(
    `${prefix}${field}`,
    value,
    'a schedule that fires: within its start, end and dst this one never does',
  )
}

function policyOf(
  task: TaskOptions,
  profile: Partial<Policy>,
  schedule: Schedule,
  prefix: string,
): Partial<Policy> {
  const guarantee = task.guarantee ?? profile.guarantee ?? DEFAULT_POLICY.guarantee
  if (guarantee === 'at-most-once' && task.retry !== undefined && task.retry !== false) {
    throw invalid(`${prefix}retry`, task.retry, 'no retry: an at-most-once task is started once')
  }
  const policy: Record<string, unknown> = { ...profile, guarantee }
  for (const field of ['precision', 'priority', 'overlap'] as const)
    if (task[field] !== undefined) policy[field] = task[field]
  if (task.tags !== undefined) policy.tags = task.tags
  if (task.retry !== undefined) policy.retry = retryOf(task.retry, `${prefix}retry`)
  if (task.misfire !== undefined) policy.misfire = misfireOf(task.misfire, `${prefix}misfire`)
  if (task.timeout !== undefined) {
    const timeoutMs = duration(task.timeout, `${prefix}timeout`, 0)
    if (timeoutMs < 1 || timeoutMs > 2_147_483_647)
      throw invalid(`${prefix}timeout`, task.timeout, 'a duration from 1 ms to 24 days')
    policy.timeoutMs = timeoutMs
  }
  if (schedule.kind === 'at' && task.overlap !== undefined)
    throw invalid(`${prefix}overlap`, task.overlap, 'nothing here: it goes with every or cron')
  return policy as Partial<Policy>
}

function retryOf(retry: NonNullable<TaskOptions['retry']>, field: string): RetryPolicy {
  const base = DEFAULT_POLICY.retry
  if (retry === true) return base
  if (retry === false) return { ...base, max: 1 }
  if (typeof retry === 'number') return { ...base, max: retry }
  const kind = retry.kind ?? base.kind
  return {
    kind,
    baseMs: duration(retry.base, `${field}.base`, base.baseMs),
    maxDelayMs: duration(retry.maxDelay, `${field}.maxDelay`, base.maxDelayMs),
    max: retry.max ?? base.max,
    jitter: retry.jitter ?? kind === 'exponential',
  }
}

function misfireOf(misfire: NonNullable<TaskOptions['misfire']>, field: string): MisfirePolicy {
  const base = DEFAULT_POLICY.misfire
  if (typeof misfire === 'string') return { ...base, kind: misfire }
  return {
    kind: misfire.kind ?? base.kind,
    max: misfire.max ?? base.max,
    afterMs: duration(misfire.after, `${field}.after`, base.afterMs),
  }
}

function duration(value: string | number | undefined, field: string, missing: number): number {
  return value === undefined ? missing : parseDuration(value, field)
}

/** ISO 8601 local time: date, and time if given. */
const LOCAL = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,3})\d*)?)?)?$/
const WITH_OFFSET = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})$/i
const INSTANT_TEXT =
  "a Date, epoch milliseconds, or ISO 8601 like '2030-01-31T09:00:00Z' (without an offset it needs tz)"

export function instantOf(value: Instant, tz: string | undefined, field: string): number {
  let at = Number.NaN
  if (typeof value === 'number') at = value
  else if (value instanceof Date) at = value.getTime()
  else if (typeof value === 'string' && WITH_OFFSET.test(value))
    at = isDay(value) ? Date.parse(value) : Number.NaN
  else if (typeof value === 'string' && tz !== undefined) at = localInstant(value, tz)
  if (!Number.isFinite(at) || Math.abs(at) > INSTANT_MAX) throw invalid(field, value, INSTANT_TEXT)
  return Math.round(at)
}

/** Date.parse() takes 30 February for 2 March. */
function isDay(text: string): boolean {
  const [year, month, day] = text.slice(0, 10).split('-').map(Number) as [number, number, number]
  const date = new Date(Date.UTC(year, month - 1, day))
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}

function localInstant(text: string, tz: string): number {
  const parts = LOCAL.exec(text)
  if (parts === null) return Number.NaN
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(part => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const ms = Number((parts[7] ?? '0').padEnd(3, '0'))
  const check = new Date(Date.UTC(year, month - 1, day, hour, minute, second))
  if (
    check.getUTCDate() !== day ||
    check.getUTCMonth() !== month - 1 ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  )
    return Number.NaN
  return instantOfLocal(tz, year, month, day, hour, minute, second, ms)
}

function zone(tz: string, field: string): void {
  inField(field, () => checkZone(tz))
}

/** What a parser refuses is refused under the name that the user gave it. */
function inField(field: string, parse: () => unknown): void {
  try {
    parse()
  } catch (error) {
    if (!(error instanceof CarillonError) || error.field === field) throw error
    throw new CarillonError(error.code, `${field}: ${error.message}`, { field, cause: error })
  }
}

/** The payload's JSON; what JSON would drop or change without a word is refused. */
function payloadText(payload: unknown, prefix: string): string {
  const json = jsonText(payload)
  if (!('text' in json)) {
    const field = `${prefix}payload${json.path}`
    const message = `${field} can't be kept, it is ${json.found}: allowed is a JSON value`
    throw new CarillonError('INVALID', message, { field })
  }
  const { text } = json
  if (text.length <= PAYLOAD_BYTES_MAX / 3) return text
  const bytes = Buffer.byteLength(text)
  if (bytes > PAYLOAD_BYTES_MAX) {
    const field = `${prefix}payload`
    const message = `${field} has ${bytes} bytes as JSON: at most ${PAYLOAD_BYTES_MAX} are allowed; keep what is large elsewhere, and put its address here`
    throw new CarillonError('INVALID', message, { field })
  }
  return text
}

/** Ids of tasks and runs that users pass to other calls. */
export function checkId(id: unknown): string {
  if (typeof id === 'string' && (NAME_PATTERN.test(id) || RUN_ID.test(id))) return id
  throw invalid('id', id, 'the id of a task, or of a run')
}

const RUN_ID = /^[A-Za-z0-9_.:~@/-]{1,255}$/

/** A handler's name. */
export function checkName(name: unknown, field: string): string {
  if (typeof name === 'string' && NAME_PATTERN.test(name)) return name
  throw invalid(field, name, NAME_TEXT)
}
