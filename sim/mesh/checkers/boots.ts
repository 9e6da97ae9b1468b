/**
 * The boot of a store never goes back unnoticed: nobody's view takes a lower one than it has seen, and a store that is
 * started from an old disk, hence with a boot that was there before, is found out, if anybody else had ever seen it.
 */

import type { StoreId } from '../../../src/membership/view.ts'
import type { MeshHistory, StoreStart } from '../history.ts'
import { type MeshChecker, seconds } from './checker.ts'

export const boots: MeshChecker = {
  name: 'boots',
  check(history, plan, fail) {
    const seen = new Map<string, number>()
    for (const { at, node, view } of history.views) {
      for (const { store, boot } of view.stores) {
        const key = `${node} ${diskAt(history, node, at)} ${store}`
        const before = seen.get(key) ?? 0
        if (boot < before) {
          fail(`node ${node} saw boot ${boot} of store ${store} at ${seconds(at)}, after boot ${before}`)
        }
        seen.set(key, Math.max(boot, before))
      }
    }
    if (plan.isCrowded || history.agreedAt === undefined) return
    for (const start of startedFromOldDisks(history)) {
      const isNoticed = history.refusals.some(
        ({ store, code, at }) => store === start.store && code === 'ROLLED_BACK' && at >= start.at,
      )
      if (isNoticed || !hasWitness(history, start)) continue
      // It may have died before it could meet anybody; then its store must not be live in the end.
      const end = history.views.at(-1)?.view.stores.find(({ store }) => store === start.store)
      const isLast = latestStart(history, start.node)?.store === start.store
      if (isLast || end?.state === 'live') {
        fail(`store ${start.store} of node ${start.node} went back to boot ${start.boot}, and nobody noticed`)
      }
    }
  },
}

/** Starts with a boot that the store had had before. */
export function startedFromOldDisks(history: MeshHistory): StoreStart[] {
  const highest = new Map<StoreId, number>()
  return history.starts.filter(({ store, boot }) => {
    const before = highest.get(store) ?? 0
    highest.set(store, Math.max(before, boot))
    return boot <= before
  })
}

/** Somebody else saw the boot before, and still has the disk that it wrote it down on. */
function hasWitness(history: MeshHistory, { store, boot, node, at }: StoreStart): boolean {
  return history.views.some(report => {
    if (report.node === node || report.at >= at) return false
    if (diskAt(history, report.node, report.at) !== diskAt(history, report.node, history.endedAt))
      return false
    return report.view.stores.some(each => each.store === store && each.boot >= boot)
  })
}

function latestStart(history: MeshHistory, node: number): StoreStart | undefined {
  return history.starts.findLast(start => start.node === node)
}

/** What a node has seen lies on its disk: with an empty disk, or an old one, it begins anew. */
function diskAt(history: MeshHistory, node: number, at: number): number {
  const own = history.starts.filter(start => start.node === node && start.at <= at)
  return own.filter((start, i) => start.boot <= (own[i - 1]?.boot ?? 0)).length
}
