/**
 * Reads real crontab files: a user's (five fields and a command) and the system's (a user name before the command).
 * It takes what it can and names each line that it can't, with the reason; it never throws and never drops a line
 * without a word.
 *
 * As cron does (crontab(5), cronie and Debian's): environment lines hold for what follows; the first `%` ends the
 * command and the rest, with `%` as newline, is its input; `\%` is a percent sign; `CRON_TZ` is the zone of the lines
 * that follow; a leading `-` (cronie: don't log) is taken off. `0~30` (cronie: a random minute of the range) becomes
 * a minute that depends on the line, so that it stays the same. Mail, and running as another user, are not done: both
 * are named in `warnings`.
 */

import { hash32 } from '../lib/hash.ts'
import { CarillonError } from '../errors.ts'
import { parseCron } from './cron.ts'
import { checkZone } from './zone.ts'

export interface CrontabOptions {
  /** `system`: the sixth field is a user. `auto` (default): decided per file, by whether its lines have one. */
  readonly form?: 'user' | 'system' | 'auto' | undefined
  /** Zone of lines without CRON_TZ. Default: UTC. */
  readonly tz?: string | undefined
}

export interface CrontabEntry {
  /** Counted from 1. */
  readonly line: number
  readonly text: string
  /** `reboot`: once, when the node starts. */
  readonly schedule: { readonly kind: 'cron'; readonly cron: string; readonly tz: string } | { readonly kind: 'reboot' }
  readonly command: string
  /** What the command reads, from after the first `%`. */
  readonly stdin: string | undefined
  /** System form only. */
  readonly user: string | undefined
  readonly env: Readonly<Record<string, string>>
  readonly shell: string
  /** Stable while schedule, user and command stay as they are: fit for a task id. */
  readonly id: string
}

export interface Crontab {
  readonly form: 'user' | 'system'
  readonly entries: readonly CrontabEntry[]
  readonly refused: ReadonlyArray<{ readonly line: number; readonly text: string; readonly reason: string }>
  /** What is read but not done. */
  readonly warnings: ReadonlyArray<{ readonly line: number; readonly text: string }>
}

const LINES_MAX = 100_000
const LINE_LENGTH_MAX = 64 * 1024
const MACROS = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'])
const USER = /^[a-z_][a-z0-9_.-]{0,31}\$?$/
const FIELD = /^[0-9A-Za-z*?,/~#-]+$/
const ENV_LINE = /^\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z_][A-Za-z0-9_]*))\s*=\s*(.*?)\s*$/

/** Never throws, whatever the text. */
export function parseCrontab(text: string, options: CrontabOptions = {}): Crontab {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)
  const form = options.form === undefined || options.form === 'auto' ? formOf(lines) : options.form
  return new Reader(form, options.tz ?? 'UTC').read(lines)
}

class Reader {
  readonly #form: 'user' | 'system'
  readonly #entries: CrontabEntry[] = []
  readonly #refused: Array<{ line: number; text: string; reason: string }> = []
  readonly #warnings: Array<{ line: number; text: string }> = []
  readonly #seen = new Map<string, number>()
  #env: Record<string, string> = {}
  #tz: string
  #tzProblem: string | undefined

  constructor(form: 'user' | 'system', tz: string) {
    this.#form = form
    this.#tz = tz
    this.#tzProblem = zoneProblem(tz)
  }

