/** Waiting for a run's end, and the lines that show runs. Used by schedule, trigger, retry, show and runs. */

import type { RunView } from '../task/views.ts'
import { EXIT } from './cli-error.ts'
import type { Context, Style } from './context.ts'
import type { RemoteNode } from './remote.ts'
import { printable } from './text-width.ts'
import { lengthText } from './times.ts'

const ONE_WAIT_MS = 20_000
const EARLY_PAUSE_MS = 50
const RESULT_LENGTH_MAX = 4000

/** Waits for the end of a task or run, at most `maxMs`, and tells it. */
export async function waitForEnd(
  context: Context,
  node: RemoteNode,
  id: string,
  maxMs: number,
): Promise<number> {
  const until = context.now + maxMs
  for (;;) {
    const left = until - context.now
    const run = await node.result(id, { waitMs: Math.max(0, Math.min(left, ONE_WAIT_MS)) })
    if (run !== undefined) {
      await tellEnd(context, run)
      return run.state === 'completed' ? EXIT.done : EXIT.failed
    }
    // A node that answers too early must not be asked without end.
    await context.world.sleep(EARLY_PAUSE_MS)
    if (context.now >= until) {
      context.warn(
        `carillon: ${id} has not ended within ${lengthText(maxMs)}; it goes on: see \`carillon show ${id}\``,
      )
      return EXIT.failed
    }
  }
}

async function tellEnd(context: Context, run: RunView): Promise<void> {
  if (context.json) return context.data(run)
  const took =
    run.startedAt === null || run.endedAt === null ? '' : ` in ${lengthText(run.endedAt - run.startedAt)}`
  const attempts = run.attempt > 1 ? `, ${run.attempt} attempts` : ''
  await context.say(`${paintState(context, run.state)}${took}${attempts}`)
  const output = outputOf(run)
  if (output !== '') await context.say(output)
}

/** What the run gave: the output of a command as it was, any other result as JSON, or the error. */
function outputOf(run: RunView): string {
  if (run.error !== undefined) return printable(run.error.message)
  if (run.result === undefined) return ''
  const { stdout } = (run.result ?? {}) as { stdout?: unknown }
  if (typeof stdout === 'string') return stdout.trimEnd().split('\n').map(printable).join('\n')
  return shortJson(run.result, RESULT_LENGTH_MAX)
}

/** JSON on one line, safe for a terminal. */
export function shortJson(value: unknown, lengthMax: number): string {
  const text = JSON.stringify(value) ?? ''
  return printable(text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text)
}

/** The result, progress or error of a run, in a few words. */
export function outcomeText(run: RunView, lengthMax = 200): string {
  if (run.error !== undefined) return printable(run.error.message.slice(0, lengthMax))
  const { stdout } = (run.result ?? {}) as { stdout?: unknown }
  if (typeof stdout === 'string') return printable(stdout.trim().split('\n').join(' | ').slice(0, lengthMax))
  if (run.result !== undefined) return shortJson(run.result, lengthMax)
  return run.progress === undefined ? '' : `at ${shortJson(run.progress, lengthMax)}`
}

const STYLES: Readonly<Record<string, Style>> = {
  completed: 'green',
  scheduled: 'green',
  running: 'cyan',
  queued: 'cyan',
  paused: 'yellow',
  retrying: 'yellow',
  missed: 'yellow',
  skipped: 'yellow',
  cancelled: 'yellow',
  failed: 'red',
  dead: 'red',
  unknown: 'red',
}

export function paintState(context: Context, state: string, text = state): string {
  const style = STYLES[state.trim()]
  return style === undefined ? text : context.paint(style, text)
}
