/** Nodes over real connections on this machine's loopback, each with a data directory of its own, until close(). */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNode, type Node, type Run } from '../../src/index.ts'
import { freePort } from './libp2p-nodes.ts'

export const SECRET = 'what only these nodes know'
export type WorkingNode = Node<{ readonly work: (run: Run<unknown>) => string }>

export interface Made {
  readonly name: string
  readonly node: WorkingNode
  readonly address: string
  /** Ids of the tasks that ran here. */
  readonly ran: string[]
  readonly refusals: string[]
}

export interface Wanted {
  readonly name: string
  readonly address?: string
  readonly to?: readonly string[]
  /** Undefined: none is given. */
  readonly secret?: string | undefined
  readonly expect?: number
}

export class LoopbackNodes {
  readonly directory: string
  readonly #open = new Set<{ close(options: { readonly graceMs: number }): Promise<void> }>()

  static async make(): Promise<LoopbackNodes> {
    return new LoopbackNodes(await mkdtemp(join(tmpdir(), 'carillon-')))
  }

  private constructor(directory: string) {
    this.directory = directory
  }

  /** It is closed at the end. */
  add<T extends { close(options: { readonly graceMs: number }): Promise<void> }>(opened: T): T {
    this.#open.add(opened)
    return opened
  }

  async start({ name, to = [], expect: count, ...wanted }: Wanted): Promise<Made> {
    const address = wanted.address ?? `127.0.0.1:${await freePort()}`
    const ran: string[] = []
    const refusals: string[] = []
    const secret = 'secret' in wanted ? wanted.secret : SECRET
    const node = await createNode({
      dataDir: join(this.directory, name),
      listen: address,
      join: to,
      mesh: {
        ...(secret === undefined ? {} : { secret }),
        ...(count === undefined ? {} : { expect: count }),
      },
      network: 'local',
      handlers: {
        work: (run: Run<unknown>) => {
          ran.push(run.taskId)
          return name
        },
      },
    })
    node.on('refused', ({ code }) => refusals.push(code))
    this.add(node)
    return { name, node, address, ran, refusals }
  }

  async stop({ node }: Made): Promise<void> {
    await node.close({ graceMs: 0 })
    this.#open.delete(node)
  }

  /** A mesh of three, each of which acts for a part of it. */
  async three(): Promise<readonly [Made, Made, Made]> {
    const first = await this.start({ name: 'a', expect: 3 })
    const to = [first.address]
    const others = [
      this.start({ name: 'b', expect: 3, to }),
      this.start({ name: 'c', expect: 3, to }),
    ] as const
    const nodes = [first, await others[0], await others[1]] as const
    for (const made of nodes) await eventually(async () => (await liveOf(made)) === 3, 'three live nodes')
    await eventually(async () => {
      const owned = await Promise.all(nodes.map(ownedOf))
      return owned.every(count => count > 0) && owned.reduce((sum, count) => sum + count) === 256
    }, 'every range has one who acts')
    return nodes
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map(each => each.close({ graceMs: 0 })))
    this.#open.clear()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Waits for what other processes and threads do: there is no virtual clock between them. */
export async function eventually(
  holds: () => Promise<boolean> | boolean,
  what: string,
  ms = 20_000,
): Promise<void> {
  for (const until = performance.now() + ms; !(await holds()); ) {
    if (performance.now() > until) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

export async function liveOf({ node }: Made): Promise<number> {
  const { mesh } = await node.status()
  return mesh?.stores.filter(({ state }) => state === 'live').length ?? 0
}

export async function ownedOf({ node }: Made): Promise<number> {
  return (await node.status()).mesh?.ranges.owned ?? 0
}

export async function listOf<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const each of pages) list.push(each)
  return list
}
