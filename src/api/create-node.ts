/** createNode: checks what it was given, starts the engine's thread, and hands out the node. */

import { randomUUID } from 'node:crypto'
import { announceApi, apiToken, freshToken, withdrawApi } from '../adapters/api-access.ts'
import { shellHandler } from '../adapters/shell.ts'
import { portOfSlot, slotPath } from '../adapters/slots.ts'
import { SystemClock } from '../adapters/system-clock.ts'
import { SystemRandom } from '../adapters/system-random.ts'
import { type ApiAddress, parseAddress } from '../http/address.ts'
import { checkNodeShape, invalid } from '../task/schema.ts'
import { checkHandlers } from './handlers.ts'
import { LocalNode } from './local-node.ts'
import { meshSettings } from './mesh-settings.ts'
import { closeOnSignals } from './signals.ts'
import { startThread } from './thread.ts'
import type { CreateNodeOptions, Handlers, Node, NoHandlers } from './types.ts'

/**
 * Starts a node: an engine in a thread of its own, and the handlers in this one.
 *
 * Rejects with INVALID, STORE_LOCKED (another process has the data directory, or others all its slots), STORE_FORMAT, STORE_CORRUPT,
 * STORE_FULL, STORE_FAILED, LISTEN_FAILED (of the HTTP API), or UNSUPPORTED.
 */
export async function createNode<const H extends Handlers = NoHandlers>(
  options: CreateNodeOptions<H> = {},
): Promise<Node<H>> {
  checkOptions(options)
  const address = addressOf(options)
  const started = await startThread('engine-thread', port => ({
    port,
    dataDir: options.dataDir,
    slots: options.slots,
    durability: options.durability ?? 'sync',
    repair: options.repair ?? false,
    mesh: meshSettings(options),
  }))
  const node = new LocalNode(
    { ...started, random: new SystemRandom(), clock: new SystemClock() },
    {
      worker: randomUUID(),
      profile: options.profile ?? 'balanced',
      concurrency: options.concurrency ?? 100,
      handlers: { ...commandHandler(options), ...options.handlers },
    },
    started,
  )
  if (address !== undefined) await node.handedOutAfter(openApi(node, address, options))
  if (options.signals === true) closeOnSignals(node)
  return node as unknown as Node<H>
}

function checkOptions(options: CreateNodeOptions<Handlers>): void {
  if (typeof options !== 'object' || options === null)
    throw invalid('options', options, 'an object of node options')
  checkNodeShape(options)
  checkHandlers(options.handlers)
}

function addressOf({ http }: CreateNodeOptions<Handlers>): ApiAddress | undefined {
  if (http === undefined) return undefined
  if (typeof http === 'string') return parseAddress(http, 'http')
  if (http.listen === undefined) throw invalid('http.listen', undefined, "an address, like '127.0.0.1:7410'")
  return parseAddress(http.listen, 'http.listen')
}

/** Opens the HTTP API; if that fails, the node is closed again. Its code is loaded for who asks for it. */
async function openApi(
  node: LocalNode,
  address: ApiAddress,
  { http, dataDir: givenDir }: CreateNodeOptions<Handlers>,
): Promise<void> {
  const { slot } = node
  const dataDir = givenDir === undefined || slot === undefined ? givenDir : slotPath(givenDir, slot)
  const port = slot === undefined ? address.port : portOfSlot(address.port, slot)
  try {
    const given = typeof http === 'object' ? http.token : undefined
    const token = given ?? (dataDir === undefined ? freshToken() : await apiToken(dataDir))
    const { startHttp } = await import('../http/server.ts')
    const server = await startHttp(node, { ...address, port, token })
    const { url } = server
    const close = async (): Promise<void> => {
      // If the file can't be removed, it is as after a kill: who reads it looks whether this process lives.
      if (dataDir !== undefined) await withdrawApi(dataDir).catch(() => undefined)
      await server.close()
    }
    node.serve({ url, close }, token)
    if (dataDir !== undefined) await announceApi(dataDir, { url, pid: process.pid, token })
  } catch (error) {
    await node.close().catch(() => undefined)
    throw error
  }
}

function commandHandler(options: CreateNodeOptions<Handlers>): Handlers {
  const { commands } = options
  if (commands === undefined || commands === false) return {}
  return { command: shellHandler({ allow: commands }) as Handlers[string] }
}
