/** After an orderly stop nothing ticks any more. */

import type { MeshChecker } from './checker.ts'

export const quiet: MeshChecker = {
  name: 'quiet',
  check(history, _plan, fail) {
    if (history.timersLeft > 0) fail(`${history.timersLeft} timers ran on after an orderly stop`)
  },
}
