/**
 * How wide a text is in a terminal, and how it is cut to fit: by graphemes, as an emoji of five code points is two
 * columns wide and must not be torn. Control characters, and those that turn the direction of a line, are shown as
 * escapes: what a handler logs must not drive the terminal of who reads it.
 */

import stringWidth from 'string-width'

/** C0, DEL, C1, line and paragraph separators, and the marks that change direction. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g
const PLAIN = /^[\x20-\x7e]*$/
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

export function printable(text: string): string {
  if (PLAIN.test(text)) return text
  return text
    .toWellFormed()
    .replace(UNPRINTABLE, char => SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Columns of a text that is printable. */
export function widthOf(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text)
}

/** At most `width` columns, with an ellipsis where something was left out. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  if (width <= 1) return width === 1 ? '…' : ''
  if (PLAIN.test(text)) return `${text.slice(0, width - 1)}…`
  let taken = ''
  let used = 0
  for (const { segment } of graphemes.segment(text.slice(0, width * 20))) {
    const more = widthOf(segment)
    if (used + more > width - 1) break
    taken += segment
    used += more
  }
  return `${taken}…`
}

/** With blanks up to `width` columns. */
export function pad(text: string, width: number, right = false): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)))
  return right ? blanks + text : text + blanks
}

const graphemes = new Intl.Segmenter()
