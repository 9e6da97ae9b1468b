/** A node as a process: takes its options as JSON, and tells five times a second how it is (node-process.ts). */

import { createNode } from '../../src/index.ts'
import type { Report } from './node-process.ts'

function tell(report: Report): void {
  console.log(JSON.stringify(report))
}

const refused: string[] = []
try {
  const node = await createNode(JSON.parse(process.argv[2] as string))
  node.on('refused', ({ code, line }) => refused.push(`${code}: ${line}`))
  setInterval(async () => {
    const { mesh, store } = await node.status()
    const { slot, address, http } = node
    const live = mesh?.stores.filter(({ state }) => state === 'live').length
    tell({ slot, address, store, url: http?.url, mesh: mesh?.id ?? undefined, live, refused })
  }, 200)
} catch (error) {
  const { code, message } = error as { code: string; message: string }
  tell({ error: { code, message } })
}
