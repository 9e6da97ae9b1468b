/**
 * `carillon drain`: has a node leave its mesh, and says how far that is. The node goes on with it whether or not somebody
 * waits here, and closes when it has left.
 */

import { isCarillonError } from '../errors.ts'
import type { DrainView } from '../task/views.ts'
import { CliError, EXIT } from './cli-error.ts'
import type { Context } from './context.ts'
import { findNode, type NodeValues } from './find-node.ts'
import type { RemoteNode } from './remote.ts'
import { lengthText } from './times.ts'
import { durationOf } from './words.ts'

export interface DrainValues extends NodeValues {
  readonly timeout?: string
}

const LOOK_MS = 250

export async function drain(context: Context, _: readonly string[], values: DrainValues): Promise<number> {
  const limitMs =
    values.timeout === undefined ? Number.POSITIVE_INFINITY : durationOf(values.timeout, '--timeout')
  const node = await findNode(context, values, 'one')
  const until = context.now + limitMs
  let told: string | undefined
  for (let view = await node.drain(); ; view = await next(node, told)) {
    const text = textOf(view)
    if (text !== told) await tell(context, view, text)
    told = text
    if (view.step === 'left') return EXIT.done
    if (context.now >= until) {
      context.warn(
        `carillon: not drained within ${lengthText(limitMs)}: ${text}; the node goes on, and \`carillon drain\` tells how far it is`,
      )
      return EXIT.failed
    }
    await context.world.sleep(LOOK_MS)
  }
}

/** It answers for a while after it has left: who does not answer may have died. */
async function next(node: RemoteNode, told: string | undefined): Promise<DrainView> {
  try {
    return await node.drain()
  } catch (error) {
    if (!isCarillonError(error, 'UNREACHABLE') && !isCarillonError(error, 'CLOSED')) throw error
    const why = `the node no longer answers, and was not seen to leave (${told}): look with \`carillon peers\` at another one`
    throw new CliError(EXIT.unreachable, 'UNREACHABLE', why)
  }
}

async function tell(context: Context, view: DrainView, text: string): Promise<void> {
  if (context.json) await context.data(view)
  else await context.say(text)
}

function textOf({ step, acting, running, holding }: DrainView): string {
  switch (step) {
    case 'ranges':
      return acting === 0 ? 'handing over' : `handing over: it acts for ${counted(acting, 'range')} still`
    case 'runs':
      return `waiting for ${counted(running, 'run')} to end`
    case 'copies':
      return `waiting for others to copy ${counted(holding, 'range')}`
    case 'leaving':
      return 'leaving'
    case 'left':
      return 'left: the others have all that it had'
  }
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
