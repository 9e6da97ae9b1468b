/**
 * The README's terminal sessions, and whether a real terminal says the same. A session is a `console` block: lines that
 * begin with `$ ` are typed (`> ` goes on with the one before), what follows is what was printed. A line `...` stands
 * for any lines, `...` at a line's end for its rest.
 *
 * What differs from run to run is compared by its kind only: times, durations, sizes, process ids, ids that the library
 * makes, hashes. Everything else has to be the same, and in the same order; columns may be wider or narrower.
 */

export interface Step {
  /** Line of the README, from 1. */
  readonly line: number
  readonly command: string
  readonly printed: readonly string[]
}

/** A file that the README shows and its sessions use: a code block whose first line names it in a comment. */
export interface ShownFile {
  readonly name: string
  readonly text: string
}

interface Block {
  readonly language: string
  /** Line of its first line of content, from 1. */
  readonly line: number
  readonly lines: readonly string[]
}

export function stepsOf(markdown: string): Step[] {
  return blocksOf(markdown)
    .filter(block => block.language === 'console')
    .flatMap(stepsOfBlock)
}

export function filesOf(markdown: string): ShownFile[] {
  return blocksOf(markdown).flatMap(({ lines }) => {
    const name = /^(?:\/\/|#) ([\w./-]+\.(?:ts|js|mjs|json)|[\w-]*crontab)$/.exec(lines[0] ?? '')?.[1]
    return name === undefined ? [] : [{ name, text: `${lines.join('\n')}\n` }]
  })
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  let open: { language: string; line: number; lines: string[] } | undefined
  for (const [i, text] of markdown.split('\n').entries()) {
    const fence = /^```(\w*)$/.exec(text)
    if (open === undefined) {
      if (fence !== null) open = { language: fence[1] as string, line: i + 2, lines: [] }
    } else if (fence !== null) {
      blocks.push(open)
      open = undefined
    } else open.lines.push(text)
  }
  return blocks
}

function stepsOfBlock({ line, lines }: Block): Step[] {
  const steps: Array<{ line: number; command: string; printed: string[] }> = []
  for (const [i, text] of lines.entries()) {
    const last = steps.at(-1)
    if (text.startsWith('$ ')) steps.push({ line: line + i, command: text.slice(2), printed: [] })
    else if (last === undefined)
      throw new Error(`line ${line + i}: a session begins with "$ ", not "${text}"`)
    else if (text.startsWith('> ') && last.printed.length === 0) last.command += `\n${text.slice(2)}`
    else last.printed.push(text)
  }
  return steps
}

/** Undefined if it is the same, else a sentence with the two lines that differ. */
export function difference(expected: readonly string[], printed: readonly string[]): string | undefined {
  const wanted = trimmed(expected)
  const got = trimmed(printed)
  const memo = new Set<number>()
  let far = 0
  const fits = (i: number, j: number): boolean => {
    const key = i * (got.length + 1) + j
    if (memo.has(key)) return false
    far = Math.max(far, i)
    let same: boolean
    if (i === wanted.length) same = j === got.length
    else if (wanted[i] === '...') same = fits(i + 1, j) || (j < got.length && fits(i, j + 1))
    else same = j < got.length && sameLine(wanted[i] as string, got[j] as string) && fits(i + 1, j + 1)
    if (!same) memo.add(key)
    return same
  }
  if (fits(0, 0)) return undefined
  return `expected "${wanted[far] ?? 'the end'}" (its line ${far + 1}), printed was:\n${got.map(each => `    ${each}`).join('\n')}`
}

function sameLine(expected: string, printed: string): boolean {
  if (!expected.endsWith('...')) return kindsOf(expected) === kindsOf(printed)
  return kindsOf(printed).startsWith(kindsOf(expected.slice(0, -3)).trimEnd())
}

function trimmed(lines: readonly string[]): string[] {
  const all = lines.map(line => line.trimEnd())
  while (all.at(-1) === '') all.pop()
  return all
}

/** In this order: what is part of a longer thing comes after it. */
const KINDS: readonly (readonly [pattern: RegExp, kind: string])[] = [
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| ?[+-]\d\d:\d\d)?/g, '<instant>'],
  [/\b\d{4}-\d\d-\d\d\b/g, '<date>'],
  [/\b\d\d:\d\d(?::\d\d(?:\.\d+)?)?\b/g, '<time>'],
  [/\b(process|pid) \d+/g, '$1 <pid>'],
  [/(?<![\w-])[0-9a-z]{9}[0-9a-z]{3}[0-9a-z]{6}(?![\w-])/g, '<id>'],
  [/@\d{13}\b/g, '@<instant>'],
  [/\b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b/g, '<hash>'],
  [/\b\d+(?:\.\d+)? ?(?:KiB|MiB|GiB|TiB|kB|MB|GB|TB|B|bytes)\b/g, '<size>'],
  [/\b\d+(?:\.\d+)? ?(?:ms|us|s|m|min|h|d|w)\b(?: \d+(?:\.\d+)? ?(?:ms|s|m|min|h|d)\b)*/g, '<duration>'],
  [/\s+/g, ' '],
]

export function kindsOf(line: string): string {
  let text = line.trim()
  for (const [pattern, kind] of KINDS) text = text.replaceAll(pattern, kind)
  return text
}
