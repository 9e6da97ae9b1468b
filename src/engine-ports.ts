/** What an engine has of the world around it, all given. */

import type { MeshObserver } from './mesh/mesh.ts'
import type { Clock } from './ports/clock.ts'
import type { Network } from './ports/network.ts'
import type { Random } from './ports/random.ts'
import type { Store } from './ports/store.ts'

export interface EnginePorts {
  readonly clock: Clock
  readonly random: Random
  /** Opened by the caller; the engine closes it when it stops. */
  readonly store: Store
  /** Not started yet; the engine starts and stops it. Without one the node is alone. */
  readonly network?: Network | undefined
  /** A join token of the network, for one node and for ttlMs. */
  readonly makeToken?: ((ttlMs: number | undefined) => string) | undefined
  /** What happens in the mesh, for who assembled the engine. */
  readonly observer?: MeshObserver | undefined
}
