/**
 * The lines of a crontab, taken apart: what is a variable, what are the words of the time, what is the command and
 * what its input. After entry.c, env.c and do_command.c of Vixie cron, character by character where it matters (`\%`).
 * Every function is linear in the length of the line.
 */

import { hash32 } from '../lib/hash.ts'
import { PATTERN_LENGTH_MAX } from './cron.ts'

export const MACROS: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
  ['@every_minute', '* * * * *'],
])

/** At most `max` lines, without their ends (LF or CRLF) and without a byte order mark. */
export function linesOf(text: string, max: number): string[] {
  const lines: string[] = []
  for (let at = text.startsWith('\ufeff') ? 1 : 0; at < text.length && lines.length < max; ) {
    const newline = text.indexOf('\n', at)
    const end = newline < 0 ? text.length : newline
    lines.push(text.slice(at, text[end - 1] === '\r' && end > at ? end - 1 : end))
    at = end + 1
  }
  return lines
}

export function isBlankOrComment(line: string): boolean {
  const text = afterBlanks(line)
  return text.trim() === '' || text.startsWith('#')
}

/** Without leading spaces and tabs, the only characters that separate words in a crontab. */
export function afterBlanks(line: string): string {
  let at = 0
  while (isBlank(line.charCodeAt(at))) at++
  return line.slice(at)
}

/** The first `count` words, or fewer, and all that follows them. */
export function words(line: string, count: number): { taken: string[]; rest: string } {
  const taken: string[] = []
  let at = 0
  while (isBlank(line.charCodeAt(at))) at++
  while (taken.length < count && at < line.length) {
    const start = at
    while (at < line.length && !isBlank(line.charCodeAt(at))) at++
    taken.push(line.slice(start, at))
    while (isBlank(line.charCodeAt(at))) at++
  }
  return { taken, rest: line.slice(at) }
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}

/** `name = value`, either in quotes. The blanks before and after an unquoted value are not part of it. */
const VARIABLE = /^[ \t]*(?:"([^"=]*)"|'([^'=]*)'|([^\s"'=][^\s=]*))[ \t]*=/

/** Undefined if the line sets no variable; a text that says why, if it does it wrongly. */
export function variableOf(line: string): { name: string; value: string } | string | undefined {
  const match = VARIABLE.exec(line)
  if (match === null) return undefined
  const name = match[1] ?? match[2] ?? match[3] ?? ''
  if (name.length > 255 || !/^[A-Za-z_][\w.-]*$/.test(name)) {
    return "sets a variable whose name has other characters than letters, digits and '_.-'"
  }
  const text = afterBlanks(line.slice(match[0].length))
  const quote = text[0]
  if (quote !== '"' && quote !== "'") return { name, value: text.trimEnd() }
  const end = text.indexOf(quote, 1)
  if (end < 0) return `sets ${name} to a text whose quote is not closed`
  if (text.slice(end + 1).trim() !== '')
    return `has something after the closing quote of ${name}; a comment needs a line of its own`
  return { name, value: text.slice(1, end) }
}

export interface CommandParts {
  readonly command: string
  readonly stdin?: string
  /** Letters of BSD's `-n`, `-q` and `-s` before the command. */
  readonly flags: string
}

/** `rest` is what follows the time and the user. */
export function commandParts(rest: string): CommandParts {
  const flags = /^(?:-[nqs]{1,3}[ \t]+){1,3}/.exec(rest)?.[0] ?? ''
  const text = rest.slice(flags.length)
  let command = ''
  let start = 0
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === '%') {
      return { command: command + text.slice(start, at), stdin: inputOf(text.slice(at + 1)), flags }
    }
    if (char !== '\\') continue
    if (text[at + 1] === '%') {
      command += text.slice(start, at)
      start = at + 1
    }
    at++ // a backslash speaks for the next character only: `\\%` is an escaped backslash and the end
  }
  return { command: command + text.slice(start), flags }
}

/** Here cron looks at one character before the `%` only, and it ends the last line. */
function inputOf(text: string): string {
  const input = text.replace(/\\?%/g, found => (found === '%' ? '\n' : '%'))
  return input === '' || input.endsWith('\n') ? input : `${input}\n`
}

interface FieldRange {
  readonly low: number
  readonly high: number
  /** Three letters each. */
  readonly names: string
}

const RANGES: readonly FieldRange[] = [
  { low: 0, high: 59, names: '' },
  { low: 0, high: 23, names: '' },
  { low: 1, high: 31, names: '' },
  { low: 1, high: 12, names: 'janfebmaraprmayjunjulaugsepoctnovdec' },
  { low: 0, high: 6, names: 'sunmontuewedthufrisat' },
]

/** The five fields as one pattern for cron.ts: lower case, no leading zeros, and a value picked from each `a~b`. */
export function patternOf(fields: readonly string[], seed: string): string | { readonly refused: string } {
  const done: string[] = []
  for (const [i, field] of fields.entries()) {
    const text = field.toLowerCase().replace(/(?<!\d)0+(?=\d)/g, '')
    // What is too long for cron.ts is left for it to refuse: each pick reads the whole line.
    if (!text.includes('~') || text.length > PATTERN_LENGTH_MAX) {
      done.push(text)
      continue
    }
    const items = text
      .split(',')
      .map((item, j) => (item.includes('~') ? picked(item, RANGES[i], hash32(seed, i * 1024 + j)) : item))
    if (items.includes(undefined)) {
      return {
        refused: `has '${field.slice(0, 40)}': a random range is written a~b or a~b/step, with a not after b`,
      }
    }
    done.push(items.join(','))
  }
  return done.join(' ')
}

/** One value of `a~b`; of `a~b/step` the range from one of its first `step` values. Either end may be left out. */
function picked(item: string, range: FieldRange | undefined, hash: number): string | undefined {
  const parts = /^([a-z]{3}|\d{1,2})?~([a-z]{3}|\d{1,2})?(?:\/(\d{1,3}))?$/.exec(item)
  if (parts === null || range === undefined) return undefined
  const low = numberOf(parts[1], range, range.low)
  const high = numberOf(parts[2], range, range.high)
  if (low === undefined || high === undefined || low > high) return undefined
  if (parts[3] === undefined) return String(low + (hash % (high - low + 1)))
  const step = Number(parts[3])
  if (step < 1) return undefined
  return `${low + (hash % Math.min(step, high - low + 1))}-${high}/${step}`
}

function numberOf(text: string | undefined, range: FieldRange, absent: number): number | undefined {
  if (text === undefined) return absent
  const at = range.names.indexOf(text)
  const value = /^\d/.test(text) ? Number(text) : at >= 0 && at % 3 === 0 ? at / 3 + range.low : -1
  const high = range.high === 6 ? 7 : range.high
  return value >= range.low && value <= high ? value : undefined
}
