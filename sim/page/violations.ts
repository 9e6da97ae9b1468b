/**
 * What the words of a checker are about: the task, the ranges and nodes that its first line names, and when. Checkers
 * say it to people, in sentences; the page reads them like one, so that no checker has to say it twice.
 */

import { rangeOf } from '../../src/lib/hash.ts'
import type { Recording, Violation } from './recording.ts'

/** An instant in the words of a judge of meshes: `61.250 s`. `for 5.000 s` is none. */
const IN_SECONDS = /(?<!for )\b(\d+\.\d{3}) s\b/g
/** In those of a judge of one node, and before what was found on the way: `at 61250.125`, ms. */
const IN_MS = /\b(?:at|of) (\d+\.\d{3})\b(?! s\b)/g

export function violationsOf(faults: readonly string[], recording: Recording): Violation[] {
  const tasks = [...new Set(recording.items.flatMap(({ task }) => (task === undefined ? [] : [task])))]
  return faults.map(fault => violationOf(fault, recording, tasks))
}

function violationOf(fault: string, recording: Recording, tasks: readonly string[]): Violation {
  const [first = '', ...lines] = fault.split('\n')
  const [, checker = '', words = first] = /^([a-z-]+): (.*)$/.exec(first) ?? []
  const task = taskIn(words, tasks)
  const ranges = new Set([...words.matchAll(/\branges? (\d+)\b/g)].map(([, range]) => Number(range)))
  if (task !== undefined && recording.ranges > 0) ranges.add(rangeOf(task, recording.ranges))
  const { from, to } = whenOf(words, task, recording)
  return {
    checker,
    text: words,
    more: lines.join('\n'),
    task,
    ranges: [...ranges].filter(range => range < recording.ranges),
    lanes: lanesIn(words, recording),
    from,
    to,
  }
}

/** The longest that stands there, as one id may be the beginning of another. */
function taskIn(words: string, tasks: readonly string[]): string | undefined {
  let found: string | undefined
  for (const task of tasks) {
    const at = words.indexOf(task)
    if (at < 0 || task.length <= (found?.length ?? 0)) continue
    const [before, after] = [words[at - 1] ?? ' ', words[at + task.length] ?? ' ']
    // A run is named after its task: key-3@1735689600000.
    if (!/[\w-]/.test(before) && !/[\w-]/.test(after)) found = task
  }
  return found
}

function lanesIn(words: string, { lanes }: Recording): number[] {
  const names = [...words.matchAll(/\bn(?:ode )?(\d+)\b/g)].map(([, number]) => `n${number}`)
  const clients = [...words.matchAll(/\bclient (\d+)\b/g)].map(([name]) => name)
  const found = [...names, ...clients].map(name => lanes.findIndex(lane => lane.name === name))
  return [...new Set(found)].filter(lane => lane >= 0)
}

function whenOf(
  words: string,
  task: string | undefined,
  { items, from, to }: Recording,
): { from: number; to: number } {
  const isInRun = (at: number): boolean => at >= from - 1 && at <= to + 1
  const instants = [
    ...[...words.matchAll(IN_SECONDS)].map(([, seconds]) => Number(seconds) * 1000),
    ...[...words.matchAll(IN_MS)].map(([, ms]) => Number(ms)),
  ].filter(isInRun)
  if (instants.length > 0) return { from: Math.min(...instants), to: Math.max(...instants) }
  // It names none: when its task was last spoken of, or the end.
  const last = task === undefined ? undefined : items.findLast(each => each.task === task)
  const at = last?.from ?? to
  return { from: at, to: at }
}
