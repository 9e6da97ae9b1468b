/**
 * The main job, on real input: one node that runs a crontab file and a few handlers, and shows what fires. It keeps its
 * tasks in examples/data, so a second start goes on where this one ends. Ctrl-C ends it.
 *
 *   npm start [-- --crontab FILE] [--data DIR] [--for SECONDS]
 */

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type CrontabEntry, createNode, isCarillonError, parseCrontab, type RunView } from '../src/index.ts'
import { buildReport, heartbeat, sendEmail } from './handlers.ts'

const say = (line: string): void => console.log(line)
const here = new URL('.', import.meta.url).pathname

const handlers = { heartbeat, 'email.send': sendEmail, 'report.build': buildReport }
const values = readOptions()
const crontabPath = values.crontab ?? `${here}crontab`
const dataDir = values.data ?? `${here}data`

await main().catch(error => {
  console.error(isCarillonError(error) ? `carillon: ${error.message}` : error)
  process.exitCode = 1
})

async function main(): Promise<void> {
  const crontab = parseCrontab(readCrontab(), { form: 'auto' })
  const began = performance.now()
  const node = await createNode({
    dataDir,
    signals: true,
    commands: crontab.entries.map(entry => entry.command),
    handlers,
  })
  // Before anything is awaited: what was caught up at the start is told first.
  node.on('missed', ({ task, count, from, to }) =>
    say(`  caught up: ${task} passed over ${count} from ${time(from)} to ${time(to)} while nobody was here`),
  )
  // What ends before the heading stands waits for it.
  const fired: string[] = []
  let tell = (line: string): void => void fired.push(line)
  node.on('run', ({ run }) => tell(lineOf(run)))
  node.on('retry', ({ run, nextAt }) => tell(`${lineOf(run)}; attempt ${run.attempt + 1} at ${time(nextAt)}`))
  // Our own handlers have not been announced yet when the engine starts: of those it may tell as well.
  node.on('no-worker', ({ name, waiting }) => {
    if (waiting > 0 && name !== 'command' && !Object.hasOwn(handlers, name))
      say(`  nobody runs "${name}": ${waiting} waiting`)
  })

  say(
    `carillon: one node, data in ${relative(dataDir)}, started in ${Math.round(performance.now() - began)} ms. Ctrl-C ends it.\n`,
  )

  const before = new Map<string, number>()
  for await (const task of node.tasks()) if (task.nextAt !== null) before.set(task.id, task.nextAt)
  if (before.size > 0) say(`  ${before.size} tasks were kept from the last start`)
  for (const { line, reason } of crontab.refused)
    say(`  ${relative(crontabPath)}:${line} is not taken: ${reason}`)
  for (const { line, text } of crontab.warnings) say(`  ${relative(crontabPath)}:${line}: ${text}`)
  await node.schedule(crontab.entries.filter(entry => entry.schedule.kind === 'cron').map(taskOf))
  await node.schedule([
    { id: 'heartbeat', name: 'heartbeat', payload: { host: 'example' }, cron: '* * * * * *' },
    { id: 'report', name: 'report.build', payload: { n: 7 }, every: '15s' },
    {
      name: 'email.send',
      payload: { to: 'someone@example.com', n: 3 },
      after: '2s',
      retry: { base: '500ms', jitter: false },
    },
  ])

  say(`\n  next from ${relative(crontabPath)}:`)
  const upcoming = crontab.entries.flatMap(({ schedule, command }) =>
    schedule.kind === 'cron'
      ? node
          .preview({ cron: schedule.pattern, tz: schedule.tz }, 1)
          .map(at => ({ at, command, tz: schedule.tz }))
      : [],
  )
  for (const { at, command, tz } of upcoming.sort((a, b) => a.at - b.at)) {
    say(
      `    ${new Date(at).toISOString().slice(0, 16)}Z  ${tz === 'UTC' ? '' : `(${new Date(at).toLocaleTimeString('en-GB', { timeZone: tz, timeStyle: 'short' })} ${tz}) `}${command.slice(0, 60)}`,
    )
  }
  say('\n  fired     late     what')
  for (const line of fired) say(line)
  tell = say
  if (values.for !== undefined) setTimeout(() => void node.close(), Number(values.for) * 1000)
  await node.closed
  say('carillon: closed; what is scheduled stays, and goes on at the next start')
}

function readOptions(): { crontab?: string; data?: string; for?: string } {
  try {
    const { values } = parseArgs({
      options: { crontab: { type: 'string' }, data: { type: 'string' }, for: { type: 'string' } },
    })
    if (values.for !== undefined && !(Number(values.for) > 0))
      throw new TypeError(`--for is "${values.for}": allowed is a number of seconds`)
    return values
  } catch (error) {
    return giveUp(error)
  }
}

function readCrontab(): string {
  try {
    return readFileSync(crontabPath, 'utf8')
  } catch (error) {
    return giveUp(error)
  }
}

/** What the user got wrong is said in one line. */
function giveUp(error: unknown): never {
  console.error(`carillon: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(2)
}

function taskOf({ id, schedule, command, stdin, env, shell }: CrontabEntry) {
  if (schedule.kind !== 'cron') throw new TypeError('only lines with a time are tasks')
  const { pattern: cron, tz } = schedule
  return { id, name: 'command', payload: { command, stdin, env, shell }, cron, tz, retry: false }
}

/** One line for a run that ended, or that will be tried again. */
function lineOf(run: RunView): string {
  const late =
    run.startedAt === null || run.attempt > 1 ? '' : `${(run.startedAt - run.scheduledAt).toFixed(0)} ms`
  return `  ${time(run.scheduledAt)}  ${late.padEnd(7)}  ${run.task.split(':')[0] === 'crontab' ? '$' : run.name} ${outcomeOf(run)}`
}

function outcomeOf(run: RunView): string {
  if (run.state === 'retrying' || run.state === 'failed')
    return `${run.state} (attempt ${run.attempt}): ${run.error?.message ?? ''}`
  const output = (run.result as { stdout?: string } | undefined)?.stdout
  if (output !== undefined) return `${output.trim().split('\n').join(' | ').slice(0, 90)}`
  return `${run.state}${run.result === undefined ? '' : ` ${JSON.stringify(run.result)}`}`
}

function time(at: number): string {
  return new Date(at).toISOString().slice(11, 19)
}

function relative(path: string): string {
  return path.startsWith(here) ? `examples/${path.slice(here.length)}` : path
}
