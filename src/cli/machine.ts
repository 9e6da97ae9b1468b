/** The world of the CLI as it really is: this process's streams, clock and environment. */

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
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    if (world.onBrokenPipe === undefined) process.exit(0)
    world.onBrokenPipe()
  })
  process.stderr.on('error', () => undefined)
  return world
}
