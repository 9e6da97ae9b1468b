/**
 * The boot of a store never goes back unnoticed: no observer's view takes a lower one, and a store that was started
 * from an old disk (an actor that was there before, or one below what was) is found out.
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
        // A view is kept on disk, so a node knows what its store knew; another store of it begins anew.
        const key = `${node} ${storeAt(history, node, at)} ${store}`
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
      if (isNoticed) continue
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

function latestStart(history: MeshHistory, node: number): StoreStart | undefined {
  return history.starts.findLast(start => start.node === node)
}

function storeAt(history: MeshHistory, node: number, at: number): StoreId | undefined {
  return history.starts.findLast(start => start.node === node && start.at <= at)?.store
}
