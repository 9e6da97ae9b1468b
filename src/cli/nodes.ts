/** The ways to a node, as they are in production. The client is loaded late: help and previews need no HTTP. */

import type { Nodes } from './remote.ts'

export const SYSTEM_NODES: Nodes = {
  async connect(address) {
    const { HttpClient } = await import('../http/client.ts')
    return new HttpClient(address)
  },
  async join(entry) {
    const { MeshClient } = await import('./mesh-client.ts')
    return MeshClient.join(entry)
  },
  async findApi(dataDir) {
    const { findApi } = await import('../adapters/api-access.ts')
    return findApi(dataDir)
  },
  isAlive(pid) {
    try {
      process.kill(pid, 0)
      return true
    } catch (error) {
      // Somebody else's process is alive as well.
      return (error as NodeJS.ErrnoException).code === 'EPERM'
    }
  },
}
