/**
 * `carillon up`: a node as a process. It loads handlers, takes crontabs as `import crontab --prune` does (the file is
 * the truth for a daemon), and tells what fires. SIGINT and SIGTERM end it in an orderly way, SIGHUP has it read the
 * crontabs again.
 */

import type { CreateNodeOptions, Handlers, Node } from '../api/types.ts'
import type { EngineEvent } from '../wire/calls.ts'
import { EXIT, wrongUse } from './cli-error.ts'
import { type Context, faultOf } from './context.ts'
import { dataDirOf } from './find-node.ts'
import { loadHandlers } from './handlers-file.ts'
import { carryOut, ownTarget, planFor, type ReadCrontab, readCrontab, summary } from './import-command.ts'
import { printable } from './text-width.ts'
import { exactLength, lengthText, relativeText, wallText } from './times.ts'
import { isLocalOnly, type MeshValues, meshOptions, movedPort, nodeText, whenInMesh } from './up-mesh.ts'
import { UpReport } from './up-report.ts'
import { durationOf, numberOf } from './words.ts'

export const HTTP = '127.0.0.1:7410'
/** Of the several nodes of one host one alone could have that port; commands find each by its data directory. */
const LOCAL_HTTP = '127.0.0.1:0'
const TOLD = [
  'run',
  'retry',
  'missed',
  'no-worker',
  'late-end',
  'clock-jump',
  'store-full',
  'member',
  'drained',
  'refused',
] as const
const GRACE = '10s'
/** A longer directory is not counted through. */
const KEPT_COUNTED_MAX = 10_000
const NEXT_SHOWN_MAX = 20

export interface UpValues extends MeshValues {
  readonly data?: string
  readonly memory?: boolean
  readonly handlers?: readonly string[]
  readonly crontab?: readonly string[]
  readonly tz?: string
  readonly http?: string
  readonly commands?: boolean | readonly string[]
  readonly grace?: string
  readonly concurrency?: string
  readonly profile?: 'performance' | 'balanced' | 'economy'
  readonly durability?: 'sync' | 'interval'
  readonly repair?: boolean
  readonly for?: string
  readonly quiet?: boolean
}

export async function up(context: Context, _: readonly string[], values: UpValues): Promise<number> {
  const settings = await settingsOf(context, values)
  const { report, crontabs, dataDir, graceMs } = settings
  const [{ createNode }, { closeOnSignals }] = await Promise.all([
    import('../api/create-node.ts'),
    import('../api/signals.ts'),
  ])
  const began = performance.now()
  const node: Node = await createNode(settings.node)
  // Before anything is awaited: what was caught up at the start is told too.
  for (const type of TOLD) node.on(type, (event: EngineEvent) => report.event(event))
  let isDrained = false
  node.on('drained', () => {
    isDrained = true
  })
  let isSaid = false
  const sayClosed = (): void => {
    if (isSaid) return
    isSaid = true
    report.data('stopped', {})
    const kept =
      dataDir === undefined
        ? 'it ran in memory, so nothing is kept'
        : 'what is scheduled stays, and goes on at the next start'
    report.say(`carillon: closed; ${isDrained ? 'its tasks are with the other nodes' : kept}`)
  }
  closeOnSignals(node, {
    graceMs,
    onStop: signal => void tellStopping(node, report, graceMs, signal),
    onClosed: error => {
      if (error !== undefined) return context.fail(error)
      sayClosed()
      return EXIT.done
    },
  })
  context.world.onBrokenPipe = () => void node.close({ graceMs }).catch(() => undefined)
  const rereading = rereadOnHangUp(context, node, settings)
  const timer =
    settings.forMs === undefined
      ? undefined
      : setTimeout(() => void node.close({ graceMs }).catch(() => undefined), settings.forMs)
  try {
    const startMs = Math.round(performance.now() - began)
    const url = node.http?.url
    report.say(
      `carillon: ${nodeText(node, settings.node.advertise)}, ${dataDir === undefined ? 'in memory' : `data in ${dataDir}`}, started in ${startMs} ms. Ctrl-C ends it.`,
    )
    const moved = movedPort(node, settings.node)
    if (moved !== undefined) {
      report.say(`  ${moved}`)
      report.data('port-taken', { line: moved })
    }
    if (url !== undefined) report.chat(`  HTTP API at ${url}`)
    report.chat('')
    if (!(await whenInMesh(node, report, settings.node))) {
      sayClosed()
      return EXIT.done
    }
    const kept = await countKept(node)
    if (kept > 0)
      report.chat(
        `  ${kept > KEPT_COUNTED_MAX ? `more than ${KEPT_COUNTED_MAX}` : kept} tasks were kept from the last start`,
      )
    report.data('started', {
      dataDir: dataDir ?? null,
      slot: node.slot ?? null,
      address: node.address ?? null,
      url: url ?? null,
      pid: process.pid,
      startMs,
      kept,
    })
    for (const crontab of crontabs) await take(context, node, crontab, settings)
    for (const { path, tasks } of settings.tasks) await scheduleAtStart(node, path, tasks)
    for (const crontab of crontabs) await runReboots(node, crontab)
    tellNext(context, crontabs, report)
    report.chat('\n  fired     late     what')
    report.release()
    await node.closed
  } catch (error) {
    await node.close({ graceMs: 0 }).catch(() => undefined)
    throw error
  } finally {
    clearTimeout(timer)
    rereading.stop()
  }
  sayClosed()
  return EXIT.done
}

