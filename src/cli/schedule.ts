/**
 * `carillon schedule`: one task from flags, or many from a file. The node checks what it is given; here is checked only
 * what it can't know: that the JSON is JSON, that a local time has a zone, and that somebody will run the handler - a
 * name with a typo would wait for ever, and nobody would notice.
 */

import type { TaskOptions } from '../task/options.ts'
import { CliError, EXIT, wrongUse } from './cli-error.ts'
import type { Context } from './context.ts'
import { findNode, type NodeValues } from './find-node.ts'
import { ProgressBar } from './progress-bar.ts'
import { type RemoteNode, scheduleAll, type TaskAnswer } from './remote.ts'
import { printable } from './text-width.ts'
import { instantText } from './times.ts'
import { waitForEnd } from './waiting.ts'
import { durationOf, jsonOf, nearest, numberOf } from './words.ts'

const CHUNK = 500
const TASKS_MAX = 1_000_000

export interface ScheduleValues extends NodeValues {
  readonly command?: string
  readonly file?: string
  readonly payload?: string
  readonly payloadFile?: string
  readonly id?: string
  readonly after?: string
  readonly at?: string
  readonly every?: string
  readonly cron?: string
  readonly tz?: string
  readonly start?: string
  readonly end?: string
  readonly max?: string
  readonly jitter?: string
  readonly anchor?: string
  readonly from?: string
  readonly retry?: string
  readonly retryKind?: string
  readonly retryBase?: string
  readonly retryMaxDelay?: string
  readonly timeout?: string
  readonly guarantee?: string
  readonly precision?: string
  readonly priority?: string
  readonly overlap?: string
  readonly misfire?: string
  readonly dstGap?: string
  readonly dstOverlap?: string
  readonly tag?: readonly string[]
  readonly key?: string
  readonly keyTtl?: string
  readonly anyway?: boolean
  readonly wait?: boolean
  readonly waitMax?: string
}

export async function schedule(
  context: Context,
  [name]: readonly string[],
  values: ScheduleValues,
): Promise<number> {
  const ways = [name, values.command, values.file].filter(each => each !== undefined)
  if (ways.length !== 1)
    throw wrongUse(
      'schedule takes one of the name of a handler, --command and --file: carillon schedule email.send --after 10m',
    )
  if (values.file !== undefined) return scheduleFile(context, values.file, values)
  const waitMaxMs = durationOf(values.waitMax ?? '1h', '--wait-max')
  const task = await taskOf(context, name, values)
  const node = await findNode(context, values)
  if (values.anyway !== true) await checkHandlers(node, [name ?? 'command'])
  const [answer] = await scheduleAll(node, [task])
  if (answer === undefined) throw new CliError(EXIT.failed, 'INTERNAL', 'the node did not answer')
  if ('error' in answer) throw refused(answer.error)
  if (values.wait === true) {
    if (!context.json) await tellTask(context, node, answer, values)
    return waitForEnd(context, node, answer.id, waitMaxMs)
  }
  await tellTask(context, node, answer, values)
  return EXIT.done
}

async function tellTask(
  context: Context,
  node: RemoteNode,
  answer: TaskAnswer,
  values: ScheduleValues,
): Promise<void> {
  if (context.json) return context.data(answer)
  const next = (await node.task(answer.id))?.nextAt ?? null
  const when = next === null ? '' : `, next ${instantText(next, context.now, context.zone)}`
  const copies = answer.copies > 1 ? `, kept by ${answer.copies} nodes` : ''
  const did = { created: 'scheduled', replaced: 'replaced', exists: 'exists already, unchanged:' }[
    answer.status
  ]
  await context.say(`${did} ${answer.id}${when}${copies}`)
  if (usesLocalZone(values) && values.tz === undefined)
    await context.say(
      context.paint('dim', `times without an offset are in ${context.zone}, this machine's zone`),
    )
}

/** The task that the flags describe. */
export async function taskOf(
  context: Context,
  name: string | undefined,
  values: ScheduleValues,
): Promise<TaskOptions | { command: string }> {
  const payload = await payloadOf(context, values)
  if (values.command !== undefined && payload !== undefined)
    throw wrongUse('--command takes no --payload: the command is the payload')
  const dst = given({ gap: values.dstGap, overlap: values.dstOverlap })
  const tz = values.tz ?? (usesLocalZone(values) ? context.zone : undefined)
  return given({
    name,
    command: values.command,
    payload,
    id: values.id,
    after: lengthOf(values.after, '--after'),
    at: instantOf(values.at),
    every: lengthOf(values.every, '--every'),
    cron: values.cron,
    tz,
    start: instantOf(values.start),
    end: instantOf(values.end),
    max: values.max === undefined ? undefined : numberOf(values.max, '--max', 1, 1_000_000_000),
    jitter: lengthOf(values.jitter, '--jitter'),
    anchor: instantOf(values.anchor),
    from: values.from,
    dst: Object.keys(dst).length === 0 ? undefined : dst,
    retry: retryOf(values),
    timeout: lengthOf(values.timeout, '--timeout'),
    guarantee: values.guarantee,
    precision: values.precision,
    priority: values.priority === undefined ? undefined : numberOf(values.priority, '--priority', -100, 100),
    overlap: values.overlap,
    misfire: values.misfire,
    tags: values.tag,
    key: values.key,
    keyTtl: lengthOf(values.keyTtl, '--key-ttl'),
  }) as TaskOptions | { command: string }
}

/** Without what was not given. */
function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

async function payloadOf(context: Context, values: ScheduleValues): Promise<unknown> {
  if (values.payload !== undefined && values.payloadFile !== undefined)
    throw wrongUse('--payload and --payload-file are both given: give one')
  if (values.payload !== undefined) return jsonOf(values.payload, '--payload')
  if (values.payloadFile === undefined) return undefined
  return jsonOf(await context.read(values.payloadFile, 'the payload file'), values.payloadFile)
}

