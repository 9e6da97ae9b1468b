/** The judges: they know the clients' history, what handlers did, and the final states; nothing of how it came to be. */

import { parseRunId } from '../../src/task/ids.ts'
import { hasEnded } from '../../src/task/merge.ts'
import type { Completion, Op, Start } from './history.ts'
import type { Mix, World } from './world.ts'

export function check(world: World, when: 'healed' | 'end'): string[] {
  if (when === 'healed') return oneOwner(world)
  return [
    ...oneOwner(world),
    ...converged(world),
    ...answered(world),
    ...durable(world),
    ...followedUp(world),
    ...cancelled(world),
    ...absent(world),
    ...ranOnce(world),
    ...madeOnce(world),
    ...fenced(world),
  ]
}

/** A8: each range has one armed owner, the same for all. */
function oneOwner(world: World): string[] {
  const found: string[] = []
  for (let range = 0; range < world.options.ranges; range++) {
    const armed = world.upSites().filter(({ process }) => process?.acting.has(range))
    if (armed.length !== 1)
      found.push(`A8: range ${range} has ${armed.length} owners (${armed.map(s => s.disk.store)})`)
  }
  return found
}

/** The stores of a list have the same records, and nobody else has any. */
function converged(world: World): string[] {
  const found: string[] = []
  for (let range = 0; range < world.options.ranges; range++) {
    const states = new Map<string, string>()
    for (const { disk, process } of world.upSites()) {
      if (process === undefined) continue
      const list = process.replication.view.list(range)
      const live = [...process.records.of(range).values()].filter(record => !hasEnded(record))
      if (!list.includes(disk.store)) {
        if (process.records.of(range).size > 0)
          found.push(`custody: ${disk.store} still holds range ${range}`)
        continue
      }
      const texts = live
        .map(record => `${record.id} ${process.records.canonical(record, world.prunes)}`)
        .sort()
      states.set(disk.store, texts.join('\n'))
    }
    const [first, ...rest] = [...states]
    for (const [store, text] of rest) {
      if (text === first?.[1]) continue
      const mine = new Set(first?.[1].split('\n'))
      const others = new Set(text.split('\n'))
      const ids = [...mine]
        .filter(line => !others.has(line))
        .concat([...others].filter(line => !mine.has(line)))
      const names = [...new Set(ids.map(line => line.split(' ')[0]))]
      found.push(`convergence: range ${range} differs between ${first?.[0]} and ${store}: ${names}`)
    }
  }
  return found
}

function answered(world: World): string[] {
  return world.history.ops
    .filter(op => Number.isNaN(op.answeredAt))
    .map(op => `liveness: ${op.kind} of ${op.id} (request ${op.request}) has no answer`)
}

function opsOf(world: World): Map<string, Op[]> {
  const byId = new Map<string, Op[]>()
  for (const op of world.history.ops) {
    const ops = byId.get(op.id)
    if (ops === undefined) byId.set(op.id, [op])
    else ops.push(op)
  }
  return byId
}

/** In a cut each side may have acknowledged one, and neither has heard of the other's: they are at the same time. */
function isOfOtherSide({ options }: World, op: Op, last: Op): boolean {
  return mayBeCut(options.mix) && op.outcome === 'done' && op.list !== last.list
}

/** What was acknowledged and not undone runs to completion. */
function durable(world: World): string[] {
  const found: string[] = []
  const done = new Set(world.history.completions.map(({ id, instant }) => `${id} ${instant}`))
  for (const [id, ops] of opsOf(world)) {
    const last = ops
      .filter(op => op.kind === 'create' && op.outcome === 'done')
      .sort((a, b) => b.invokedAt - a.invokedAt)[0]
    if (last === undefined) continue
    const others = ops.filter(
      op =>
        op !== last &&
        op.kind !== 'trigger' &&
        (Number.isNaN(op.answeredAt) ||
          op.answeredAt >= last.invokedAt ||
          op.kind === 'pause' ||
          isOfOtherSide(world, op, last)),
    )
    // With others at the same time, or after it, nobody can say which of them counts.
    if (others.length > 0) continue
    // Who acts unsure may have taken it without having heard of an earlier one, whose version may win.
    if (world.history.unsure > 0 && ops.some(op => op !== last && op.kind !== 'trigger')) continue
    for (const instant of last.instants) {
      if (!done.has(`${id} ${instant}`)) found.push(`durability: ${id} of ${instant} never ran to its end`)
    }
  }
  return found
}

function followedUp(world: World): string[] {
  const done = new Set(world.history.completions.map(({ id }) => id))
  const found: string[] = []
  for (const { id, ackedAt, followUps } of world.history.completions) {
    if (Number.isNaN(ackedAt)) continue
    for (const each of followUps) if (!done.has(each)) found.push(`follow-up ${each} of ${id} never ran`)
  }
  return found
}

/**
 * Who came to act, and knew enough, after something was acknowledged, knows it. In a cut a list may have been one on the
 * other side only, with stand-ins that nobody here has heard of: such an acknowledgement is late, and may be missed.
 */
function knew(world: World, start: Start, ackedAt: number, list: string): boolean {
  if (start.unsure || !(start.actingSince > ackedAt)) return false
  return !mayBeCut(world.options.mix) || (start.lists.get(list) ?? Number.NEGATIVE_INFINITY) >= ackedAt
}

