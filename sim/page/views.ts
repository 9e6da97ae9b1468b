/** The view that each node holds, from when to when. */

import type { View, ViewStore } from '../../src/membership/view.ts'
import type { Item } from './recording.ts'

interface Report {
  readonly at: number
  readonly node: number
  readonly view: View
}

export function viewItems(
  reports: readonly Report[],
  ends: readonly { readonly at: number; readonly node: number }[],
  laneOf: (node: number) => number,
): Item[] {
  const byNode = Map.groupBy(reports, ({ node }) => node)
  return [...byNode].flatMap(([node, own]) => {
    const ownEnds = ends.filter(each => each.node === node)
    return own.map(({ at, view }, index): Item => {
      const next = own[index + 1]?.at ?? Number.POSITIVE_INFINITY
      const end = ownEnds.find(each => each.at >= at)?.at ?? Number.POSITIVE_INFINITY
      return {
        kind: 'view',
        lane: laneOf(node),
        from: at,
        to: Math.min(next, end),
        text: `${view.id.slice(0, 6)}: ${countsOf(view)}`,
        details: [
          ['view', view.id],
          ['mesh', view.meshId ?? 'none yet'],
          ...changesOf(own[index - 1]?.view, view).map(text => ['changed', text] as const),
          ...view.stores.map(store => [store.state, memberOf(store)] as const),
        ],
      }
    })
  })
}

function countsOf({ stores }: View): string {
  const counts = ['live', 'away', 'gone'].flatMap(state => {
    const these = stores.filter(each => each.state === state)
    const names = state === 'live' ? '' : ` (${these.map(({ node }) => node).join(' ')})`
    return these.length === 0 ? [] : [`${these.length} ${state}${names}`]
  })
  return counts.join(', ') || 'nobody'
}

function memberOf({ node, boot, store, zone }: ViewStore): string {
  return `${node} boot ${boot}, store ${store.slice(0, 6)}${zone === '' ? '' : `, zone ${zone}`}`
}

/** What differs from the view before, a line each. */
function changesOf(before: View | undefined, after: View): string[] {
  if (before === undefined) return []
  const known = new Map(before.stores.map(each => [each.store, each]))
  const changes = after.stores.flatMap(each => {
    const was = known.get(each.store)
    known.delete(each.store)
    if (was === undefined) return [`${each.node} is new, ${each.state}`]
    if (was.boot !== each.boot) return [`${each.node} boot ${was.boot} to ${each.boot}, ${each.state}`]
    return was.state === each.state ? [] : [`${each.node} ${was.state} to ${each.state}`]
  })
  return [...changes, ...[...known.values()].map(({ node }) => `${node} has left the roster`)]
}
