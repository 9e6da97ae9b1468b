/**
 * The boot of a store never goes back unnoticed: nobody's view takes a lower one than it has seen, and a store that is
 * started from an old disk, hence with a boot that was there before, is found out by who knew that boot.
 *
 * What is heard is told at once and synced a moment later: of what a process saw just before its end, the next one may
 * know nothing.
 */

import type { StoreId } from '../../../src/membership/view.ts'
import type { MeshHistory, StoreStart, ViewReport } from '../history.ts'
import { type MeshChecker, seconds } from './checker.ts'

/** Longer than any write takes. */
const SYNC_MS_MAX = 1000

export const boots: MeshChecker = {
  name: 'boots',
  check(history, plan, fail) {
    const kept = new Map<string, number>()
    const seen = new Map<string, number>()
    for (const report of history.views) {
      const { at, node, view } = report
      const start = startOf(history, node, at)
      const isKept = staysKnown(history, report)
      for (const { store, boot } of view.stores) {
        const ofDisk = `${node} ${start?.disk} ${store}`
        const ofProcess = `${ofDisk} ${start?.at}`
        const before = Math.max(kept.get(ofDisk) ?? 0, seen.get(ofProcess) ?? 0)
        if (boot < before) {
          fail(`node ${node} saw boot ${boot} of store ${store} at ${seconds(at)}, after boot ${before}`)
        }
        if (isKept) kept.set(ofDisk, Math.max(boot, before))
        seen.set(ofProcess, Math.max(boot, before))
      }
    }
    if (plan.isCrowded || history.agreedAt === undefined) return
    for (const start of startedFromOldDisks(history)) {
      const isNoticed = history.refusals.some(
        ({ store, code, at }) => store === start.store && code === 'ROLLED_BACK' && at >= start.at,
      )
      if (isNoticed || !isKnownToOthers(history, start)) continue
      // It may have died before it could meet anybody; then its store must not be live in the end.
      const end = history.views.at(-1)?.view.stores.find(({ store }) => store === start.store)
      const isLast = startOf(history, start.node, Number.POSITIVE_INFINITY)?.store === start.store
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

/** Somebody else had that boot on its disk, and still has that disk. */
function isKnownToOthers(history: MeshHistory, { store, boot, node, at }: StoreStart): boolean {
  return history.views.some(report => {
    if (report.node === node || report.at >= at || !staysKnown(history, report)) return false
    const disk = startOf(history, report.node, report.at)?.disk
    if (disk !== startOf(history, report.node, Number.POSITIVE_INFINITY)?.disk) return false
    return report.view.stores.some(each => each.store === store && each.boot >= boot)
  })
}

/** The process that saw it lived long enough to have it on its disk. */
function staysKnown(history: MeshHistory, { at, node }: ViewReport): boolean {
  return !history.ends.some(end => end.node === node && end.at >= at && end.at - at < SYNC_MS_MAX)
}

function startOf(history: MeshHistory, node: number, at: number): StoreStart | undefined {
  return history.starts.findLast(start => start.node === node && start.at <= at)
}
