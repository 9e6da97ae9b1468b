/**
 * Crontab files as cron daemons read them, turned into entries that can be scheduled. Pure, and total: each line that
 * can't be taken is reported with its number and the reason, and no text makes it throw. The grammar is crontab(5) of
 * Vixie cron with what Debian, cronie, FreeBSD and OpenBSD added; the time fields are those of cron.ts, which allows a
 * little more (`L`, `5#2`, `a/step`) and refuses steps wider than their field. What had to be decided:
 *
 * - `form: 'auto'` decides once for the whole file, see {@link formOf}.
 * - A day field that begins with `*` counts as a star also when it has a step, as in Vixie cron: cron.ts does that.
 * - `6~15` picks a value by a hash of the line: the same at each import and on each machine, where cron picks at
 *   random each time it loads the file. `0~59/10` is every ten minutes from such an offset (OpenBSD).
 * - `@60` and `@every_second` (FreeBSD) are seconds from the completion of one run to the start of the next.
 * - `CRON_TZ` is the zone of the schedules after it; if it is unknown those are refused, rather than fired at a wrong
 *   time. `TZ` is for the command only, as in cron.
 * - Nothing after the command is a comment, `\%` is a percent sign, and any other `%` ends the command: what follows
 *   is its input, each further `%` a new line.
 */

import { isCarillonError } from '../errors.ts'
import { parseCron } from './cron.ts'
import {
  afterBlanks,
  type CommandParts,
  commandParts,
  isBlankOrComment,
  linesOf,
  MACROS,
  patternOf,
  variableOf,
  words,
} from './crontab-line.ts'
import { invalid } from './schema.ts'
import { hashText } from './text-hash.ts'
import { checkZone } from './zone.ts'

/** A longer line is refused, characters. The daemons stop at about 1,000. */
export const CRONTAB_LINE_LENGTH_MAX = 64 * 1024
/** What comes after is not read. */
export const CRONTAB_LINES_MAX = 100_000
/** Each entry has a copy of the variables above it, so a file of nothing else would need its square in memory. */
const VARIABLES_MAX = 100
const ZONES_MAX = 200
/** List items in all different patterns of one file. Reading one costs some 20 us, so this is about two seconds. */
const ITEMS_MAX = 100_000
const SHOWN_LENGTH_MAX = 200
const EVERY_SECONDS_MAX = 10 * 366 * 86_400
const RANDOM_DELAY_MINUTES_MAX = 24 * 60

export type CrontabForm = 'user' | 'system'

export type CrontabSchedule =
  | { readonly kind: 'cron'; readonly pattern: string; readonly tz: string }
  /** `@60`: that long after the end of the run before; the first that long after the import. */
  | { readonly kind: 'every'; readonly everyMs: number; readonly from: 'completion' }
  /** Once, when the machine starts; for us: when the node does. */
  | { readonly kind: 'reboot' }

export interface CrontabEntry {
  /** From 1. */
  readonly line: number
  readonly text: string
  /** Stable: it follows from the time fields, the user and the command (not from the line number or the variables). Equal lines are numbered. */
  readonly id: string
  readonly schedule: CrontabSchedule
  readonly command: string
  readonly stdin?: string
  /** Only in the system form. FreeBSD's `user:group/class` is kept as it is. */
  readonly user?: string
  /** The variables above the line; nothing in them is expanded, as in cron. */
  readonly env: Readonly<Record<string, string>>
  readonly shell: string
  /** cron lets runs overlap; `skip` for OpenBSD's `-s`, and for `@60`. */
  readonly overlap: 'allow' | 'skip'
  /** RANDOM_DELAY, as a bound in ms; 0 if there is none. */
  readonly jitterMs: number
}

/** A line that was not taken, or was taken with a difference to cron. */
export interface CrontabRemark {
  readonly line: number
  /** At most 200 characters of it. */
  readonly text: string
  readonly reason: string
}

export interface Crontab {
  /** The form that was read: what was asked for, or what `auto` found. */
  readonly form: CrontabForm
  readonly entries: readonly CrontabEntry[]
  /** Each line that is not empty or a comment is here, in `entries` or in `variables`. */
  readonly refused: readonly CrontabRemark[]
  readonly variables: readonly { readonly line: number; readonly name: string; readonly value: string }[]
  readonly warnings: readonly CrontabRemark[]
}

