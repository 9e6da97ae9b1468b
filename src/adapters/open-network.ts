/**
 * The network of this process's engine: its key and the mesh's secret from the data directory, or as they were given.
 * libp2p is loaded here only, so that a node that is alone does not pay for it.
 */

import { CarillonError } from '../errors.ts'
import type { Network } from '../ports/network.ts'

export interface NetworkSettings {
  /** Undefined: it dials, and can't be dialled. */
  readonly listen: string | undefined
  readonly advertise: string | undefined
  readonly join: readonly string[]
  /** A join token, in place of secret and addresses. */
  readonly token: string | undefined
  /** The mesh's. */
  readonly name: string
  /** The newest first. Undefined: the data directory has it, or it is made. */
  readonly secrets: readonly string[] | undefined
}

export interface OpenedNetwork {
  readonly network: Network
  /** Addresses to hold connections to. */
  readonly join: readonly string[]
}

export async function openNetwork(
  _settings: NetworkSettings,
  _dataDir: string | undefined,
  _refused: (code: string, line: string) => void,
): Promise<OpenedNetwork> {
  throw new CarillonError('UNSUPPORTED', 'this version has no network yet')
}
