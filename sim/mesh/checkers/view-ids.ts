/** Equal view ids mean equal views, and other views have other ids: of all views that anybody ever had. */

import type { View } from '../../../src/membership/view.ts'
import type { MeshChecker } from './checker.ts'

export const viewIds: MeshChecker = {
  name: 'view-ids',
  check(history, _plan, fail) {
    const byId = new Map<string, string>()
    const byContent = new Map<string, string>()
    for (const { view } of history.views) {
      if (view.meshId === undefined) continue
      const content = contentOf(view)
      if ((byId.get(view.id) ?? content) !== content) {
        fail(`view ${view.id} is both ${byId.get(view.id)} and ${content}`)
      }
      if ((byContent.get(content) ?? view.id) !== view.id) {
        fail(`one view has the ids ${byContent.get(content)} and ${view.id}: ${content}`)
      }
      byId.set(view.id, content)
      byContent.set(content, view.id)
    }
  },
}

function contentOf({ ranges, replicas, stores }: View): string {
  const lines = stores.map(
    ({ node, store, boot, state, weight, zone }) => `${store} ${node} ${boot} ${state} ${weight} ${zone}`,
  )
  return `${ranges} ${replicas} ${lines.join(', ')}`
}