  read(lines: readonly string[]): Crontab {
    for (const [i, text] of lines.slice(0, LINES_MAX).entries()) this.#line(i + 1, text)
    if (lines.length > LINES_MAX) {
      this.#refuse(LINES_MAX + 1, '', `${lines.length - LINES_MAX} more lines: a crontab has at most ${LINES_MAX}`)
    }
    return { form: this.#form, entries: this.#entries, refused: this.#refused, warnings: this.#warnings }
  }

  #line(line: number, text: string): void {
    if (text.length > LINE_LENGTH_MAX) return this.#refuse(line, text.slice(0, 80), `longer than ${LINE_LENGTH_MAX} characters`)
    const trimmed = text.trim()
    if (trimmed === '' || trimmed.startsWith('#')) return
    if (/[\u0000-\u0008\u000e-\u001f]/.test(trimmed)) return this.#refuse(line, text, 'it has control characters')
    if (/^[@*0-9-]/.test(trimmed)) return this.#task(line, trimmed)
    const env = ENV_LINE.exec(text)
    if (env !== null) return this.#setEnv(line, trimmed, (env[1] ?? env[2] ?? env[3]) as string, env[4] as string)
    this.#task(line, trimmed)
  }

  #setEnv(line: number, text: string, name: string, raw: string): void {
    const quoted = /^(["'])(.*)\1$/.exec(raw)
    const value = quoted === null ? raw : (quoted[2] as string)
    if (name === 'CRON_TZ') {
      this.#tz = value
      this.#tzProblem = zoneProblem(value)
      if (this.#tzProblem !== undefined) this.#refuse(line, text, this.#tzProblem)
      return
    }
    if (name === 'MAILTO' && value !== '') this.#warn(line, 'MAILTO: output is kept with the run, and not mailed')
    if (name === 'RANDOM_DELAY') this.#warn(line, 'RANDOM_DELAY is not applied: use jitter')
    // A name such as __proto__ must become a variable like any other.
    this.#env = Object.fromEntries([...Object.entries(this.#env).filter(([known]) => known !== name), [name, value]])
  }

  #task(line: number, text: string): void {
    const rest = text.startsWith('-') ? text.slice(1).trimStart() : text
    const macro = /^(@\S+)\s*(.*)$/s.exec(rest)
    if (macro !== null) return this.#scheduled(line, text, macro[1] as string, macro[2] as string)
    const fields = /^(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*(.*)$/s.exec(rest)
    if (fields === null) return this.#refuse(line, text, 'not five time fields and a command, nor NAME=value')
    const times = fields.slice(1, 6) as string[]
    const wrong = times.find(field => !FIELD.test(field))
    if (wrong !== undefined) return this.#refuse(line, text, `"${wrong}" is no time field`)
    const fixed = times.map((field, i) => withoutRandom(field, i, text))
    this.#scheduled(line, text, fixed.join(' '), fields[6] as string)
  }

  #scheduled(line: number, text: string, pattern: string, tail: string): void {
    let user: string | undefined
    let command = tail
    if (this.#form === 'system') {
      const split = /^(\S+)\s+(.*)$/s.exec(tail)
      if (split === null || !USER.test(split[1] as string)) {
        return this.#refuse(line, text, `"${tail.split(/\s/)[0]}" is no user name: the system form has a user before the command`)
      }
      user = split[1]
      command = split[2] as string
      if (user !== 'root') this.#warn(line, `the command runs as the node's own user, not as ${user}`)
    }
    if (command.trim() === '') return this.#refuse(line, text, 'there is no command')
    const schedule = this.#scheduleOf(line, text, pattern)
    if (schedule === undefined) return
    const { SHELL: shell = '/bin/sh', ...env } = this.#env
    const [first, stdin] = splitPercent(command)
    if (first.trim() === '') return this.#refuse(line, text, 'there is no command before the %')
    this.#entries.push({ line, text, schedule, command: first, stdin, user, env, shell, id: this.#idOf(pattern, user, command) })
  }

  #scheduleOf(line: number, text: string, pattern: string): CrontabEntry['schedule'] | undefined {
    if (pattern.toLowerCase() === '@reboot') return { kind: 'reboot' }
    if (pattern.startsWith('@') && !MACROS.has(pattern.toLowerCase())) {
      this.#refuse(line, text, `${pattern} is not known: @reboot, ${[...MACROS].join(', ')} are`)
      return undefined
    }
    if (this.#tzProblem !== undefined) {
      this.#refuse(line, text, this.#tzProblem)
      return undefined
    }
    try {
      parseCron(pattern)
    } catch (error) {
      if (!(error instanceof CarillonError)) throw error
      this.#refuse(line, text, error.message)
      return undefined
    }
    return { kind: 'cron', cron: pattern, tz: this.#tz }
  }

  /** Two equal lines are two entries: the second of them is numbered. */
  #idOf(pattern: string, user: string | undefined, command: string): string {
    const key = `${pattern}\n${user ?? ''}\n${command}`
    const times = (this.#seen.get(key) ?? 0) + 1
    this.#seen.set(key, times)
    const bytes = Buffer.from(key).toString('latin1')
    const hash = hash32(bytes, 1).toString(36).padStart(7, '0') + hash32(bytes, 2).toString(36).padStart(7, '0')
    return `crontab:${slugOf(command)}:${hash}${times === 1 ? '' : `:${times}`}`
  }

  #refuse(line: number, text: string, reason: string): void {
    this.#refused.push({ line, text, reason })
  }

