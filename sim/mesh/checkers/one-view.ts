/**
 * Once all is healed, all that are up come to one view within a bound, it is the right one (they are live in it, and
 * nobody else is), and then it stays as it is.
 */

import type { MemberState, View } from '../../../src/membership/view.ts'
import { type MeshChecker, seconds } from './checker.ts'

export const oneView: MeshChecker = {
  name: 'one-view',
  check(history, plan, fail) {
    if (history.agreedAt === undefined) {
      if (!plan.isCrowded) fail(`no one view after healing:\n${history.disagreement}`)
      return
    }
    const latest = new Map<number, View>()
    for (const { at, node, view } of history.views) {
      const before = latest.get(node)
      latest.set(node, view)
      if (before === undefined || at < history.restsAt || at > history.endedAt) continue
      const change = worstChange(before, view)
      // Who is away for long enough is gone: that needs nobody to do anything.
      if (change !== undefined && change !== 'gone') {
        fail(`node ${node} saw another view at ${seconds(at)}, though nothing had happened for a while`)
      }
    }
  },
}

function worstChange(before: View, after: View): MemberState | 'other' | undefined {
  const states = new Map(before.stores.map(({ store, boot, state }) => [store, { boot, state }]))
  let worst: 'gone' | undefined
  for (const { store, boot, state } of after.stores) {
    const was = states.get(store)
    if (was === undefined || was.boot !== boot) return 'other'
    if (was.state === state) continue
    if (was.state !== 'away' || state !== 'gone') return 'other'
    worst = 'gone'
  }
  return after.stores.length === before.stores.length ? worst : 'other'
}