export interface CrontabOptions {
  /** `user`: a command after the five fields. `system`: first the name of a user (/etc/crontab, /etc/cron.d). */
  readonly form: CrontabForm | 'auto'
  /** IANA zone until a CRON_TZ. Default: `UTC`. */
  readonly tz?: string | undefined
}

/** Throws only for what is no text, and for options that are not allowed. */
export function parseCrontab(text: string, options: CrontabOptions): Crontab {
  if (typeof text !== 'string') throw invalid('text', text, 'the text of a crontab')
  const asked = options?.form
  if (asked !== 'auto' && asked !== 'user' && asked !== 'system')
    throw invalid('form', asked, "'auto', 'user' (a command after the time) or 'system' (a user before it)")
  const tz = options.tz ?? 'UTC'
  checkZone(tz)
  const lines = linesOf(text, CRONTAB_LINES_MAX + 1)
  const rest = lines.splice(CRONTAB_LINES_MAX)
  const form = asked === 'auto' ? formOf(lines) : asked
  const reader = new CrontabReader(form, tz)
  lines.forEach((line, i) => {
    reader.read(i + 1, line)
  })
  if (rest[0] !== undefined) {
    reader.refuse(
      CRONTAB_LINES_MAX + 1,
      rest[0],
      `at most ${CRONTAB_LINES_MAX} lines are read: not this one, and none after it`,
    )
  }
  const { entries, refused, variables, warnings } = reader
  return { form, entries, refused, variables, warnings }
}

/** Why a line is not taken. Never leaves this file. */
class Refusal extends Error {}

class CrontabReader {
  readonly #form: CrontabForm
  readonly entries: CrontabEntry[] = []
  readonly refused: CrontabRemark[] = []
  readonly variables: { line: number; name: string; value: string }[] = []
  readonly warnings: CrontabRemark[] = []
  readonly #defaultTz: string
  /** Undefined after a CRON_TZ that is no zone, and then `#badTzLine` says where. */
  #tz: string | undefined
  #badTzLine = 0
  #jitterMs = 0
  readonly #env = new Map<string, string>()
  /** The same object for all entries until a variable changes. */
  #envView: Readonly<Record<string, string>> = Object.freeze({})
  readonly #seenIds = new Map<string, number>()
  /** What became of each pattern and zone of this file; the text is why it was refused. */
  readonly #patterns = new Map<string, string | undefined>()
  readonly #zones = new Map<string, string | undefined>()
  #items = 0

  constructor(form: CrontabForm, tz: string) {
    this.#form = form
    this.#defaultTz = tz
    this.#tz = tz
  }

  read(line: number, text: string): void {
    try {
      if (text.length > CRONTAB_LINE_LENGTH_MAX) {
        throw new Refusal(`has ${text.length} characters; at most ${CRONTAB_LINE_LENGTH_MAX} are allowed`)
      }
      if (isBlankOrComment(text)) return
      if (text.includes('\0')) throw new Refusal('has a NUL character')
      const variable = variableOf(text)
      if (typeof variable === 'string') throw new Refusal(variable)
      if (variable === undefined) this.#job(line, text)
      else this.#variable(line, text, variable.name, variable.value)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.refuse(line, text, error.message)
    }
  }

  refuse(line: number, text: string, reason: string): void {
    this.refused.push({ line, text: text.slice(0, SHOWN_LENGTH_MAX), reason })
  }