function mayBeCut(mix: Mix): boolean {
  return mix === 'cuts' || mix === 'storm'
}

function cancelled(world: World): string[] {
  const found: string[] = []
  for (const op of world.history.ops) {
    if (op.kind !== 'cancel' || op.outcome !== 'done' || Number.isNaN(op.life)) continue
    const later = world.history.ops.some(
      other => other.id === op.id && other.kind === 'create' && !(other.answeredAt < op.invokedAt),
    )
    if (later || madeTwice(world, op.id)) continue
    for (const start of world.history.starts) {
      if (start.id !== op.id || start.life !== op.life || start.at <= op.answeredAt) continue
      const isFirm = start.at > op.firmAt && !start.unsure
      if (isFirm || knew(world, start, op.answeredAt, op.list) || isCalm(world))
        found.push(
          `cancel: ${op.id} was started by ${start.store} at ${start.at}, cancelled at ${op.answeredAt}`,
        )
    }
  }
  return found
}

function isCalm(world: World): boolean {
  return world.options.mix === 'calm'
}

/** Who says that there is no such task must know: it may have been acknowledged. */
function absent(world: World): string[] {
  if (mayBeCut(world.options.mix) || world.history.unsure > 0) return []
  const found: string[] = []
  for (const [id, ops] of opsOf(world)) {
    const [create, ...creates] = ops.filter(op => op.kind === 'create')
    if (create === undefined || creates.length > 0 || create.outcome !== 'done') continue
    const done = world.history.completions.filter(each => each.id === id)
    const endedAt = done.length < create.instants.length ? Number.NaN : Math.min(...done.map(each => each.at))
    const cancels = ops.filter(op => op.kind === 'cancel')
    if (cancels.some(({ outcome }) => outcome === 'done')) continue
    for (const op of ops) {
      // One that was carried out and not confirmed yet may be lost; until then it says that there is none.
      if (cancels.some(({ invokedAt }) => invokedAt < op.answeredAt)) continue
      if (op.outcome !== 'absent' || op.invokedAt <= create.answeredAt || op.answeredAt >= endedAt) continue
      found.push(`absent: ${op.kind} of ${id} at ${op.answeredAt}, created at ${create.answeredAt}`)
    }
  }
  return found
}

/** No second run after an acknowledged completion; without faults none at all. */
function ranOnce(world: World): string[] {
  const found: string[] = []
  const { starts, completions } = world.history
  const key = (each: { id: string; life: number; instant: number; manual: boolean }): string =>
    `${each.id} ${each.life} ${each.instant}${each.manual ? ' by hand' : ''}`
  const acked = new Map<string, Completion>()
  for (const each of completions) {
    const before = acked.get(key(each))?.ackedAt ?? Number.POSITIVE_INFINITY
    if (each.ackedAt < before) acked.set(key(each), each)
  }
  const first = new Map<string, Start>()
  for (const start of starts) {
    const before = first.get(key(start))
    if (before === undefined) {
      first.set(key(start), start)
      continue
    }
    if (isCalm(world)) found.push(`duplicate: ${key(start)} without any fault`)
    const completion = acked.get(key(start))
    if (completion === undefined || madeTwice(world, start.id)) continue
    const { ackedAt, list } = completion
    if (knew(world, start, ackedAt, list))
      found.push(`duplicate: ${key(start)} started by ${start.store} at ${start.at}, completed at ${ackedAt}`)
  }
  return found
}

/** Who acts unsure may not remember a request that comes again, and make its task anew when it is done and gone. */
function madeTwice(world: World, id: string): boolean {
  const { history } = world
  if (history.unsure === 0) return false
  if (isOfTwoRuns(world, id)) return true
  return history.ops.some(op => op.id === id && op.kind === 'create' && !(op.answeredAt < op.invokedAt + 450))
}

/** A follow-up of a run that two stores began, neither of which need have heard of the other: each asks for it. */
function isOfTwoRuns({ history }: World, id: string): boolean {
  const run = parseRunId(id.slice(0, id.lastIndexOf('/')))
  if (run === undefined) return false
  const starts = history.starts.filter(each => each.id === run.taskId && each.instant === run.instant)
  return starts.some(each => each.unsure) && new Set(starts.map(({ store }) => store)).size > 1
}

/** One request makes one task: an id that was created once has one life. */
function madeOnce(world: World): string[] {
  const found: string[] = []
  // Two that act at once, each by its view, may each carry it out.
  if (!isCalm(world)) return found
  const lives = new Map<string, Set<number>>()
  for (const { id, life } of world.history.starts) {
    const known = lives.get(id) ?? new Set()
    known.add(life)
    lives.set(id, known)
  }
  for (const [id, ops] of opsOf(world)) {
    const creates = ops.filter(op => op.kind === 'create').length
    const seen = lives.get(id)?.size ?? 0
    if (seen > creates) found.push(`requests: ${id} was created ${creates} times and has ${seen} lives`)
  }
  return found
}

/** A5: nobody starts anything before it acts. */
function fenced(world: World): string[] {
  return world.history.starts
    .filter(start => !start.fenced)
    .map(start => `A5: ${start.store} started ${start.id} without acting for its range`)
}
