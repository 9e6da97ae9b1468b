/** The network of a node or client of a mesh, over the machine's own. */

import { CarillonError } from '../errors.ts'
import type { Network } from '../ports/network.ts'

export interface OpenNetworkOptions {
  /** Where others can dial; left out: it dials, and can't be dialled. */
  readonly listen?: string | undefined
  /** What others are told to dial, where that is another address. */
  readonly advertise?: string | undefined
  /** The first secret is shown, any of them lets a peer in. */
  readonly mesh: { readonly name: string; readonly secrets: readonly string[] }
  /** Where this node's own key is kept; left out: a new one at each start. */
  readonly dataDir?: string | undefined
}

export function openNetwork(options: OpenNetworkOptions): Promise<Network> {
  const why = `the network of mesh "${options.mesh.name}" is not there yet: this version runs one node by itself`
  return Promise.reject(new CarillonError('UNSUPPORTED', why))
}
