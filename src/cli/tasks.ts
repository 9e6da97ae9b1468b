/** The commands that look at tasks and change them: ls, show, runs, logs, cancel, pause, resume, trigger, retry. */

import type { TaskState } from '../task/task.ts'
import type { RunView, TaskView } from '../task/views.ts'
import { CliError, EXIT } from './cli-error.ts'
import { type Context, faultOf } from './context.ts'
import { findNode, type NodeValues } from './find-node.ts'
import type { RemoteNode } from './remote.ts'
import { tableLines } from './table.ts'
import { printable } from './text-width.ts'
import { instantText, lengthText, relativeText, scheduleText, wallText } from './times.ts'
import { outcomeText, paintState, shortJson, waitForEnd } from './waiting.ts'
import { durationOf, numberOf } from './words.ts'

const WAIT_MAX = '1h'
/** From this width on there is room for absolute times. */
const WIDE = 110
const FOLLOW_MS = 500

interface LsValues extends NodeValues {
  readonly state?: string
  readonly name?: string
  readonly tag?: string
  readonly limit?: string
}

export async function ls(context: Context, _: readonly string[], values: LsValues): Promise<number> {
  const limit = values.limit === undefined ? Infinity : numberOf(values.limit, '--limit', 1, 10_000_000)
  const node = await findNode(context, values)
  const { state, name, tag } = values
  const filter = {
    ...(state === undefined ? {} : { state: state as TaskState }),
    ...(name === undefined ? {} : { name }),
    ...(tag === undefined ? {} : { tag }),
  }
  const tasks = taken(node.tasks(filter), limit)
  return context.json ? lsJson(context, tasks) : lsTable(context, tasks, Object.keys(filter).length > 0)
}

/** One array, a task on each line: a reader can take it whole or line by line, and nothing is held in memory. */
async function lsJson(context: Context, tasks: AsyncIterable<TaskView>): Promise<number> {
  let before = ''
  for await (const task of tasks) {
    if (before !== '') await context.say(`${before},`)
    else await context.say('[')
    before = JSON.stringify(task)
  }
  await context.say(before === '' ? '[]' : `${before}\n]`)
  return EXIT.done
}

async function lsTable(
  context: Context,
  tasks: AsyncIterable<TaskView>,
  isFiltered: boolean,
): Promise<number> {
  const { now, zone, width } = context
  const rows: string[][] = []
  for await (const task of tasks) {
    const next =
      task.nextAt === null
        ? '-'
        : width === undefined || width >= WIDE
          ? instantText(task.nextAt, now, zone)
          : relativeText(task.nextAt, now)
    rows.push([task.id, task.name, task.state, next, scheduleText(task.schedule, zone)])
  }
  if (rows.length === 0) {
    await context.say(
      isFiltered ? 'no such tasks' : 'no tasks: `carillon schedule --help` shows how to make one',
    )
    return EXIT.done
  }
  const columns = [
    { title: 'ID', least: 12 },
    { title: 'NAME', yields: 1, least: 10 },
    { title: 'STATE', least: 9 },
    { title: 'NEXT', least: 8, yields: 2 },
    { title: 'SCHEDULE', yields: 3, least: 12 },
  ]
  const lines = tableLines(columns, rows, width, (text, column, row) =>
    row < 0 ? context.paint('bold', text) : column === 2 ? paintState(context, rows[row]![2]!, text) : text,
  )
  for (const line of lines) await context.say(line)
  return EXIT.done
}

async function* taken<T>(all: AsyncIterable<T>, limit: number): AsyncGenerator<T> {
  let count = 0
  for await (const each of all) {
    yield each
    if (++count >= limit) return
  }
}

export async function show(
  context: Context,
  [id = '']: readonly string[],
  values: NodeValues,
): Promise<number> {
  const node = await findNode(context, values)
  const task = await node.task(id)
  const runs = await node.runs(id, { limit: 10 }).catch(error => {
    if (task === null && faultOf(error).code === 'NOT_FOUND') throw notThere(id)
    throw error
  })
  if (context.json) {
    await context.data({ task, runs })
    return EXIT.done
  }
  if (task !== null) for (const line of taskLines(context, task)) await context.say(line)
  else await context.say(`${printable(id)} has ended; its runs are still kept`)
  if (runs.length > 0) {
    await context.say(`\n${context.paint('bold', 'last runs')}`)
    for (const line of runLines(context, runs)) await context.say(line)
  }
  const failed = runs.find(run => run.error !== undefined)
  if (failed?.error !== undefined) {
    const { name, message, stack } = failed.error
    await context.say(`\n${context.paint('bold', 'last error')} (${failed.id})`)
    const text = stack?.includes(message) === true ? stack : `${name}: ${message}`
    for (const line of text.split('\n').slice(0, 12)) await context.say(`  ${printable(line)}`)
  }
  return EXIT.done
}