  #warn(line: number, text: string, reason: string): void {
    this.warnings.push({ line, text: text.slice(0, SHOWN_LENGTH_MAX), reason })
  }

  #variable(line: number, text: string, name: string, value: string): void {
    if (!this.#env.has(name) && this.#env.size >= VARIABLES_MAX) {
      throw new Refusal(`is one variable too many: at most ${VARIABLES_MAX} are allowed`)
    }
    if (name === 'CRON_TZ') this.#setZone(line, value)
    if (name === 'RANDOM_DELAY') this.#setDelay(line, text, value)
    if (name === 'MAILTO' && value !== '')
      this.#warn(line, text, 'is only passed on to the command: no mail is sent')
    if (name === 'TZ')
      this.#warn(line, text, 'is for the command only, as in cron; CRON_TZ is for the schedule')
    if (/^(?:PATH|HOME|SHELL)$/.test(name) && value.includes('$')) {
      this.#warn(line, text, 'is taken as it stands: cron expands no variables')
    }
    this.#env.set(name, value)
    this.#envView = Object.freeze(Object.fromEntries(this.#env))
    this.variables.push({ line, name, value })
  }

  #setZone(line: number, value: string): void {
    // POSIX lets the name of a zone file begin with a colon.
    const tz = value === '' ? this.#defaultTz : value.replace(/^:/, '')
    if (!this.#zones.has(tz) && this.#zones.size < ZONES_MAX)
      this.#zones.set(
        tz,
        whyRefused(() => checkZone(tz)),
      )
    const known = this.#zones.has(tz)
    const why = known
      ? this.#zones.get(tz)
      : `CRON_TZ: at most ${ZONES_MAX} different zones are allowed in a file`
    this.#tz = why === undefined ? tz : undefined
    this.#badTzLine = line
    if (why !== undefined) throw new Refusal(why)
  }

  #setDelay(line: number, text: string, value: string): void {
    const isWhole = /^\d{1,4}$/.test(value) && Number(value) <= RANDOM_DELAY_MINUTES_MAX
    if (!isWhole) this.#warn(line, text, `sets no delay: 0-${RANDOM_DELAY_MINUTES_MAX} minutes are allowed`)
    this.#jitterMs = isWhole ? Number(value) * 60_000 : 0
  }

  #job(line: number, text: string): void {
    // Cronie's leading '-' keeps a run out of the syslog; there is none here.
    const bare = afterBlanks(text).replace(/^-/, '')
    const { fields, rest: command } = timeFields(bare)
    const { user, rest } = this.#user(command)
    const parts = commandParts(rest)
    this.#checkCommand(line, text, parts)
    const schedule = this.#schedule(fields, bare)
    this.entries.push({
      line,
      text,
      id: this.#id([...fields, user ?? '', rest].join('\0')),
      schedule,
      command: parts.command,
      ...(parts.stdin === undefined ? {} : { stdin: parts.stdin }),
      ...(user === undefined ? {} : { user }),
      env: this.#envView,
      shell: this.#env.get('SHELL') || '/bin/sh',
      overlap: parts.flags.includes('s') || schedule.kind === 'every' ? 'skip' : 'allow',
      jitterMs: this.#jitterMs,
    })
  }

  #user(text: string): { user?: string; rest: string } {
    const {
      taken: [first = ''],
      rest,
    } = words(text, 1)
    if (first === '') throw new Refusal('has no command after the time')
    if (TIME_FIELD.test(first)) {
      throw new Refusal(
        `has '${shown(first)}' after the time: a crontab has no field for seconds or years, and no delay`,
      )
    }
    if (this.#form === 'user') return { rest: text }
    if (!USER.test(first))
      throw new Refusal(`has '${shown(first)}' where the system form has the name of a user`)
    if (rest === '') throw new Refusal(`has no command after the user '${first}'`)
    return { user: first, rest }
  }

  #checkCommand(line: number, text: string, { command }: CommandParts): void {
    if (command.trim() === '') throw new Refusal('has no command')
    if (this.#form === 'user' && command.startsWith('root ')) {
      this.#warn(line, text, "begins its command with 'root': is this a file of the system form?")
    }
  }

  #schedule(fields: readonly string[], seed: string): CrontabSchedule {
    const [first = ''] = fields
    const macro = first.toLowerCase()
    if (macro === '@reboot') return { kind: 'reboot' }
    const seconds = macro === '@every_second' ? '1' : /^@(\d+)$/.exec(macro)?.[1]
    if (seconds !== undefined) return everySeconds(seconds)
    const pattern = macro.startsWith('@') ? MACROS.get(macro) : patternOf(fields, seed)
    if (pattern === undefined) {
      throw new Refusal(
        `has the unknown time '${shown(first)}': use @reboot, @60 (seconds) or one of ${[...MACROS.keys()].join(' ')}`,
      )
    }
    if (typeof pattern === 'object') throw new Refusal(pattern.refused)
    this.#checkPattern(pattern)
    if (this.#tz === undefined)
      throw new Refusal(`has no time zone: the CRON_TZ of line ${this.#badTzLine} is none`)
    return { kind: 'cron', pattern, tz: this.#tz }
  }

  #checkPattern(pattern: string): void {
    if (!this.#patterns.has(pattern)) {
      // A pattern too long is refused before it costs anything.
      this.#items += Math.min(pattern.split(',').length + 4, 256)
      if (this.#items > ITEMS_MAX)
        throw new Refusal('has one pattern too many: the file has more different ones than can be read')
      this.#patterns.set(
        pattern,
        whyRefused(() => parseCron(pattern)),
      )
    }
    const why = this.#patterns.get(pattern)
    if (why !== undefined) throw new Refusal(why)
  }

  /** Equal lines are the same task twice: the second gets `-2`. */
  #id(text: string): string {
    const id = `cron-${hashText(text).slice(0, 20)}`
    const count = (this.#seenIds.get(id) ?? 0) + 1
    this.#seenIds.set(id, count)
    return count === 1 ? id : `${id}-${count}`
  }
}

