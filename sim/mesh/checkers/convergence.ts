/**
 * Once all is healed and the views are at rest each range has exactly one store that acts for it, and all that are listed
 * have equal records, within a bound; in a rush also while users go on. To the end there is one that acts, and by then
 * nobody else has any records: who lets go waits for all that are listed.
 */

import type { Inspection } from '../tasks/task-history.ts'
import type { MeshChecker } from './checker.ts'

export const convergence: MeshChecker = {
  name: 'convergence',
  check({ tasks }, _plan, fail) {
    if (tasks === undefined || tasks.inspections.length === 0) return
    for (const [, why] of tasks.behind) fail(`not within the bound of one view, while users went on: ${why}`)
    // Recurring tasks go on: a change may be under way between two stores in the moment of the last look.
    const inTheEnd = unconverged(tasks.inspections, true)
    const apartLater = unconverged(tasks.inspections)
    for (const [range, why] of tasks.apart) {
      const later = apartLater.has(range) ? 'nor later' : 'but later'
      fail(`not within the bound after the views were at rest, ${later}: ${why}`)
    }
    for (const [range, why] of inTheEnd) if (!tasks.apart.has(range)) fail(`in the end ${why}`)
  },
}

/**
 * The ranges that are not as they should be, and why. `isEnd`: records may differ in what they say, and nobody that is not
 * listed may have any.
 */
export function unconverged(inspections: readonly Inspection[], isEnd = false): Map<number, string> {
  const ranges = new Map<number, Inspection[]>()
  for (const each of inspections) {
    const known = ranges.get(each.range)
    if (known === undefined) ranges.set(each.range, [each])
    else known.push(each)
  }
  const found = new Map<number, string>()
  for (const [range, each] of ranges) {
    const why = apart(each, isEnd)
    if (why !== undefined) found.set(range, `range ${range}: ${why}`)
  }
  return found
}

function apart(stores: readonly Inspection[], isEnd: boolean): string | undefined {
  const acting = stores.filter(({ acts }) => acts)
  if (acting.length !== 1) {
    return acting.length === 0 ? 'nobody acts for it' : `${names(acting)} act for it`
  }
  const left = stores.filter(({ isListed, records }) => !isListed && records.size > 0)
  if (isEnd && left.length > 0) return `${names(left)} are not listed, and still have records`
  const listed = stores.filter(({ isListed }) => isListed)
  if (listed.length === 0) return 'nobody is listed'
  if (!acting.every(({ isListed }) => isListed)) return `${names(acting)} acts, and is not listed`
  if (isEnd) return undefined
  const first = listed[0] as Inspection
  for (const other of listed.slice(1)) {
    const ids = new Set([...first.records.keys(), ...other.records.keys()])
    const differing = [...ids].filter(id => first.records.get(id) !== other.records.get(id))
    if (differing.length === 0) continue
    const id = differing[0] as string
    return `n${first.node} and n${other.node} differ in ${differing.length} records, one is ${id}:\n      ${first.records.get(id) ?? 'not there'}\n      ${other.records.get(id) ?? 'not there'}`
  }
  return undefined
}

function names(stores: readonly Inspection[]): string {
  return stores.map(({ node }) => `n${node}`).join(' ')
}