function taskLines(context: Context, task: TaskView): string[] {
  const { now, zone } = context
  const { policy, schedule } = task
  const { retry, misfire } = policy
  const retryText =
    retry.max === 1
      ? 'no retry'
      : `${retry.max} attempts, ${retry.kind}${retry.kind === 'immediate' ? '' : ` from ${lengthText(retry.baseMs)}, at most ${lengthText(retry.maxDelayMs)}`}`
  const limits =
    schedule.kind === 'at'
      ? ''
      : [
          schedule.start === undefined ? '' : `from ${wallText(schedule.start, zone)}`,
          schedule.end === undefined ? '' : `until ${wallText(schedule.end, zone)}`,
          schedule.max === undefined ? '' : `at most ${schedule.max} times`,
          schedule.kind === 'cron' ? `DST gap ${schedule.dst.gap}, overlap ${schedule.dst.overlap}` : '',
        ]
          .filter(text => text !== '')
          .join(', ')
  const rows: (readonly [string, string])[] = [
    ['id', task.id],
    ['handler', task.name],
    ['state', paintState(context, task.state)],
    ['next', instantText(task.nextAt, now, zone)],
    ['last', instantText(task.lastAt, now, zone)],
    ['schedule', scheduleText(schedule, zone)],
    ['', limits],
    ['occurrences', String(task.occurrences)],
    ['guarantee', `${policy.guarantee}, precision ${policy.precision}, priority ${policy.priority}`],
    ['retry', retryText],
    ['timeout', policy.timeoutMs === 0 ? 'none' : lengthText(policy.timeoutMs)],
    [
      'misfire',
      `${misfire.kind}${misfire.kind === 'all' ? ` (at most ${misfire.max})` : ''}, later than ${lengthText(misfire.afterMs)}`,
    ],
    ['overlap', schedule.kind === 'at' ? '' : policy.overlap],
    ['tags', policy.tags.map(printable).join(', ')],
    ['payload', task.payload === undefined ? '' : shortJson(task.payload, 2000)],
    ['created', `${relativeText(task.createdAt, now)} (${wallText(task.createdAt, zone)})`],
  ]
  const lines = rows
    .filter(([title, text]) => text !== '' && (title !== '' || text !== ''))
    .map(([title, text]) => `${context.paint('dim', title.padEnd(12))}${text}`)
  if (task.open.length === 0) return lines
  return [...lines, '', context.paint('bold', 'open runs'), ...runLines(context, task.open)]
}

interface RunsValues extends NodeValues {
  readonly limit?: string
}

export async function runs(
  context: Context,
  [id = '']: readonly string[],
  values: RunsValues,
): Promise<number> {
  const limit = values.limit === undefined ? 100 : numberOf(values.limit, '--limit', 1, 1000)
  const node = await findNode(context, values)
  const list = await node.runs(id, { limit })
  if (context.json) await context.data(list)
  else if (list.length === 0) await context.say(`no runs of ${printable(id)} yet`)
  else for (const line of runLines(context, list)) await context.say(line)
  return EXIT.done
}

function runLines(context: Context, list: readonly RunView[]): string[] {
  const { zone } = context
  const columns = [
    { title: 'RUN', yields: 1, least: 16 },
    { title: 'STATE', least: 9 },
    { title: 'SCHEDULED', least: 19 },
    { title: 'LATE', right: true, least: 6, yields: 2 },
    { title: 'TOOK', right: true, least: 6 },
    { title: 'TRY', right: true, least: 3 },
    { title: 'OUTCOME', yields: 3, least: 10 },
  ]
  const rows = list.map(run => [
    run.id,
    run.state,
    `${wallText(run.scheduledAt, zone)}${run.manual ? ' by hand' : ''}`,
    run.startedAt === null || run.attempt > 1 ? '' : lengthText(Math.max(0, run.startedAt - run.scheduledAt)),
    run.startedAt === null || run.endedAt === null ? '' : lengthText(run.endedAt - run.startedAt),
    String(run.attempt),
    run.retryAt === null
      ? outcomeText(run)
      : `again ${relativeText(run.retryAt, context.now)}: ${outcomeText(run)}`,
  ])
  return tableLines(columns, rows, context.width, (text, column, row) =>
    row < 0 ? context.paint('bold', text) : column === 1 ? paintState(context, rows[row]![1]!, text) : text,
  )
}

interface LogsValues extends NodeValues {
  readonly follow?: boolean
}

export async function logs(
  context: Context,
  [id = '']: readonly string[],
  values: LogsValues,
): Promise<number> {
  const node = await findNode(context, values)
  let shown = new Map<string, number>()
  for (let first = true; ; first = false) {
    const lines = await node.logs(id)
    if (first && lines.length === 0) await checkThere(node, id)
    // Nothing marks a line but its place among the lines of its run and instant.
    const seen = new Map<string, number>()
    for (const line of lines) {
      const key = `${line.run} ${line.at} ${line.line}`
      const count = (seen.get(key) ?? 0) + 1
      seen.set(key, count)
      if (count > (shown.get(key) ?? 0)) await sayLog(context, line)
    }
    shown = seen
    if (values.follow !== true) {
      if (first && lines.length === 0)
        await context.tell(`no log lines of ${printable(id)}: run.log() writes them`)
      return EXIT.done
    }
    if (await isOver(node, id)) return EXIT.done
    await context.world.sleep(FOLLOW_MS)
  }
}

