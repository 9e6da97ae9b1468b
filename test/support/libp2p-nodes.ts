/** Real networks on this machine's loopback, for tests. */

import { createServer } from 'node:net'
import { Libp2pNetwork } from '../../src/adapters/network/libp2p-network.ts'
import { freshNodeKey } from '../../src/adapters/network/node-key.ts'
import type { Libp2pNetworkOptions } from '../../src/adapters/network/options.ts'
import { SystemClock } from '../../src/adapters/system-clock.ts'
import { SystemRandom } from '../../src/adapters/system-random.ts'

export const SECRET = 'a secret that only tests know'
export const MESH = { name: 'test', secrets: [SECRET] } as const

/** Below those that systems give to outgoing connections: one of these may be taken again before it is listened at. */
const PORTS = { from: 12_000, to: 32_000 }
/** Slots of a data directory take the ports behind it. */
const APART = 8
/** Processes that ask at the same time begin far from each other. */
let nextPort = PORTS.from + ((process.pid * 101) % (PORTS.to - PORTS.from))

/** A port of 127.0.0.1 that nobody listens at, and that this process has not given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = nextPort
    nextPort = port + APART < PORTS.to ? port + APART : PORTS.from
    if (await isFree(port)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const isFree = await new Promise<boolean>(resolve => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
  if (isFree) await new Promise(resolve => server.close(resolve))
  return isFree
}

export function libp2pNode(options: Partial<Libp2pNetworkOptions> = {}): Promise<Libp2pNetwork> {
  const ports = { clock: new SystemClock(), random: new SystemRandom() }
  return Libp2pNetwork.open(ports, { key: freshNodeKey(), mesh: MESH, listen: '127.0.0.1:0', ...options })
}
