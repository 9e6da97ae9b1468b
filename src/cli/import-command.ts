/**
 * `carillon import crontab`: reads a crontab, compares it with what the node has of it, and brings the node in line.
 * `carillon up --crontab` does the same to its own node. Only what differs is sent: an unchanged task keeps its state.
 */

import { isCarillonError } from '../errors.ts'
import { type Crontab, type CrontabForm, parseCrontab } from '../task/crontab.ts'
import type { TaskView } from '../task/views.ts'
import { CliError, EXIT, wrongUse } from './cli-error.ts'
import { type Context, faultOf } from './context.ts'
import { findNode, type NodeValues } from './find-node.ts'
import {
  type ImportPlan,
  importName,
  importTag,
  planImport,
  type Verdict,
  type Wanted,
  wantedOf,
} from './import-crontab.ts'
import { ProgressBar } from './progress-bar.ts'
import { type ScheduleAnswer, scheduleAll } from './remote.ts'
import { tableLines } from './table.ts'
import { instantText, relativeText } from './times.ts'

const CHUNK = 200

/** What an import needs of a node: one at the far end, or the own one of `up`. */
export interface ImportTarget {
  tasks(filter: { readonly tag: string }): AsyncIterable<TaskView>
  schedule(tasks: readonly object[]): Promise<readonly ScheduleAnswer[]>
  cancel(id: string): Promise<boolean>
}

/** A crontab as it was read, with the tasks that it asks for. */
export interface ReadCrontab extends Wanted {
  readonly file: string
  readonly name: string
  readonly form: CrontabForm
  readonly warnings: Crontab['warnings']
  /** The texts of the refused lines. */
  readonly refusedTexts: readonly string[]
  /** The commands of all its lines. */
  readonly commands: readonly string[]
}

export async function readCrontab(
  context: Context,
  path: string,
  options: { readonly name?: string; readonly tz?: string; readonly form?: 'auto' | CrontabForm } = {},
): Promise<ReadCrontab> {
  if (options.name !== undefined && importName(options.name) !== options.name)
    throw wrongUse(`--name is '${options.name}': allowed are 1 to 60 of letters, digits and _ . -`)
  const name = options.name ?? importName(path)
  const text = await context.read(path, 'the crontab')
  const crontab = parse(text, { form: options.form ?? 'auto', tz: options.tz })
  const wanted = wantedOf(crontab.entries, name, context.now)
  const users = new Set(crontab.entries.flatMap(({ user }) => (user === undefined ? [] : [user])))
  const first = crontab.entries.find(({ user }) => user !== undefined)
  const remark = {
    line: first?.line ?? 0,
    text: '',
    reason: `names users (${[...users].slice(0, 5).join(', ')}): all commands run as the user of the node`,
  }
  const refused = [...crontab.refused, ...wanted.refused].sort((a, b) => a.line - b.line)
  const texts = refused.length === 0 ? [] : text.split('\n')
  return {
    ...wanted,
    file: path,
    name,
    form: crontab.form,
    refused,
    refusedTexts: refused.map(({ line }) => texts[line - 1] ?? ''),
    warnings: first === undefined ? crontab.warnings : [remark, ...crontab.warnings],
    commands: crontab.entries.map(({ command }) => command),
  }
}

function parse(text: string, options: { form: 'auto' | CrontabForm; tz: string | undefined }): Crontab {
  try {
    return parseCrontab(text, options)
  } catch (error) {
    if (isCarillonError(error)) throw wrongUse(error.message)
    throw error
  }
}

export async function planFor(target: ImportTarget, crontab: ReadCrontab): Promise<ImportPlan> {
  const existing: TaskView[] = []
  for await (const task of target.tasks({ tag: importTag(crontab.name) })) existing.push(task)
  return planImport(crontab.lines, existing, crontab.refusedTexts)
}

export interface Imported {
  /** By id: why a line of the plan was refused by the node. */
  readonly failed: ReadonlyMap<string, string>
  readonly removed: ReadonlySet<string>
}

/** Does what the plan says. */
export async function carryOut(
  target: ImportTarget,
  plan: ImportPlan,
  options: { readonly prune: boolean; readonly onProgress?: (done: number) => void },
): Promise<Imported> {
  const failed = new Map<string, string>()
  const removed = new Set<string>()
  const todo = plan.lines.filter(({ verdict }) => verdict !== 'unchanged')
  let done = 0
  for (let at = 0; at < todo.length; at += CHUNK) {
    const chunk = todo.slice(at, at + CHUNK)
    const answers = await scheduleAll(
      target,
      chunk.map(({ options }) => options),
    )
    for (const [i, answer] of answers.entries()) {
      const id = chunk[i]?.id
      if (id !== undefined && 'error' in answer) failed.set(id, answer.error.message)
    }
    done += chunk.length
    options.onProgress?.(done)
  }
  for (const { id } of options.prune ? plan.gone : []) {
    await target.cancel(id)
    removed.add(id)
    done++
    options.onProgress?.(done)
  }
  return { failed, removed }
}

interface ImportValues extends NodeValues {
  readonly name?: string
  readonly tz?: string
  readonly form?: 'auto' | CrontabForm
  readonly dryRun?: boolean
  readonly prune?: boolean
  readonly strict?: boolean
}

