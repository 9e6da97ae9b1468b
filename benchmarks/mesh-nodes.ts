/** A mesh of processes on this machine's loopback, for benchmarks: what each is asked, and how. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { StatusView } from '../src/task/views.ts'
import { freePort } from '../test/support/libp2p-nodes.ts'
import { freshDir, removeDir, sleep } from './measure.ts'

export type Request =
  | { readonly do: 'status' | 'late' | 'fires' | 'close' }
  | { readonly do: 'bulk'; readonly count: number }
  | { readonly do: 'callers'; readonly count: number; readonly parallel: number }
  | { readonly do: 'one-shots'; readonly count: number; readonly from: number; readonly overMs: number }
  | { readonly do: 'schedule'; readonly tasks: readonly object[] }

export interface Fire {
  readonly task: string
  /** Epoch ms. */
  readonly at: number
  readonly attempt: number
}

export interface Answer {
  readonly status?: StatusView
  /** Of the process since its start. */
  readonly cpuUs?: number
  readonly rssBytes?: number
  /** Open files and sockets; elsewhere than on Linux what keeps its event loop busy. */
  readonly handles?: number
  /** Milliseconds. */
  readonly times?: readonly number[]
  readonly fires?: readonly Fire[]
}

/** A folder for a CPU profile of each thread of each node. */
const PROFILE = process.env.BENCH_PROFILE
const CHILD = fileURLToPath(new URL('mesh-node.ts', import.meta.url))

export class MeshNode {
  readonly #args: readonly string[]
  #child: ChildProcess | undefined
  #nextId = 1
  /** By id; 0: that it is ready. */
  readonly #asked = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()

  constructor(dataDir: string, address: string, peers: readonly string[]) {
    this.#args = [dataDir, address, ...peers]
  }

  async start(): Promise<void> {
    const execArgv = PROFILE === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${PROFILE}`]
    const child = fork(CHILD, this.#args, { serialization: 'advanced', execArgv })
    this.#child = child
    child.on('message', ({ id, error, ...answer }: Answer & { id: number; error?: string }) => {
      const asked = this.#asked.get(id)
      this.#asked.delete(id)
      if (error === undefined) asked?.resolve(answer)
      else asked?.reject(new Error(error))
    })
    child.once('exit', (code, signal) => {
      for (const { reject } of this.#asked.values()) reject(new Error(`a node has ended: ${code ?? signal}`))
      this.#asked.clear()
    })
    await new Promise<Answer>((resolve, reject) => this.#asked.set(0, { resolve, reject }))
  }

  async ask(request: Request): Promise<Answer> {
    const child = this.#child
    if (child === undefined) throw new Error('the node does not run')
    const id = this.#nextId++
    child.send({ ...request, id })
    return new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }))
  }

  async status(): Promise<StatusView> {
    return (await this.ask({ do: 'status' })).status as StatusView
  }

  /** At once; with a profile to write, in order. */
  async end(): Promise<void> {
    const child = this.#child
    if (PROFILE === undefined || child === undefined) return this.kill()
    this.#child = undefined
    child.send({ id: 0, do: 'close' })
    await once(child, 'message')
    child.disconnect()
    await once(child, 'exit')
  }

  /** As `kill -9` does. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

export class BenchMesh {
  readonly #dir = freshDir()
  readonly nodes: readonly MeshNode[]

  private constructor(addresses: readonly string[]) {
    this.nodes = addresses.map(
      (address, i) =>
        new MeshNode(
          join(this.#dir, String(i)),
          address,
          addresses.filter(each => each !== address),
        ),
    )
  }

  static async start(size = 3): Promise<BenchMesh> {
    const addresses = await Promise.all(
      Array.from({ length: size }, async () => `127.0.0.1:${await freePort()}`),
    )
    const mesh = new BenchMesh(addresses)
    await Promise.all(mesh.nodes.map(node => node.start()))
    await mesh.settled()
    return mesh
  }

  get first(): MeshNode {
    return this.nodes[0] as MeshNode
  }

  /** Resolves when every range has one node that acts for it, and all keep what they should. */
  async settled(): Promise<void> {
    for (;;) {
      const all = await this.statuses()
      const views = all.map(({ mesh }) => mesh)
      const owned = views.reduce((sum, mesh) => sum + (mesh?.ranges.owned ?? 0), 0)
      const isWhole = views.every(
        mesh => mesh?.ranges.unsure === 0 && mesh.stores.every(({ state }) => state === 'live'),
      )
      if (isWhole && owned === views[0]?.ranges.of) return
      await sleep(50)
    }
  }

  /** What each process asked has at the moment. */
  all(): Promise<Answer[]> {
    return Promise.all(this.nodes.map(node => node.ask({ do: 'status' })))
  }

  statuses(): Promise<StatusView[]> {
    return Promise.all(this.nodes.map(node => node.status()))
  }

  async completed(): Promise<number> {
    return (await this.statuses()).reduce((sum, { counters }) => sum + counters.completed, 0)
  }

  /** Of all processes since they began. */
  async use(): Promise<{ cpuUs: number; rssBytes: number[] }> {
    const all = await Promise.all(this.nodes.map(node => node.ask({ do: 'status' })))
    return {
      cpuUs: all.reduce((sum, { cpuUs = 0 }) => sum + cpuUs, 0),
      rssBytes: all.map(({ rssBytes = 0 }) => rssBytes),
    }
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.end()
    removeDir(this.#dir)
  }
}
