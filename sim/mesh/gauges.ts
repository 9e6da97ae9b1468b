/** What a node has under way when nothing happens any more: asked of its engine as a user would, and of its machine. */

import type { StatusView } from '../../src/task/views.ts'
import { callBytes } from '../frames.ts'
import type { SimulatedProcess } from '../process.ts'
import { EngineLink, type TaskNode } from './tasks/engine-link.ts'

/** What its machine has for the process. */
export interface Held {
  /** Timers that wait. */
  readonly timers: number
  /** Connections with other nodes. */
  readonly connections: number
}

export interface Gauge extends Held {
  readonly at: number
  readonly node: number
  readonly queued: number
  readonly running: number
  readonly takesWork: boolean
  /** Handlers whose runs wait for somebody to have them. */
  readonly withoutWorker: readonly string[]
}

interface GaugedNode extends TaskNode {
  readonly held: Held
}

/** Undefined: nobody answers there. The session is closed again: it must leave nothing. */
export function gauge(
  node: GaugedNode,
  asker: SimulatedProcess,
  fault: (text: string) => void,
): Promise<Gauge | undefined> {
  return new Promise(resolve => {
    const { held } = node
    const channel = node.attach(asker, true)
    if (channel === undefined) return resolve(undefined)
    const link = new EngineLink(node, channel, fault)
    link.send(call => callBytes(call, { method: 'status' }), {
      answered: ({ answer }) => {
        channel.close()
        const status = answer?.status as StatusView | undefined
        if (status === undefined) return resolve(undefined)
        const { runs, takesWork, withoutWorker } = status
        const names = withoutWorker.map(({ name }) => name)
        resolve({
          ...held,
          ...runs,
          at: asker.clock.monotonic(),
          node: node.number,
          takesWork,
          withoutWorker: names,
        })
      },
      lost: () => resolve(undefined),
    })
  })
}
