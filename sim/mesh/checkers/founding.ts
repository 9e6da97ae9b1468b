/** One mesh, and never two, whatever the order of starts and cuts; and a store that belongs to it goes on to. */

import { type MeshChecker, seconds } from './checker.ts'

export const founding: MeshChecker = {
  name: 'founding',
  check(history, _plan, fail) {
    const first = history.founded[0]
    for (const { at, node, meshId } of history.founded) {
      if (meshId === first?.meshId) continue
      fail(
        `node ${node} belongs to mesh ${meshId} at ${seconds(at)}, node ${first?.node} to ${first?.meshId}`,
      )
    }
    for (const { at, node, view } of history.views) {
      if (view.meshId === undefined || view.meshId === first?.meshId) continue
      fail(`node ${node} shows mesh ${view.meshId} at ${seconds(at)}, and nobody has founded it`)
    }
  },
}
