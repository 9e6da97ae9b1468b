/** Nodes of createNode as processes of their own, which tell twice a second or so how they are, and can be killed. */

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const SOURCE = new URL('../../src/index.ts', import.meta.url).href

export interface Report {
  readonly slot?: number
  readonly address?: string
  readonly store?: string
  readonly url?: string
  /** Of the mesh that it belongs to. */
  readonly mesh?: string
  /** Stores that it holds for live. */
  readonly live?: number
  readonly refused?: readonly string[]
  /** Why there is no node. */
  readonly error?: { readonly code: string; readonly message: string }
}

export class NodeProcess {
  readonly child: ChildProcess
  /** What it said last. */
  said: Report = {}

  /** `command` starts Node, where it is not just that. */
  constructor(options: object, command: readonly string[] = []) {
    const text = `import { createNode } from ${JSON.stringify(SOURCE)}
const refused = []
try {
  const node = await createNode(${JSON.stringify(options)})
  node.on('refused', ({ code, line }) => refused.push(code + ': ' + line))
  setInterval(async () => {
    const { mesh, store } = await node.status()
    const live = mesh.stores.filter(({ state }) => state === 'live').length
    const { slot, address, http } = node
    console.log(JSON.stringify({ slot, address, store, url: http?.url, mesh: mesh.id ?? undefined, live, refused }))
  }, 200)
} catch ({ code, message }) {
  console.log(JSON.stringify({ error: { code, message } }))
}`
    const [program, ...args] = [...command, process.execPath, '--input-type=module', '-e', text]
    this.child = spawn(program as string, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', line => {
      this.said = JSON.parse(line) as Report
    })
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }
}