interface Settings {
  readonly node: CreateNodeOptions<Handlers>
  readonly dataDir: string | undefined
  readonly report: UpReport
  readonly crontabs: readonly ReadCrontab[]
  readonly crontabPaths: readonly string[]
  readonly tz: string | undefined
  readonly tasks: readonly { readonly path: string; readonly tasks: readonly object[] }[]
  readonly graceMs: number
  readonly forMs: number | undefined
  /** The commands that may run; grows when a crontab is read again. Undefined: all, or none. */
  readonly allowed: string[] | undefined
}

/** All that can be wrong before a node is made is found here. */
async function settingsOf(context: Context, values: UpValues): Promise<Settings> {
  if (values.memory === true && values.data !== undefined)
    throw wrongUse('--memory and --data are both given: give one')
  const dataDir = values.memory === true ? undefined : dataDirOf(context, values)
  const graceMs = durationOf(values.grace ?? GRACE, '--grace')
  if (graceMs > 86_400_000) throw wrongUse(`--grace is '${values.grace}': at most 24h`)
  const forMs = values.for === undefined ? undefined : durationOf(values.for, '--for')
  if (forMs !== undefined && forMs > 2_147_483_647) throw wrongUse(`--for is '${values.for}': at most 24d`)
  const http = httpOf(values.http ?? (isLocalOnly(values.join) ? LOCAL_HTTP : HTTP))
  const concurrency =
    values.concurrency === undefined ? undefined : numberOf(values.concurrency, '--concurrency', 1, 100_000)

  const handlers: Record<string, (run: never) => unknown> = {}
  const tasks: { path: string; tasks: readonly object[] }[] = []
  for (const path of values.handlers ?? []) {
    const file = await loadHandlers(path)
    const twice = Object.keys(file.handlers).find(name => Object.hasOwn(handlers, name))
    if (twice !== undefined)
      throw wrongUse(`two handlers files have a handler '${twice}': rename one (${path})`)
    Object.assign(handlers, file.handlers)
    tasks.push({ path, tasks: file.tasks })
  }

  const crontabPaths = values.crontab ?? []
  const crontabs: ReadCrontab[] = []
  for (const path of crontabPaths) {
    const crontab = await readCrontab(context, path, values.tz === undefined ? {} : { tz: values.tz })
    const same = crontabs.find(({ name }) => name === crontab.name)
    if (same !== undefined)
      throw wrongUse(
        `the crontabs ${same.file} and ${path} have the same name, by which their tasks are known: rename one, or put them into one file`,
      )
    crontabs.push(crontab)
  }
  const all = values.commands === true
  const patterns = Array.isArray(values.commands) ? (values.commands as readonly string[]) : []
  const allowed = [...patterns, ...crontabs.flatMap(({ commands }) => commands)]
  const runsCommands = all || crontabPaths.length > 0 || patterns.length > 0
  const own = new Set([...Object.keys(handlers), ...(runsCommands ? ['command'] : [])])
  const node = {
    ...(dataDir === undefined ? {} : { dataDir }),
    handlers: handlers as unknown as Handlers,
    ...(runsCommands ? { commands: all ? true : allowed } : {}),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(values.profile === undefined ? {} : { profile: values.profile }),
    ...(values.durability === undefined ? {} : { durability: values.durability }),
    ...(values.repair === undefined ? {} : { repair: values.repair }),
    ...(http === undefined ? {} : { http }),
    ...meshOptions(values, context.world.env),
  }
  const report = new UpReport(context, { quiet: values.quiet === true, own })
  const allowedList = runsCommands && !all ? allowed : undefined
  const { tz } = values
  return { node, dataDir, report, crontabs, crontabPaths, tz, tasks, graceMs, forMs, allowed: allowedList }
}

/** Undefined: none. */
function httpOf(text: string): string | undefined {
  if (text === 'off') return undefined
  const [, host = '127.0.0.1', port] = /^(?:(.+):|:)?(\d{1,5})$/.exec(text) ?? []
  if (port !== undefined && Number(port) <= 65_535) return `${host}:${port}`
  throw wrongUse(`--http is '${text}': allowed is HOST:PORT like ${HTTP}, a port alone, or off`)
}

async function countKept(node: Node): Promise<number> {
  let count = 0
  for await (const task of node.tasks()) {
    if (task.nextAt !== null) count++
    if (count > KEPT_COUNTED_MAX) break
  }
  return count
}

