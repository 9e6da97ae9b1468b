/**
 * Reads source text for the house's own tests: a small scanner that knows comments, strings, templates and regular
 * expressions, and no more of the language. It keeps every offset, so a place found in the masked text is the same
 * place in the file.
 */

import { readdirSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')

export interface ImportOf {
  readonly specifier: string
  readonly typeOnly: boolean
}

/** All files under `folder` of the repository, as paths with `/` from its root, sorted. */
export function filesUnder(folder: string, ending = '.ts'): string[] {
  let entries: ReturnType<typeof readEntries>
  try {
    entries = readEntries(join(ROOT, folder))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return entries
    .filter(entry => entry.isFile() && entry.name.endsWith(ending))
    .map(entry => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter(path => !path.includes('node_modules/'))
    .sort()
}

function readEntries(folder: string) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
}

/** Whatever `source` imports or re-exports, also with import(), import types and require(). */
export function importsOf(source: string): ImportOf[] {
  const code = mask(source)
  const found: ImportOf[] = []
  // Masked strings keep their quotes and length: the name stands in the source at the same place.
  for (const match of code.matchAll(/\b(from|import|require)\b(\s*\(?\s*)(['"`])( *)\3/g)) {
    const [whole, word, between, , blank] = match
    if (word === 'from' && between!.includes('(')) continue // Array.from('x')
    const end = match.index + whole.length - 1
    const statement = /\b(?:import|export)\b(\s+type\b)?[^'"`]*$/.exec(code.slice(0, end - blank!.length - 1))
    found.push({
      specifier: source.slice(end - blank!.length, end),
      typeOnly: word === 'from' && statement?.[1] !== undefined,
    })
  }
  return found
}

const KEYWORD_BEFORE_REGEXP = /\b(?:return|typeof|case|in|of|delete|void|throw|new|do|else|await|yield)$/

/** `source` with the inside of comments, strings, templates and regular expressions blanked; lines stay lines. */
export function mask(source: string): string {
  const out = source.split('')
  /** For each open template expression: how many braces are open inside it. */
  const templates: number[] = []
  let at = 0

  const blank = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' '
  }
  const skipTo = (end: number) => {
    blank(at, end)
    at = end
  }
  /** From inside a template to the end of it, or into its next expression. */
  const template = () => {
    const from = at
    while (at < source.length) {
      if (source[at] === '\\') at += 2
      else if (source[at] === '`' || source.startsWith('${', at)) break
      else at += 1
    }
    blank(from, Math.min(at, source.length))
    if (source[at] === '$') {
      templates.push(0)
      at += 2
    } else at += 1
  }

  while (at < source.length) {
    const char = source[at]!
    if (source.startsWith('//', at) || (at === 0 && source.startsWith('#!'))) {
      const end = source.indexOf('\n', at)
      skipTo(end === -1 ? source.length : end)
    } else if (source.startsWith('/*', at)) {
      const end = source.indexOf('*/', at + 2)
      skipTo(end === -1 ? source.length : end + 2)
    } else if (char === "'" || char === '"') {
      at += 1
      skipTo(endOfString(source, at, char))
      at += 1
    } else if (char === '`') {
      at += 1
      template()
    } else if (char === '}' && templates.at(-1) === 0) {
      templates.pop()
      at += 1
      template()
    } else if (char === '/' && regexpMayStartAfter(out, at)) {
      at += 1
      skipTo(endOfRegexp(source, at))
      at += 1
    } else {
      if (templates.length > 0 && char === '{') templates[templates.length - 1]! += 1
      if (templates.length > 0 && char === '}') templates[templates.length - 1]! -= 1
      at += 1
    }
  }
  return out.join('')
}

function endOfString(source: string, from: number, quote: string): number {
  let at = from
  while (at < source.length && source[at] !== quote && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1
  return Math.min(at, source.length)
}

function endOfRegexp(source: string, from: number): number {
  let at = from
  let inClass = false
  while (at < source.length && source[at] !== '\n' && (inClass || source[at] !== '/')) {
    if (source[at] === '[') inClass = true
    if (source[at] === ']') inClass = false
    at += source[at] === '\\' ? 2 : 1
  }
  return Math.min(at, source.length)
}

/** A slash begins a regular expression where a value is awaited, and divides where one stands. */
function regexpMayStartAfter(masked: readonly string[], at: number): boolean {
  let end = at
  while (end > 0 && /\s/.test(masked[end - 1]!)) end -= 1
  const before = masked.slice(Math.max(0, end - 12), end).join('')
  if (before === '' || KEYWORD_BEFORE_REGEXP.test(before)) return true
  if (before.endsWith('++') || before.endsWith('--')) return false
  return /[(,=:[!&|?{;+\-*%~^<>]$/.test(before)
}
