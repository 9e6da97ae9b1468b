/** `carillon preview`: when a schedule fires next. A pattern needs no node; a task's schedule is asked from its node. */

import { isCarillonError } from '../errors.ts'
import { type OccurrenceSpec, occurrences, recurrenceOf } from '../task/recurrence.ts'
import type { DstPolicy } from '../task/schedule.ts'
import { checkZone } from '../task/zone.ts'
import { CliError, EXIT, wrongUse } from './cli-error.ts'
import type { Context } from './context.ts'
import { findNode, type NodeValues } from './find-node.ts'
import { relativeText, scheduleText, utcText, wallText } from './times.ts'
import { durationOf, numberOf } from './words.ts'

interface PreviewValues extends NodeValues {
  readonly tz?: string
  readonly count?: string
  readonly every?: string
  readonly id?: string
  readonly dstGap?: DstPolicy['gap']
  readonly dstOverlap?: DstPolicy['overlap']
}

export async function preview(
  context: Context,
  [pattern]: readonly string[],
  values: PreviewValues,
): Promise<number> {
  const count = values.count === undefined ? 5 : numberOf(values.count, '--count', 1, 10_000)
  const given = [pattern, values.every, values.id].filter(each => each !== undefined)
  if (given.length !== 1)
    throw wrongUse(
      "preview takes one of a cron pattern in quotes, --every and --id: carillon preview '0 9 * * 1-5' --tz Europe/Paris",
    )
  const { instants, zone, what } =
    values.id !== undefined
      ? await ofTask(context, values.id, values, count)
      : ofPattern(context, pattern, values, count)
  if (context.json) {
    await context.data({ schedule: what, zone, instants })
    return EXIT.done
  }
  if (instants.length === 0) {
    await context.say(`${what} does not fire any more`)
    return EXIT.done
  }
  for (const at of instants) {
    const local = zone === 'UTC' ? '' : `${wallText(at, zone)} ${zone}  `
    await context.say(`${local}${utcText(at)}  ${context.paint('dim', relativeText(at, context.now))}`)
  }
  return EXIT.done
}

interface Preview {
  readonly instants: readonly number[]
  readonly zone: string
  readonly what: string
}

function ofPattern(
  context: Context,
  pattern: string | undefined,
  values: PreviewValues,
  count: number,
): Preview {
  const zone = values.tz ?? 'UTC'
  try {
    checkZone(zone)
    const spec: OccurrenceSpec =
      pattern === undefined
        ? { every: durationOf(values.every ?? '', '--every') }
        : {
            cron: pattern,
            tz: zone,
            dst: { gap: values.dstGap ?? 'auto', overlap: values.dstOverlap ?? 'auto' },
          }
    return {
      instants: occurrences(spec, { from: context.now, count }),
      zone,
      what: pattern ?? `every ${values.every}`,
    }
  } catch (error) {
    if (isCarillonError(error)) throw wrongUse(error.message)
    throw error
  }
}

async function ofTask(context: Context, id: string, values: PreviewValues, count: number): Promise<Preview> {
  const node = await findNode(context, values)
  const task = await node.task(id)
  if (task === null)
    throw new CliError(EXIT.failed, 'NOT_FOUND', `no task '${id}': \`carillon ls\` shows those there are`)
  const { schedule } = task
  const what = scheduleText(schedule, context.zone)
  const zone = values.tz ?? (schedule.kind === 'cron' ? schedule.tz : context.zone)
  const instants: number[] = []
  if (task.nextAt !== null) instants.push(task.nextAt)
  if (schedule.kind !== 'at' && task.nextAt !== null) {
    const recurrence = recurrenceOf(schedule, id)
    const left = schedule.max === undefined ? count : Math.min(count, schedule.max - task.occurrences)
    let at: number | undefined = task.nextAt
    while (instants.length < left) {
      at = recurrence.next(at)
      if (at === undefined) break
      instants.push(at)
    }
  }
  return { instants: instants.slice(0, count), zone, what }
}
