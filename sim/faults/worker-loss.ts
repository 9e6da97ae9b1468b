/** A client loses its connection, or dies with its handlers; it comes back. */

import type { Fault } from './fault.ts'

export const workerLoss: Fault = {
  name: 'worker-loss',
  meanMs: 40_000,
  strike({ node, clients, random, history, clock, trace }) {
    const client = clients[Math.floor(random.float() * clients.length)]
    if (client === undefined || !client.isConnected) return undefined
    const over = history.disturb('worker-loss')
    const dies = random.float() < 0.5
    trace.note(`client ${client.options.number} ${dies ? 'dies' : 'loses its connection'}`)
    client.disconnect()
    if (dies) client.die()
    history.workersLost.push({ at: clock.monotonic(), client: client.options.number })
    return {
      lastsMs: 20 + random.float() ** 2 * 8000,
      end: () => {
        trace.note(`client ${client.options.number} is back`)
        node.connect(client)
        over()
      },
    }
  },
}
