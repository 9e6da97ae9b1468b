/** Nothing is left over: no timer after a stop, no run without a worker, and a restart finds what was there. */

import type { Checker } from './checker.ts'

export const limits: Checker = {
  name: 'limits',
  check(history, fail) {
    if (history.timersLeft > 0) fail(`${history.timersLeft} timers were waiting after the engine had stopped`)
    const { status } = history
    if (status !== undefined) {
      const { queued, running } = status.runs
      if (queued > 100) fail(`${queued} runs wait though all is well`)
      if (running > 200) fail(`${running} attempts are under way though all is well`)
      if (!status.takesWork) fail('the node takes no work though all is well')
      for (const { name, waiting } of status.withoutWorker)
        fail(`${waiting} runs of ${name} wait for a worker, and there is one`)
    }
    const before = new Map(history.listed.map(task => [task.id, task]))
    if (before.size !== history.listed.length) fail('a task is listed twice')
    const after = new Map(history.listedAgain.map(task => [task.id, task]))
    if (after.size !== history.listedAgain.length) fail('a task is listed twice after a restart')
    for (const id of after.keys()) {
      if (!before.has(id) && !id.includes('/')) fail(`${id} is listed after a restart, and was not before`)
    }
    const soon = history.wallAt(history.endedAt) + 60_000
    for (const [id, task] of before) {
      const same = after.get(id)
      const stays =
        task.state === 'paused' || task.state === 'dead' || (task.nextAt !== null && task.nextAt > soon)
      if (!stays || task.open.length > 0) continue
      if (same === undefined) fail(`${id} was ${task.state}, and is gone after a restart`)
      else if (same.state !== task.state)
        fail(`${id} was ${task.state}, and is ${same.state} after a restart`)
      else if (task.nextAt !== null && task.nextAt > soon && same.nextAt !== task.nextAt) {
        fail(`${id} was due at ${task.nextAt}, and is at ${same.nextAt} after a restart`)
      }
    }
  },
}
