import { setTimeout as sleep } from 'node:timers/promises'
import type { Libp2pNetwork } from '../../src/adapters/network/libp2p-network.ts'
import { freePort, libp2pNode } from '../support/libp2p-nodes.ts'
import { networkConformance } from './network.ts'

networkConformance(
  'Libp2pNetwork',
  async ({ count, stranger, small }) => {
    const addresses: string[] = []
    const nodes: Libp2pNetwork[] = []
    for (let at = 0; at < count; at++) {
      const address = `127.0.0.1:${await freePort()}`
      addresses.push(address)
      const most = small?.node === at ? small.frameBytesMax : undefined
      nodes.push(
        await libp2pNode({
          listen: address,
          ...(stranger === at ? { mesh: { name: 'test', secrets: ['another secret than that'] } } : {}),
          ...(most === undefined
            ? {}
            : { frameBytesMax: { liveness: most, replication: most, bulk: most, calls: most } }),
        }),
      )
    }
    return {
      nodes,
      addressOf: node => addresses[node] as string,
      // Its events end at once, and its sockets: the process that really is killed has a test of its own.
      kill: node => void nodes[node]?.stop(),
      pass: ms => sleep(ms),
      dispose: async () => {
        for (const node of nodes) await node.stop()
      },
    }
  },
  { kill: true, strangers: true, frameLimits: true },
)
