/**
 * Judges a mesh that was cut into parts by what its users were told, what its handlers saw, and what lies on its disks. Pure
 * functions; those that run the mesh stand in mesh-partitions.ts.
 */

import { Placement } from '../../src/ring/placement.ts'
import type { MeshView } from '../../src/task/views.ts'
import type { StoreListing } from '../support/store-listing.ts'
import type { Step } from './partition-scenarios.ts'

/** What a user was told will be done. */
export interface Acknowledged {
  readonly id: string
  /** When the call was made that was acknowledged, and when it was. */
  readonly calledAt: number
  readonly at: number
  /** These have to run. */
  readonly instants: readonly number[]
  /** None has, and until then it has to be armed. */
  readonly armedFor: number | undefined
}

/** What was done to the mesh, and when: epoch ms. */
export interface Trouble extends Pick<Step, 'losses' | 'stopped' | 'restarted'> {
  readonly from: number
  readonly to: number
}

export interface Attempt {
  readonly key: string
  readonly task: string
  readonly node: number
  readonly due: number
  readonly startedAt: number
  endedAt: number | undefined
}

export interface Duplicates {
  /** Occurrences that completed more than once. */
  readonly runs: number
  /** Completions beyond the first of each. */
  readonly completions: number
  /** Of the occurrences: those of which two completions came from machines between which frames were lost. */
  readonly acrossCut: number
  /**
   * The others that ran while something was done to the mesh, told one by one. Also by one node alone: who acts next may
   * hand it the run again, if it has not heard of the end.
   */
  readonly inTrouble: readonly string[]
  /** All others, told one by one. */
  readonly unexplained: readonly string[]
}

/** What was done shows so much longer: it has to be found out, and views and copies have to meet again. */
const AFTERMATH_MS = 10_000

export function attemptsOf(story: string): Attempt[] {
  const attempts: Attempt[] = []
  const open = new Map<string, Attempt>()
  for (const line of story.split('\n')) {
    const [kind, key = '', task = '', node, at, due] = line.split(' ')
    if (kind === 'S') {
      const attempt = {
        key,
        task,
        node: Number(node),
        due: Number(due),
        startedAt: Number(at),
        endedAt: undefined,
      }
      attempts.push(attempt)
      open.set(`${key} ${node}`, attempt)
    }
    const ended = kind === 'E' ? open.get(`${key} ${node}`) : undefined
    if (ended !== undefined) ended.endedAt = Number(at)
  }
  return attempts
}

/** Acknowledged instants that no handler completed: a recurring task has those that were to come when it was called for. */
export function missing(acknowledged: readonly Acknowledged[], attempts: readonly Attempt[]): string[] {
  const completed = new Set(
    attempts.filter(({ endedAt }) => endedAt !== undefined).map(({ task, due }) => `${task}@${due}`),
  )
  return acknowledged.flatMap(({ id, instants, calledAt, at }) =>
    instants
      .filter(instant => !completed.has(`${id}@${instant}`) && (instants.length === 1 || instant > calledAt))
      .map(
        instant => `${id}@${instant}, called for at ${calledAt} and acknowledged at ${at}, was not completed`,
      ),
  )
}

/** From when an instant was both due and acknowledged to its first start; ascending, of those due in that time. */
export function latenessOf(
  acknowledged: readonly Acknowledged[],
  attempts: readonly Attempt[],
  from = Number.NEGATIVE_INFINITY,
  to = Number.POSITIVE_INFINITY,
): number[] {
  const started = new Map<string, number>()
  for (const { task, due, startedAt } of attempts) {
    const name = `${task}@${due}`
    started.set(name, Math.min(startedAt, started.get(name) ?? startedAt))
  }
  return acknowledged
    .flatMap(({ id, at, instants }) =>
      instants
        .filter(instant => instant >= from && instant < to)
        .map(instant => (started.get(`${id}@${instant}`) ?? instant) - Math.max(instant, at)),
    )
    .map(ms => Math.max(0, ms))
    .sort((a, b) => a - b)
}

export function early(attempts: readonly Attempt[]): string[] {
  return attempts
    .filter(({ due, startedAt }) => startedAt < due)
    .map(({ key, due, startedAt }) => `${key} started ${due - startedAt} ms early`)
}

