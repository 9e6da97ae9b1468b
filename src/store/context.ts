/** The context of the index: per actor and range the n up to which it has all changes; one value, as of the last spill. */

import { CorruptBytes } from '../lib/bytes.ts'
import { openJson, sealJson } from '../lib/sealed.ts'

/** Per actor and range, the last n whose effect the index has. */
export type Context = Map<number, Float64Array>

/** Contexts of past actors that are kept: those of the last boots. */
const CONTEXTS_MAX = 64

export function encodeContext(context: Context): Uint8Array {
  const latest = [...context].sort(([a], [b]) => a - b).slice(-CONTEXTS_MAX)
  return sealJson(latest.map(([actor, ns]) => [actor, [...ns]]))
}

/** Throws STORE_CORRUPT. */
export function decodeContext(bytes: Uint8Array | undefined, ranges: number): Context {
  if (bytes === undefined) return new Map()
  return openJson(bytes, "the index's context", value => {
    const context: Context = new Map()
    for (const [actor, ns] of value as Array<[number, number[]]>) {
      if (!Number.isSafeInteger(actor) || ns.length !== ranges) throw new CorruptBytes('it is not whole')
      context.set(actor, Float64Array.from(ns))
    }
    return context
  })
}