async function take(
  context: Context,
  node: Node,
  crontab: ReadCrontab,
  { report, allowed }: Pick<Settings, 'report' | 'allowed'>,
): Promise<void> {
  const target = ownTarget(node)
  const plan = await planFor(target, crontab)
  // What is kept although its line is not taken may go on.
  allow(allowed, [...crontab.commands, ...plan.held.map(({ command }) => command)])
  const done = await carryOut(target, plan, { prune: true })
  const { file, refused, warnings } = crontab
  for (const { line, reason } of refused)
    report.say(context.paint('yellow', `  ${file}:${line} is not taken: ${printable(reason)}`))
  for (const { line, reason } of warnings) report.chat(`  ${file}:${line}: ${printable(reason)}`)
  for (const { line, id } of plan.lines) {
    const why = done.failed.get(id)
    if (why !== undefined)
      report.say(context.paint('yellow', `  ${file}:${line} is not taken: ${printable(why)}`))
  }
  report.chat(`  ${file}: ${summary(plan, done, refused.length, false)}`)
  report.data('crontab', {
    file,
    notTaken: refused.map(({ line, reason }) => ({ line, reason })),
    warnings: warnings.map(({ line, reason }) => ({ line, reason })),
    lines: plan.lines.map(({ line, id, verdict, nextAt }) => ({ line, id, verdict, nextAt })),
    removed: [...done.removed],
    kept: plan.held.map(({ id }) => id),
  })
}

/** The node's list is this very array: what is added may run from here on. */
function allow(allowed: string[] | undefined, commands: readonly string[]): void {
  const known = new Set(allowed)
  for (const command of commands) if (!known.has(command)) allowed?.push(command)
}

async function scheduleAtStart(node: Node, path: string, tasks: readonly object[]): Promise<void> {
  if (tasks.length === 0) return
  try {
    await node.schedule(tasks as never)
  } catch (error) {
    const { message } = faultOf(error)
    throw wrongUse(`the tasks of ${path} are not taken: ${message}`)
  }
}

/** `@reboot`: once per start. The id is kept, so that a start cut short does not run it twice. */
async function runReboots(node: Node, crontab: ReadCrontab): Promise<void> {
  for (const { id, payload } of crontab.reboots)
    await node.schedule({ id, name: 'command', payload, retry: false })
}

function tellNext(context: Context, crontabs: readonly ReadCrontab[], report: UpReport): void {
  const { now, zone } = context
  for (const { file, lines } of crontabs) {
    const next = lines.flatMap(({ nextAt, schedule, command }) =>
      nextAt === null ? [] : [{ at: nextAt, tz: schedule.kind === 'cron' ? schedule.tz : zone, command }],
    )
    if (next.length === 0) continue
    report.chat(`\n  next from ${file}:`)
    next.sort((a, b) => a.at - b.at)
    for (const { at, tz, command } of next.slice(0, NEXT_SHOWN_MAX)) {
      const there = tz === zone ? '' : `(${wallText(at, tz).slice(11, 16)} ${tz}) `
      report.chat(
        `    ${wallText(at, zone).slice(0, 16)}  ${relativeText(at, now).padEnd(10)}  ${there}${printable(command.slice(0, 60))}`,
      )
    }
    if (next.length > NEXT_SHOWN_MAX) report.chat(`    and ${next.length - NEXT_SHOWN_MAX} more`)
  }
}

async function tellStopping(node: Node, report: UpReport, graceMs: number, signal: string): Promise<void> {
  // Asked before close() is, over the same channel: so it tells of what runs now.
  const running = await node.status().then(
    status => status.runs.running,
    () => 0,
  )
  report.data('stopping', { signal, running, graceMs })
  const what =
    running === 0
      ? ''
      : `: ${running} ${running === 1 ? 'handler runs' : 'handlers run'}, at most ${exactLength(graceMs)}`
  report.say(`carillon: stopping${what}; again to end at once`)
}

/** SIGHUP, as cron daemons take it. What can't be read then changes nothing. */
function rereadOnHangUp(context: Context, node: Node, settings: Settings): { stop(): void } {
  const { report, crontabPaths, tz } = settings
  let turn = Promise.resolve()
  const reread = async (): Promise<void> => {
    const began = performance.now()
    for (const path of crontabPaths) {
      try {
        const crontab = await readCrontab(context, path, tz === undefined ? {} : { tz })
        await take(context, node, crontab, settings)
      } catch (error) {
        context.warn(`carillon: ${path} stays as it was: ${faultOf(error).message}`)
      }
    }
    report.chat(`  crontabs read again in ${lengthText(performance.now() - began)}`)
  }
  const onHangUp = (): void => {
    turn = turn.then(reread)
  }
  process.on('SIGHUP', onHangUp)
  return { stop: () => void process.off('SIGHUP', onHangUp) }
}