export async function importCrontab(
  context: Context,
  [file = '-']: readonly string[],
  values: ImportValues,
): Promise<number> {
  const crontab = await readCrontab(context, file, values)
  const node = await findNode(context, values)
  const { handlers } = await node.status()
  if (!handlers.includes('command'))
    throw new CliError(
      EXIT.failed,
      'NOT_FOUND',
      'this node runs no shell commands: start it with `carillon up --commands`, then import again',
    )
  const plan = await planFor(node, crontab)
  const prune = values.prune === true
  const todo = plan.lines.filter(({ verdict }) => verdict !== 'unchanged').length
  const bar = new ProgressBar(context, 'importing', todo + (prune ? plan.gone.length : 0))
  const done: Imported =
    values.dryRun === true
      ? { failed: new Map(), removed: new Set(prune ? plan.gone.map(({ id }) => id) : []) }
      : await carryOut(node, plan, { prune, onProgress: count => bar.show(count) })
  bar.end()
  await report(context, crontab, plan, done, values.dryRun === true)
  const isIncomplete = done.failed.size > 0 || (values.strict === true && notTaken(crontab).length > 0)
  return isIncomplete ? EXIT.failed : EXIT.done
}

/** Every line of the file that is no task now, and why. */
function notTaken(crontab: ReadCrontab): { line: number; reason: string }[] {
  const reboots = crontab.reboots.map(({ line }) => ({
    line,
    reason: '@reboot runs at the start of a node: `carillon up --crontab` does that',
  }))
  return [...crontab.refused, ...reboots]
    .map(({ line, reason }) => ({ line, reason }))
    .sort((a, b) => a.line - b.line)
}

async function report(
  context: Context,
  crontab: ReadCrontab,
  plan: ImportPlan,
  done: Imported,
  isDryRun: boolean,
): Promise<void> {
  const { now, zone, width } = context
  const refused = notTaken(crontab)
  const gone = plan.gone.map(task => ({ ...task, removed: done.removed.has(task.id) }))
  if (context.json) {
    await context.data({
      file: crontab.file,
      name: crontab.name,
      form: crontab.form,
      dryRun: isDryRun,
      lines: plan.lines.map(({ line, id, verdict, nextAt, command }) => {
        const error = done.failed.get(id)
        return { line, id, verdict, nextAt, command, ...(error === undefined ? {} : { error }) }
      }),
      notTaken: refused,
      warnings: crontab.warnings.map(({ line, reason }) => ({ line, reason })),
      gone,
      held: plan.held,
    })
    return
  }
  for (const { line, reason } of refused) context.warn(`${crontab.file}:${line} is not taken: ${reason}`)
  for (const { line, reason } of crontab.warnings) context.warn(`${crontab.file}:${line} ${reason}`)
  for (const line of plan.lines) {
    const why = done.failed.get(line.id)
    if (why !== undefined) context.warn(`${crontab.file}:${line.line} is not taken by the node: ${why}`)
  }
  const rows = [
    ...plan.lines
      .filter(({ id }) => !done.failed.has(id))
      .map(({ line, verdict, nextAt, id, command }) => [
        String(line),
        verdict,
        nextAt === null
          ? '-'
          : width === undefined || width >= 110
            ? instantText(nextAt, now, zone)
            : relativeText(nextAt, now),
        id,
        command,
      ]),
    ...plan.held.map(({ id, command }) => ['-', 'kept', '-', id, command]),
    ...gone.map(({ id, command, removed }) => ['-', removed ? 'removed' : 'kept', '-', id, command]),
  ]
  const columns = [
    { title: 'LINE', right: true, least: 4 },
    { title: 'WHAT', least: 9 },
    { title: 'NEXT', least: 8, yields: 1 },
    { title: 'ID', yields: 2, least: 12 },
    { title: 'COMMAND', yields: 3, least: 12 },
  ]
  const styles = { added: 'green', changed: 'yellow', removed: 'red', kept: 'yellow' } as const
  if (rows.length > 0) {
    const lines = tableLines(columns, rows, width, (text, column, row) => {
      if (row < 0) return context.paint('bold', text)
      const style = column === 1 ? styles[rows[row]![1] as keyof typeof styles] : undefined
      return style === undefined ? text : context.paint(style, text)
    })
    for (const line of lines) await context.say(line)
  }
  await context.say(summary(plan, done, refused.length, isDryRun))
}

export function summary(plan: ImportPlan, done: Imported, refused: number, isDryRun: boolean): string {
  const count = (verdict: Verdict): number =>
    plan.lines.filter(line => line.verdict === verdict && !done.failed.has(line.id)).length
  const kept = plan.gone.length - done.removed.size
  const parts = [`${count('added')} added`, `${count('changed')} changed`, `${count('unchanged')} unchanged`]
  if (done.removed.size > 0) parts.push(`${done.removed.size} removed`)
  if (kept > 0) parts.push(`${kept} no longer in the file, kept: --prune removes them`)
  if (plan.held.length > 0) parts.push(`${plan.held.length} kept as it was, as its line is not taken`)
  const no = refused + done.failed.size
  if (no > 0) parts.push(`${no} not taken`)
  return `${isDryRun ? 'dry run, nothing was changed: ' : ''}${parts.join(', ')}`
}

/** A node in this process as a target. Its schedule() rejects with the first refusal; here each has its own. */
export function ownTarget(node: {
  tasks(filter: { readonly tag: string }): AsyncIterable<TaskView>
  schedule(tasks: never): Promise<unknown>
  cancel(id: string): Promise<boolean>
}): ImportTarget {
  const one = async (task: object): Promise<ScheduleAnswer> => {
    try {
      const { id, name, status, copies } = (await node.schedule(task as never)) as Exclude<
        ScheduleAnswer,
        { error: unknown }
      >
      return { id, name, status, copies }
    } catch (error) {
      const { code, message } = faultOf(error)
      if (!isCarillonError(error, 'INVALID') && !isCarillonError(error, 'CONFLICT')) throw error
      return { error: { code, message } }
    }
  }
  return {
    tasks: filter => node.tasks(filter),
    schedule: tasks => Promise.all(tasks.map(one)),
    cancel: id => node.cancel(id),
  }
}