export function duplicatesOf(attempts: readonly Attempt[], troubles: readonly Trouble[]): Duplicates {
  const byKey = new Map<string, Attempt[]>()
  for (const attempt of attempts)
    if (attempt.endedAt !== undefined) byKey.set(attempt.key, [...(byKey.get(attempt.key) ?? []), attempt])
  const twice = [...byKey.values()].filter(({ length }) => length > 1)
  let acrossCut = 0
  const inTrouble: string[] = []
  const unexplained: string[] = []
  for (const each of twice) {
    const from = Math.min(...each.map(({ startedAt }) => startedAt))
    const to = Math.max(...each.map(({ endedAt = 0 }) => endedAt))
    const meanwhile = troubles.filter(trouble => trouble.from < to && trouble.to + AFTERMATH_MS > from)
    const nodes = [...new Set(each.map(({ node }) => node))]
    if (meanwhile.some(trouble => isBetween(trouble, nodes))) acrossCut++
    else {
      const reasonless = meanwhile.length > 0 ? inTrouble : unexplained
      reasonless.push(`${each[0]?.key} completed on ${each.map(told).join(', ')}`)
    }
  }
  const completions = twice.reduce((sum, each) => sum + each.length - 1, 0)
  return { runs: twice.length, completions, acrossCut, inTrouble, unexplained }
}

function isBetween({ losses, stopped }: Trouble, nodes: readonly number[]): boolean {
  return (
    stopped.some(machine => nodes.includes(machine)) ||
    losses.some(({ from, to }) => nodes.includes(from) && nodes.includes(to))
  )
}

function told({ node, startedAt, endedAt }: Attempt): string {
  return `${node} from ${startedAt} to ${endedAt}`
}

/** What differs between the disks of those that the view lists for each range. */
export function unequal(listings: readonly StoreListing[], view: MeshView): string[] {
  const placement = placementOf(view)
  const byStore = new Map(listings.map(listing => [listing.store, listing]))
  const found: string[] = []
  for (let range = 0; range < view.ranges.of; range++) {
    const listed = placement.list(range).map(({ store }) => byStore.get(store)?.ranges.get(range))
    const ids = new Set(listed.flatMap(tasks => [...(tasks?.keys() ?? [])]))
    for (const id of ids) {
      const records = listed.map(tasks => tasks?.get(id)?.record)
      if (records.some(record => record !== records[0]))
        found.push(`range ${range}, ${id}: ${records.map(record => record ?? 'not there').join(' | ')}`)
    }
  }
  return found
}

/** Acknowledged tasks of later that are not armed, or not on every disk that should have them. */
export function unarmed(
  acknowledged: readonly Acknowledged[],
  listings: readonly StoreListing[],
  replicas: number,
): string[] {
  const copies = new Map<string, number>()
  for (const { ranges } of listings)
    for (const tasks of ranges.values())
      for (const [id, { dueAt }] of tasks) {
        const name = `${id} for ${dueAt}`
        copies.set(name, (copies.get(name) ?? 0) + 1)
      }
  return acknowledged
    .filter(({ armedFor }) => armedFor !== undefined)
    .map(({ id, armedFor }) => `${id} for ${armedFor}`)
    .filter(name => (copies.get(name) ?? 0) < replicas)
    .map(name => `${name} is on ${copies.get(name) ?? 0} disks`)
}

/** Why the mesh is not whole: everybody sees all, and each range has one who acts, without doubt. */
export function broken(views: readonly (MeshView | undefined)[]): string[] {
  const [first] = views
  const found: string[] = []
  let owned = 0
  for (const [machine, view] of views.entries()) {
    if (view === undefined) {
      found.push(`node ${machine} does not answer`)
      continue
    }
    const { ranges, stores } = view
    owned += ranges.owned
    const live = stores.filter(({ state, suspect }) => state === 'live' && !suspect).length
    if (live < views.length) found.push(`node ${machine} sees ${live} of ${views.length}`)
    if (ranges.unsure > 0) found.push(`node ${machine} acts unsure for ${ranges.unsure} ranges`)
    if (view.view !== first?.view) found.push(`node ${machine} has another view than node 0`)
  }
  if (first !== undefined && owned !== first.ranges.of)
    found.push(`${owned} of ${first.ranges.of} ranges are acted for`)
  return found
}

/** As it was founded: three copies, ownership spread. */
function placementOf({ stores, ranges }: MeshView): Placement {
  return new Placement(stores, { ranges: ranges.of, replicas: 3, ownership: 'spread' })
}
