/**
 * What an import of a crontab would do, as a pure function of the file and of what the node has: a dry run prints it,
 * a real run carries it out.
 *
 * A line is known again by its user and command, not by its time: whoever edits the time means the same job, and gets
 * it changed rather than doubled. Equal commands are told apart by their order. All tasks of one import have a tag, so
 * that those whose line is gone can be found.
 */

import { isDeepStrictEqual } from 'node:util'
import { isCarillonError } from '../errors.ts'
import type { CrontabEntry } from '../task/crontab.ts'
import type { TaskOptions } from '../task/options.ts'
import { DEFAULT_POLICY, type Policy } from '../task/policy.ts'
import { recurrenceOf } from '../task/recurrence.ts'
import type { Schedule } from '../task/schedule.ts'
import { hashText } from '../task/text-hash.ts'
import { defineTask } from '../task/validate.ts'
import type { TaskView } from '../task/views.ts'

const NAME_LENGTH_MAX = 60
const HASH_LENGTH = 16

/** A line that becomes a task. */
export interface WantedLine {
  readonly line: number
  readonly id: string
  readonly command: string
  readonly options: TaskOptions & { readonly id: string; readonly name: 'command' }
  readonly schedule: Schedule
  readonly nextAt: number | null
}

/** A line that only the start of a node runs. */
export interface RebootLine {
  readonly line: number
  readonly id: string
  readonly command: string
  readonly payload: object
}

export interface Wanted {
  readonly lines: readonly WantedLine[]
  readonly reboots: readonly RebootLine[]
  readonly refused: readonly { readonly line: number; readonly reason: string }[]
}

/** `dir/my crontab` is `my-crontab`: the letters that an id may have. */
export function importName(path: string): string {
  const base = path === '-' ? 'stdin' : (path.split(/[\\/]/).at(-1) ?? '')
  return base.replace(/[^A-Za-z0-9_.-]+/g, '-').slice(0, NAME_LENGTH_MAX) || 'crontab'
}

export function importTag(name: string): string {
  return `crontab:${name}`
}

export function wantedOf(entries: readonly CrontabEntry[], name: string, now: number): Wanted {
  const lines: WantedLine[] = []
  const reboots: RebootLine[] = []
  const refused: { line: number; reason: string }[] = []
  const seen = new Map<string, number>()
  for (const entry of entries) {
    const { line, command, stdin, env, shell, schedule, user = '' } = entry
    const kind = schedule.kind === 'reboot' ? 'reboot' : 'crontab'
    const base = `${kind}:${name}:${hashText([user, command, stdin ?? ''].join('\0')).slice(0, HASH_LENGTH)}`
    const count = (seen.get(base) ?? 0) + 1
    seen.set(base, count)
    const id = count === 1 ? base : `${base}-${count}`
    const payload = { command, ...(stdin === undefined ? {} : { stdin }), env, shell }
    if (schedule.kind === 'reboot') {
      reboots.push({ line, id, command, payload })
      continue
    }
    const options = {
      id,
      name: 'command' as const,
      payload,
      ...(schedule.kind === 'cron'
        ? { cron: schedule.pattern, tz: schedule.tz }
        : { every: schedule.everyMs, from: schedule.from }),
      ...(entry.jitterMs === 0 ? {} : { jitter: entry.jitterMs }),
      overlap: entry.overlap,
      retry: false,
      tags: [importTag(name)],
    }
    try {
      const defined = defineTask(options, { policy: {}, policyText: '', mintId: () => id, now: () => now })
      const recurring = defined.schedule as Exclude<Schedule, { kind: 'at' }>
      const nextAt = recurrenceOf(recurring, id).next(now) ?? null
      lines.push({ line, id, command, options, schedule: recurring, nextAt })
    } catch (error) {
      if (!isCarillonError(error)) throw error
      refused.push({ line, reason: error.message })
    }
  }
  return { lines, reboots, refused }
}

export type Verdict = 'added' | 'changed' | 'unchanged'

export interface ImportPlan {
  readonly lines: readonly (WantedLine & { readonly verdict: Verdict })[]
  /** Tasks of an earlier import whose line is no longer there. */
  readonly gone: readonly { readonly id: string; readonly command: string }[]
  /** Those whose line is there but could not be taken: a slip in a time must not cost the job. */
  readonly held: readonly { readonly id: string; readonly command: string }[]
}

/** `existing`: the tasks that have the import's tag; `refused`: the texts of the lines that could not be taken. */
export function planImport(
  wanted: readonly WantedLine[],
  existing: readonly TaskView[],
  refused: readonly string[] = [],
): ImportPlan {
  const left = refused.map(withoutInput)
  const others: { id: string; command: string; isHeld: boolean }[] = []
  const there = new Map(existing.map(task => [task.id, task]))
  const ids = new Set(wanted.map(({ id }) => id))
  for (const { id, payload } of existing) {
    if (ids.has(id)) continue
    const command = commandOf(payload)
    others.push({ id, command, isHeld: left.some(text => endsWithCommand(text, command)) })
  }
  const those = (isHeld: boolean) =>
    others.filter(each => each.isHeld === isHeld).map(({ id, command }) => ({ id, command }))
  return {
    lines: wanted.map(line => {
      const task = there.get(line.id)
      const verdict = task === undefined ? 'added' : isSame(line, task) ? 'unchanged' : 'changed'
      return { ...line, verdict }
    }),
    gone: those(false),
    held: those(true),
  }
}

/** A line up to what its command gets as input; `\%` is a per cent sign. */
function withoutInput(text: string): string {
  const [head = ''] = text.split(/(?<!\\)%/)
  return head.replaceAll('\\%', '%').trimEnd()
}

function endsWithCommand(text: string, command: string): boolean {
  const end = command.trimEnd()
  return end !== '' && text.endsWith(end) && /\s/.test(text.charAt(text.length - end.length - 1))
}

/** Compares what an import sets; the rest is the node's profile. */
function isSame(line: WantedLine, task: TaskView): boolean {
  const { options } = line
  const policy: Partial<Policy> = {
    overlap: options.overlap ?? DEFAULT_POLICY.overlap,
    retry: { ...DEFAULT_POLICY.retry, max: 1 },
    tags: options.tags ?? [],
  }
  return (
    task.name === options.name &&
    isDeepStrictEqual(plain(task.schedule), plain(line.schedule)) &&
    isDeepStrictEqual(plain(task.payload), plain(options.payload)) &&
    Object.entries(policy).every(([field, value]) =>
      isDeepStrictEqual(plain(task.policy[field as keyof Policy]), plain(value)),
    )
  )
}

/** As it looks after a journey as JSON. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}

export function commandOf(payload: unknown): string {
  const { command } = (payload ?? {}) as { command?: unknown }
  return typeof command === 'string' ? command : ''
}