  #warn(line: number, text: string): void {
    this.#warnings.push({ line, text })
  }
}

/** The system's if most of its lines have a plausible user where the system form has one. */
function formOf(lines: readonly string[]): 'user' | 'system' {
  let system = 0
  let user = 0
  for (const text of lines.slice(0, 1000)) {
    const match = /^\s*-?(?:@\w+|[0-9*]\S*\s+\S+\s+\S+\s+\S+\s+\S+)\s+(\S+)(?:\s+(\S+))?/.exec(text)
    if (match === null) continue
    if (match[2] !== undefined && KNOWN_USERS.has(match[1] as string)) system++
    else user++
  }
  return system > user ? 'system' : 'user'
}

/** Users that system crontabs name; a command of these names, followed by something, is rare. */
const KNOWN_USERS = new Set(
  'root daemon bin sys www-data nobody mail news uucp man backup list irc postgres mysql redis nginx apache munin clamav git munge zabbix ntp operator ubuntu debian ec2-user admin deploy app'.split(' '),
)

/** `a~b`, `~b`, `a~` or `~` of cronie: a number of the range that depends on the line alone. */
function withoutRandom(field: string, index: number, text: string): string {
  if (!field.includes('~')) return field
  const [least, most] = [[0, 59], [0, 23], [1, 31], [1, 12], [0, 6]][index] as [number, number]
  return field
    .split(',')
    .map(part => {
      const range = /^(\d{0,2})~(\d{0,2})$/.exec(part)
      if (range === null) return part
      const from = range[1] === '' ? least : Number(range[1])
      const to = range[2] === '' ? most : Number(range[2])
      if (to < from) return part
      return String(from + (hash32(Buffer.from(text).toString('latin1'), index) % (to - from + 1)))
    })
    .join(',')
}

/** The command up to the first unescaped `%`, and what follows as its input. */
function splitPercent(command: string): [command: string, stdin: string | undefined] {
  const parts = command.split(/(?<!\\)%/)
  const [first = '', ...rest] = parts.map(part => part.replaceAll('\\%', '%'))
  return [first.trimEnd(), rest.length === 0 ? undefined : rest.join('\n')]
}

/** Something to recognise the command by: its program's name. */
function slugOf(command: string): string {
  const words = command.split(/[\s;&|()]+/).filter(word => word !== '' && !word.includes('='))
  const program = words.find(word => /[A-Za-z]/.test(word) && !['test', 'cd', 'if', '[', 'command', '-v', '-x'].includes(word)) ?? 'command'
  const name = program.split('/').at(-1) ?? 'command'
  return name.replaceAll(/[^A-Za-z0-9_.-]/g, '').slice(0, 40) || 'command'
}

function zoneProblem(tz: string): string | undefined {
  try {
    checkZone(tz)
    return undefined
  } catch (error) {
    if (error instanceof CarillonError) return error.message
    throw error
  }
}
