/** Real networks on this machine's loopback, for tests. */

import { createServer } from 'node:net'
import { Libp2pNetwork } from '../../src/adapters/network/libp2p-network.ts'
import { freshNodeKey } from '../../src/adapters/network/node-key.ts'
import type { Libp2pNetworkOptions } from '../../src/adapters/network/options.ts'
import { SystemClock } from '../../src/adapters/system-clock.ts'
import { SystemRandom } from '../../src/adapters/system-random.ts'

export const SECRET = 'a secret that only tests know'
export const MESH = { name: 'test', secrets: [SECRET] } as const

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

export function libp2pNode(options: Partial<Libp2pNetworkOptions> = {}): Promise<Libp2pNetwork> {
  const ports = { clock: new SystemClock(), random: new SystemRandom() }
  return Libp2pNetwork.open(ports, { key: freshNodeKey(), mesh: MESH, listen: '127.0.0.1:0', ...options })
}