/** What looks like one more time field: nobody's command, and nobody's name. */
const TIME_FIELD = /^[\d*?][\d*?,/~-]*$/
/** With FreeBSD's group and login class, and the names that Samba and SSSD make. */
const USER = /^[\w.][\w.@\\+-]*\$?(?::[\w.-]+)?(?:\/[\w.-]+)?$/

/** `@daily` is one field, everything else five. */
function timeFields(text: string): { fields: readonly string[]; rest: string } {
  const { taken, rest } = words(text, text.startsWith('@') ? 1 : 5)
  if (!text.startsWith('@') && taken.length < 5) {
    throw new Refusal(`has ${taken.length} of the 5 time fields, and no command`)
  }
  if (taken.some(field => /[^\x20-\x7e]/.test(field))) {
    throw new Refusal('has a character in its time that no time has; was a no-break space copied in?')
  }
  return { fields: taken, rest }
}

function everySeconds(digits: string): CrontabSchedule {
  const seconds = Number(digits)
  if (seconds < 1 || seconds > EVERY_SECONDS_MAX) {
    throw new Refusal(`has @${shown(digits)}: 1 to ${EVERY_SECONDS_MAX} seconds are allowed`)
  }
  return { kind: 'every', everyMs: seconds * 1000, from: 'completion' }
}

/** Accounts that are on most machines, without those that are commands as well (mail, mysql, git, sync, nginx). */
const KNOWN_USERS = new Set(
  'root www-data nobody daemon operator postgres apache www bin adm logcheck munin smmsp list news uucp ubuntu debian ec2-user _apt'.split(
    ' ',
  ),
)
const SYSTEM_HEADER = /(?:\*|dow|wday)[ \t]+(?:user(?:-?name)?|who)[ \t]+(?:command|cmd)\b/i
const USER_HEADER = /(?:\*|dow|wday)[ \t]+(?:command|cmd)\b/i
const LINES_LOOKED_AT_MAX = 1000

/**
 * Which form a file has: what its header comment says (`# m h dom mon dow user command`), else the system form if
 * more lines have a well-known account as sixth field than have there what can't be a name. In doubt the user form: so
 * `appuser /opt/job` fails to run and says so, while `php /opt/job` read the other way would run the wrong thing.
 */
function formOf(lines: readonly string[]): CrontabForm {
  let votes = 0
  for (const line of lines.slice(0, LINES_LOOKED_AT_MAX)) {
    const text = afterBlanks(line.slice(0, 1000))
    if (text.startsWith('#')) {
      const header = text.slice(0, SHOWN_LENGTH_MAX)
      if (SYSTEM_HEADER.test(header)) return 'system'
      if (USER_HEADER.test(header)) return 'user'
      continue
    }
    if (text === '' || variableOf(text) !== undefined) continue
    const { taken } = words(text, text.startsWith('@') ? 3 : 7)
    const [user, command] = taken.slice(text.startsWith('@') ? 1 : 5)
    if (user === undefined || TIME_FIELD.test(user)) continue
    if (command === undefined || !USER.test(user)) votes--
    else if (KNOWN_USERS.has(user.replace(/[:/].*$/, ''))) votes++
  }
  return votes > 0 ? 'system' : 'user'
}

/** The message of a refusal by code `INVALID`; undefined if `check` accepts. */
function whyRefused(check: () => unknown): string | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    if (isCarillonError(error, 'INVALID')) return error.message
    throw error
  }
}

function shown(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}...` : text
}
