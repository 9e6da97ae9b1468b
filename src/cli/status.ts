/** `carillon status`: how a node is, short. */

import { EXIT } from './cli-error.ts'
import type { Context } from './context.ts'
import { findNode, type NodeValues } from './find-node.ts'
import { meshRows, type StatusRow, sayMeshTroubles } from './mesh-status.ts'
import { printable } from './text-width.ts'
import { lengthText, wallText } from './times.ts'

export async function status(context: Context, _: readonly string[], values: NodeValues): Promise<number> {
  const node = await findNode(context, values)
  const view = await node.status()
  if (context.json) {
    await context.data(view)
    return EXIT.done
  }
  const { tasks, runs, counters, latenessMs } = view
  const rows: StatusRow[] = [
    [
      'node',
      `up for ${lengthText(view.now - view.startedAt)}, since ${wallText(view.startedAt, context.zone)}`,
    ],
    [
      'store',
      `${view.store}, ${view.durable ? `on disk (${view.durability})` : 'in memory only: nothing survives the process'}${
        view.freeBytes === null ? '' : `, ${bytesText(view.freeBytes)} free`
      }`,
    ],
    ['tasks', `${tasks.inMemory} in memory, ${tasks.armed} armed, ${tasks.dead} dead`],
    ['runs', `${runs.running} running, ${runs.queued} waiting`],
    [
      'since start',
      `${counters.completed} completed, ${counters.failed} failed, ${counters.retried} retried, ${counters.missed} missed`,
    ],
    [
      'lateness',
      `p50 ${lengthText(latenessMs.p50)}, p99 ${lengthText(latenessMs.p99)}, most ${lengthText(latenessMs.max)}`,
    ],
    ['handlers', view.handlers.length === 0 ? 'none' : view.handlers.map(printable).join(', ')],
    ...(view.mesh === null ? [] : meshRows(view.mesh)),
  ]
  for (const [title, text] of rows) await context.say(`${context.paint('dim', title.padEnd(12))} ${text}`)
  if (!view.takesWork) await context.say(context.paint('red', 'the disk is full: no new work is taken'))
  if (view.mesh !== null) await sayMeshTroubles(context, view.mesh)
  for (const { name, waiting } of view.withoutWorker)
    await context.say(context.paint('yellow', `nobody runs '${printable(name)}': ${waiting} waiting`))
  return EXIT.done
}

function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