async function sayLog(context: Context, line: { run: string; at: number; line: string }): Promise<void> {
  if (context.json) return context.data(line)
  await context.say(`${context.paint('dim', wallText(line.at, context.zone))}  ${printable(line.line)}`)
}

/** A slip in an id looks like a task that logged nothing. Rejects with NOT_FOUND. */
async function checkThere(node: RemoteNode, id: string): Promise<void> {
  if ((await node.task(taskOf(id))) === null) await node.runs(taskOf(id), { limit: 1 })
}

/** The task of a run's id; a task's id itself. */
function taskOf(id: string): string {
  return id.replace(/(?:~\d+)?@\d+$/, '')
}

/** Nothing more will be logged: the task is gone, or is kept without anything ahead. */
async function isOver(node: RemoteNode, id: string): Promise<boolean> {
  const task = await node.task(taskOf(id))
  return task === null || (task.open.length === 0 && task.nextAt === null)
}

/** Does one thing to each id; goes on after a refusal, and fails at the end. */
async function each(
  context: Context,
  ids: readonly string[],
  act: (
    id: string,
  ) => Promise<{ readonly text: string; readonly ok: boolean; readonly data?: object; exit?: number }>,
): Promise<number> {
  let exit: number = EXIT.done
  for (const id of ids) {
    try {
      const done = await act(id)
      if (context.json) await context.data({ id, ok: done.ok, ...done.data })
      else if (done.ok) await context.say(done.text)
      else context.warn(`carillon: ${done.text}`)
      if (!done.ok) exit = Math.max(exit, EXIT.failed)
      exit = Math.max(exit, done.exit ?? EXIT.done)
    } catch (error) {
      const fault = faultOf(error)
      if (fault.exit === EXIT.unreachable) throw error
      exit = Math.max(exit, context.fail(error))
    }
  }
  return exit
}

export async function cancel(context: Context, ids: readonly string[], values: NodeValues): Promise<number> {
  const node = await findNode(context, values)
  return each(context, ids, async id => {
    const ok = await node.cancel(id)
    return {
      ok,
      text: ok ? `cancelled ${id}` : `${id} had ended already: nothing to cancel`,
      data: { cancelled: ok },
    }
  })
}

export async function pause(context: Context, ids: readonly string[], values: NodeValues): Promise<number> {
  const node = await findNode(context, values)
  return each(context, ids, async id => {
    await node.pause(id)
    return { ok: true, text: `paused ${id}; \`carillon resume ${id}\` lets it go on` }
  })
}

export async function resume(context: Context, ids: readonly string[], values: NodeValues): Promise<number> {
  const node = await findNode(context, values)
  return each(context, ids, async id => {
    const ok = await node.resume(id)
    if (!ok) return { ok, text: `${id} was not paused` }
    const next = (await node.task(id))?.nextAt ?? null
    return {
      ok,
      text: `resumed ${id}, next ${instantText(next, context.now, context.zone)}`,
      data: { nextAt: next },
    }
  })
}

interface RunNowValues extends NodeValues {
  readonly wait?: boolean
  readonly waitMax?: string
}

export function trigger(context: Context, ids: readonly string[], values: RunNowValues): Promise<number> {
  return runNow(context, ids, values, 'triggered', (node, id) => node.trigger(id))
}

export function retry(context: Context, ids: readonly string[], values: RunNowValues): Promise<number> {
  return runNow(context, ids, values, 'retrying', (node, id) => node.retry(id))
}

async function runNow(
  context: Context,
  ids: readonly string[],
  values: RunNowValues,
  did: string,
  call: (node: RemoteNode, id: string) => Promise<string>,
): Promise<number> {
  const maxMs = durationOf(values.waitMax ?? WAIT_MAX, '--wait-max')
  const node = await findNode(context, values)
  const started: string[] = []
  const exit = await each(context, ids, async id => {
    const run = await call(node, id)
    started.push(run)
    return { ok: true, text: `${did} ${id}: run ${run}`, data: { run } }
  })
  if (values.wait !== true) return exit
  const ends = await Promise.all(started.map(run => waitForEnd(context, node, run, maxMs)))
  return Math.max(exit, ...ends)
}

function notThere(id: string): CliError {
  return new CliError(
    EXIT.failed,
    'NOT_FOUND',
    `no task '${id}': it never was, or it ended and is no longer kept; \`carillon ls\` shows those there are`,
  )
}
