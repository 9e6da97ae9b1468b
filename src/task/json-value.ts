/**
 * What users hand over as JSON: payloads. JSON.stringify drops or changes a good part of what it can't write without a
 * word (a function, NaN, a Map); who schedules a task learns of it there and then, not in a handler tomorrow.
 *
 * Taken: what JSON has, and objects that say themselves how they are written (`toJSON`, such as a Date). A property
 * that is undefined is left out, as everywhere in JavaScript. Class instances are written by their fields.
 */

/** JSON of `value`, or why there is none: a path inside of it (`.items[2]`, '' for itself) and what was found there. */
export type JsonText = { readonly text: string } | { readonly path: string; readonly found: string }

/** Deeper is taken for a mistake; a parser elsewhere may run out of stack. */
const DEPTH_MAX = 1000

export function jsonText(value: unknown): JsonText {
  try {
    const text = JSON.stringify(value) as string | undefined
    if (typeof value === 'string' || typeof value === 'boolean' || value === null)
      return { text: text as string }
    const wrong = wrongPart(value, 0)
    if (wrong !== undefined) return wrong
    return text === undefined ? { path: '', found: 'what its toJSON gives has no JSON' } : { text }
  } catch (cause) {
    const why = cause instanceof Error ? String(cause.message).split('\n')[0] : 'something was thrown'
    if (typeof value === 'bigint') return { path: '', found: 'a BigInt' }
    return { path: '', found: `it can't be written: ${why}` }
  }
}

/** The first part that JSON has no place for; it has been stringified, so there is no cycle. */
function wrongPart(value: unknown, depth: number): { path: string; found: string } | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : { path: '', found: String(value) }
    case 'object':
      break
    case 'undefined':
      return { path: '', found: 'undefined' }
    default:
      return { path: '', found: `a ${typeof value}` }
  }
  if (value === null) return undefined
  if (depth > DEPTH_MAX) return { path: '', found: `more than ${DEPTH_MAX} levels` }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return wrongDate(value)
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const wrong = wrongPart(value[i], depth + 1)
      if (wrong !== undefined) return { path: `[${i}]${wrong.path}`, found: wrong.found }
    }
    return undefined
  }
  const prototype = Object.getPrototypeOf(value) as object | null
  if (prototype !== Object.prototype && prototype !== null) {
    const kind = KINDS_WITHOUT_JSON.find(each => value instanceof each)
    if (kind !== undefined) return { path: '', found: `a ${kind.name}` }
    if (ArrayBuffer.isView(value)) return { path: '', found: 'bytes (write them as base64)' }
  }
  for (const key in value) {
    const part = (value as Record<string, unknown>)[key]
    if (typeof part === 'string' || part === undefined) continue
    const wrong = wrongPart(part, depth + 1)
    if (wrong !== undefined && Object.hasOwn(value, key))
      return { path: `.${key}${wrong.path}`, found: wrong.found }
  }
  return undefined
}

/** Dates are written as text, but an invalid one as null. */
function wrongDate(value: object): { path: string; found: string } | undefined {
  return value instanceof Date && Number.isNaN(value.getTime())
    ? { path: '', found: 'an invalid Date' }
    : undefined
}

/** Written as `{}`, whatever they hold. */
const KINDS_WITHOUT_JSON = [
  Map,
  Set,
  WeakMap,
  WeakSet,
  Promise,
  RegExp,
  Error,
  ArrayBuffer,
  SharedArrayBuffer,
] as const
