/** What the user wrote, read: numbers, durations, choices; and the nearest name where one is wrong. */

import { isCarillonError } from '../errors.ts'
import { parseDuration } from '../task/duration.ts'
import { wrongUse } from './cli-error.ts'

export function numberOf(text: string, flag: string, least: number, most: number): number {
  const value = /^-?\d+$/.test(text.trim()) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw wrongUse(`${flag} is '${text}': allowed is a whole number from ${least} to ${most}`)
}

/** Milliseconds of '10m', '1h30m', 'PT10M'. A number alone could be taken for seconds as well: it is refused. */
export function durationOf(text: string, flag: string): number {
  if (/^\d+$/.test(text)) throw wrongUse(`${flag} is '${text}', without a unit: did you mean ${text}s?`)
  try {
    return parseDuration(text, flag)
  } catch (error) {
    if (isCarillonError(error)) throw wrongUse(error.message)
    throw error
  }
}

export function jsonOf(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw wrongUse(
      `${what} is no JSON: ${(error as Error).message}; a text needs quotes of its own, like --payload '"text"'`,
    )
  }
}

/** The known name that `word` was probably meant to be. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1
  for (const each of known) {
    const found = distance(word.toLowerCase().slice(0, 200), each.toLowerCase().slice(0, 200))
    if (found < bestDistance) {
      bestDistance = found
      best = each
    }
  }
  return best
}

/** Edits from one word to the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + same))
    }
    row = next
  }
  return row[b.length]!
}
