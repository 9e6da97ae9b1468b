/** The world of the CLI as it really is: this process's streams, clock and environment. */

import { EXIT } from './cli-error.ts'
import type { World } from './context.ts'
import { SYSTEM_NODES } from './nodes.ts'

export function machine(): World {
  const world: World = {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    now: () => Date.now(),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC',
    nodes: SYSTEM_NODES,
    sleep: ms => new Promise(resolve => void setTimeout(resolve, ms)),
  }
  let isSaid = false
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    const isNode = world.onBrokenPipe !== undefined
    if (error.code === 'EPIPE') {
      if (!isNode) process.exit(0)
      world.onBrokenPipe?.()
      return
    }
    // A disk that is full of something else's must not end a node: it goes on without its report.
    if (!isSaid) process.stderr.write(`carillon: can't write what is to be printed: ${error.message}\n`)
    isSaid = true
    if (!isNode) process.exit(EXIT.failed)
  })
  process.stderr.on('error', () => undefined)
  return world
}
