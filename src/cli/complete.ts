/**
 * Completion of the command line. The script of a shell is short and never changes: it asks `carillon complete --
 * <words>`, which knows the commands from the same list as the parser, and ids and handlers from the running node. A
 * node that does not answer within 300 ms is left out, and nothing that goes wrong is said: a Tab is no place for it.
 *
 * The answer has a candidate on each line, `value<TAB>text`, and at last `:file`, `:directory` or `:none`: what the
 * shell itself should complete.
 */

import { EXIT } from './cli-error.ts'
import { type CommandSpec, type Completion, longName, type OptionSpec, takesValue } from './command.ts'
import { COMMANDS } from './commands.ts'
import { Context, type World } from './context.ts'
import { findNode, type NodeValues } from './find-node.ts'
import type { RemoteNode } from './remote.ts'

export const LIMIT_MS = 300
const CANDIDATES_MAX = 500
const TASKS_READ_MAX = 5000

export interface Candidates {
  readonly values: readonly (readonly [value: string, text: string])[]
  /** What the shell completes besides. */
  readonly paths: 'file' | 'directory' | 'none'
}

const NONE: Candidates = { values: [], paths: 'none' }

/** The hidden command `carillon complete -- <words>`: the words after `carillon`, the one at the cursor last. */
export async function runComplete(words: readonly string[], world: World): Promise<number> {
  const context = new Context(world, false)
  const { values, paths } = await candidatesOf(words, (kind, typed) =>
    fromNode(context, kind, typed, words).catch(() => []),
  )
  for (const [value, text] of values.slice(0, CANDIDATES_MAX)) await context.say(`${value}\t${text}`)
  await context.say(`:${paths}`)
  return EXIT.done
}

type Ask = (kind: 'task' | 'handler', typed: string) => Promise<readonly (readonly [string, string])[]>

export async function candidatesOf(words: readonly string[], ask: Ask): Promise<Candidates> {
  const typed = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const spec = commandOf(before)
  if (spec === undefined) return firstWords(before, typed)
  const rest = before.slice(spec.name.split(' ').length)
  const assigned = /^(--[a-z-]+)=(.*)$/s.exec(typed)
  if (assigned !== null) {
    const option = optionOf(spec, assigned[1] as string)
    if (option === undefined) return NONE
    const found = await valuesOf(option, assigned[2] as string, ask)
    return { ...found, values: found.values.map(([value, text]) => [`${assigned[1]}=${value}`, text]) }
  }
  const last = rest.at(-1)
  const open = last === undefined ? undefined : optionOf(spec, last)
  if (open !== undefined && takesValue(open)) return valuesOf(open, typed, ask)
  if (typed.startsWith('-')) return optionsOf(spec, rest, typed)
  const position = positionals(spec, rest)
  const word = spec.words[position] ?? (spec.words.at(-1)?.many === true ? spec.words.at(-1) : undefined)
  if (word !== undefined) return valuesOf(word, typed, ask)
  return typed === '' ? optionsOf(spec, rest, '--') : NONE
}

/** The command that the words begin with. */
function commandOf(words: readonly string[]): CommandSpec | undefined {
  return COMMANDS.find(({ name }) => name.split(' ').every((part, i) => words[i] === part))
}

function firstWords(before: readonly string[], typed: string): Candidates {
  const [group] = before
  if (typed.startsWith('-') && group === undefined) {
    const own = [
      ['--help', 'show help'],
      ['--version', 'print the version'],
    ] as const
    return { values: own.filter(([flag]) => flag.startsWith(typed)), paths: 'none' }
  }
  const values = new Map<string, string>()
  for (const { name, summary } of COMMANDS) {
    const [first = '', second] = name.split(' ')
    if (group === undefined) values.set(first, summary)
    else if (group === first && second !== undefined && before.length === 1) values.set(second, summary)
  }
  return { values: [...values].filter(([word]) => word.startsWith(typed)), paths: 'none' }
}

function optionOf(spec: CommandSpec, flag: string): OptionSpec | undefined {
  return spec.options.find(option => option.flags.split(/[ ,]+/).includes(flag))
}

function optionsOf(spec: CommandSpec, used: readonly string[], typed: string): Candidates {
  const free = spec.options.filter(
    option => option.many === true || !used.some(word => optionOf(spec, word) === option),
  )
  const values = [...free.map(option => [`--${longName(option)}`, option.text]), ['--help', 'show help']]
  return { values: (values as [string, string][]).filter(([flag]) => flag.startsWith(typed)), paths: 'none' }
}

/** How many words were given that are no option and no option's value. */
function positionals(spec: CommandSpec, words: readonly string[]): number {
  let count = 0
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string
    const option = optionOf(spec, word)
    if (option !== undefined && takesValue(option)) i++
    else if (!word.startsWith('-')) count++
  }
  return count
}

async function valuesOf(
  of: { readonly choices?: readonly string[]; readonly completion?: Completion; readonly text: string },
  typed: string,
  ask: Ask,
): Promise<Candidates> {
  const { choices, completion: kind, text } = of
  if (kind === 'file' || kind === 'directory') return { values: [], paths: kind }
  const all =
    kind === 'task' || kind === 'handler'
      ? await ask(kind, typed)
      : (kind === 'zone' ? ['UTC', ...Intl.supportedValuesOf('timeZone')] : (choices ?? [])).map(
          each => [each, kind === 'zone' ? 'time zone' : text] as const,
        )
  return { values: all.filter(([value]) => value.startsWith(typed)), paths: 'none' }
}

/** What it answers within the limit, which begins when the client is loaded; of a long list what has come by then. */
async function fromNode(
  context: Context,
  kind: 'task' | 'handler',
  typed: string,
  words: readonly string[],
): Promise<(readonly [string, string])[]> {
  // To come into a mesh takes longer than a Tab may.
  if (words.some(word => /^--join(=|$)/.test(word))) return []
  const node = await findNode(context, nodeValues(words))
  const found: (readonly [string, string])[] = []
  const asked = kind === 'handler' ? addHandlers(node, found) : addTasks(node, typed, found)
  await Promise.race([asked, context.world.sleep(LIMIT_MS)])
  return [...found]
}

async function addHandlers(node: RemoteNode, found: (readonly [string, string])[]): Promise<void> {
  const { handlers } = await node.status()
  for (const name of handlers) found.push([name, 'handler'])
}

async function addTasks(
  node: RemoteNode,
  typed: string,
  found: (readonly [string, string])[],
): Promise<void> {
  let read = 0
  for await (const { id, name, state } of node.tasks({})) {
    if (id.startsWith(typed)) found.push([id, `${name}, ${state}`])
    if (++read >= TASKS_READ_MAX || found.length >= CANDIDATES_MAX) return
  }
}

/** What the line so far says about the node. */
function nodeValues(words: readonly string[]): NodeValues {
  const value = (flag: string): string | undefined => {
    const at = words.indexOf(flag)
    return at >= 0 ? words[at + 1] : words.find(word => word.startsWith(`${flag}=`))?.slice(flag.length + 1)
  }
  const [url, tokenFile, data] = ['--url', '--token-file', '--data'].map(value)
  return {
    ...(url === undefined ? {} : { url }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
    ...(data === undefined ? {} : { data }),
  }
}