/** The same text; a wrong one is refused here, under its flag's name. */
function lengthOf(text: string | undefined, flag: string): number | undefined {
  return text === undefined ? undefined : durationOf(text, flag)
}

/** Digits alone are epoch milliseconds; the rest is for the node to read. */
function instantOf(text: string | undefined): string | number | undefined {
  return text !== undefined && /^\d{9,}$/.test(text) ? Number(text) : text
}

/** A local time: what a person means who writes no offset is the clock on the wall. */
function usesLocalZone(values: ScheduleValues): boolean {
  if (values.cron !== undefined) return false
  return [values.at, values.start, values.end, values.anchor].some(
    text =>
      text !== undefined && /^\d{4}-\d\d-\d\d/.test(text) && !/(?:Z|[+-]\d\d:?\d\d)$/i.test(text.slice(10)),
  )
}

function retryOf(values: ScheduleValues): TaskOptions['retry'] {
  const { retry, retryKind, retryBase, retryMaxDelay } = values
  const more = given({
    kind: retryKind,
    base: lengthOf(retryBase, '--retry-base'),
    maxDelay: lengthOf(retryMaxDelay, '--retry-max-delay'),
  })
  const hasMore = Object.keys(more).length > 0
  if (retry === 'off') {
    if (hasMore) throw wrongUse('--retry off goes with no other --retry flag')
    return false
  }
  const max = retry === undefined ? undefined : numberOf(retry, '--retry', 1, 1000)
  return hasMore ? (given({ ...more, max }) as TaskOptions['retry']) : max
}

/** Refuses names that nobody runs. */
async function checkHandlers(node: RemoteNode, names: readonly string[]): Promise<void> {
  const { handlers } = await node.status()
  const unknown = names.find(name => !handlers.includes(name))
  if (unknown === undefined) return
  if (unknown === 'command') {
    throw new CliError(
      EXIT.failed,
      'NOT_FOUND',
      'this node runs no shell commands: start it with `carillon up --commands` (or createNode({ commands })), or use --anyway to let the task wait',
    )
  }
  const near = nearest(unknown, handlers)
  const known = handlers.length === 0 ? 'it has none' : `known are ${handlers.slice(0, 20).join(', ')}`
  throw new CliError(
    EXIT.failed,
    'NOT_FOUND',
    `nobody on this node runs '${unknown}': ${near === undefined ? '' : `did you mean ${near}? `}${known}; --anyway schedules it to wait for a worker`,
  )
}

async function scheduleFile(context: Context, path: string, values: ScheduleValues): Promise<number> {
  const others = Object.keys(values).filter(
    key => !['file', 'join', 'mesh', 'url', 'tokenFile', 'data', 'anyway', 'json'].includes(key),
  )
  if (others.length > 0)
    throw wrongUse(
      `--file goes with no other flag of a task: the file says it all (--${kebab(others[0] ?? '')})`,
    )
  const tasks = tasksOf(await context.read(path, 'the task file'), path)
  const node = await findNode(context, values)
  if (values.anyway !== true) await checkHandlers(node, namesOf(tasks))
  const bar = new ProgressBar(context, 'scheduling', tasks.length)
  const counts = { created: 0, replaced: 0, exists: 0, refused: 0 }
  for (let at = 0; at < tasks.length; at += CHUNK) {
    const answers = await scheduleAll(node, tasks.slice(at, at + CHUNK))
    for (const [i, answer] of answers.entries()) {
      if ('error' in answer) {
        counts.refused++
        bar.end()
        context.warn(`carillon: task ${at + i + 1} of ${path} is not taken: ${answer.error.message}`)
      } else counts[answer.status]++
      if (context.json) await context.data(answer)
    }
    bar.show(at + answers.length)
  }
  bar.end()
  const { created, replaced, exists, refused: no } = counts
  await context.tell(
    `${tasks.length} tasks: ${created} scheduled, ${replaced} replaced, ${exists} unchanged${no === 0 ? '' : `, ${no} not taken`}`,
  )
  return no === 0 ? EXIT.done : EXIT.failed
}

/** An array, or a task on each line. */
export function tasksOf(text: string, path: string): readonly object[] {
  const isArray = text.trimStart().startsWith('[')
  const values = isArray
    ? (jsonOf(text, path) as unknown[])
    : text
        .split('\n')
        .map((line, i) => ({ line, number: i + 1 }))
        .filter(({ line }) => line.trim() !== '')
        .map(({ line, number }) => jsonOf(line, `${path}:${number}`))
  if (values.length === 0)
    throw wrongUse(`${path} has no tasks: it holds an array of them, or one on each line`)
  if (values.length > TASKS_MAX)
    throw wrongUse(`${path} has ${values.length} tasks: at most ${TASKS_MAX} are allowed`)
  const wrong = values.findIndex(value => typeof value !== 'object' || value === null || Array.isArray(value))
  if (wrong >= 0)
    throw wrongUse(`task ${wrong + 1} of ${path} is no object: a task is like {"name":"email.send"}`)
  return values as object[]
}

function namesOf(tasks: readonly object[]): string[] {
  const names = new Set<string>()
  for (const task of tasks) {
    const { name, command } = task as { name?: unknown; command?: unknown }
    if (typeof name === 'string') names.add(name)
    else if (command !== undefined) names.add('command')
  }
  return [...names]
}

function kebab(key: string): string {
  return key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

function refused(error: { code: string; message: string }): CliError {
  return new CliError(
    error.code === 'INVALID' ? EXIT.usage : EXIT.failed,
    error.code,
    printable(error.message),
  )
}
