/** Every knob of the network, with its default. Each says its unit, and what raising and lowering it costs. */

import type { Plane } from '../../ports/network.ts'
import type { UsedTokenStore } from './join-token.ts'
import type { MeshAccess } from './mesh-secret.ts'
import type { Lan } from './places.ts'
import type { Refusal } from './refusals.ts'

export interface Libp2pNetworkOptions {
  /** 32 secret bytes: see node-key.ts. */
  readonly key: Uint8Array
  /** Not needed with a join token, which brings both. */
  readonly mesh?: MeshAccess | undefined
  /** With which a node that has no secret joins. Its addresses have to be connected to, as others. */
  readonly token?: string | undefined
  /** Like '0.0.0.0:7400', '[::]:7400' (IPv4 too), '127.0.0.1:0' (any port). Omitted: it dials, and can't be dialled. */
  readonly listen?: string | undefined
  /** Where that port is taken any other will do: nobody was promised it. Default: false. */
  readonly movesPort?: boolean | undefined
  /** Where others can dial it, if that is not where it listens: behind NAT, or by a name. */
  readonly advertise?: string | readonly string[] | undefined
  /** An address for `connect` that names this host's well-known port: a node that finds nobody there listens there, too. */
  readonly local?: string | undefined
  /** Who finds members on the LAN, for the address `mdns`. Started and stopped with the network. */
  readonly lan?: Lan | undefined
  /** Keeps used join tokens over restarts. Omitted: a restart lets each be used again until its end. */
  readonly usedTokens?: UsedTokenStore | undefined
  /** A node was not let in, here or there. Not more than once a minute for an address and code. */
  readonly refused?: ((refusal: Refusal) => void) | undefined
  /** A join token has brought the mesh's secrets, the newest first: they are to be kept, the token is used up. */
  readonly gotSecret?: ((mesh: MeshAccess) => void) | undefined
  readonly frameBytesMax?: Readonly<Record<Plane, number>> | undefined
  readonly creditBytes?: Readonly<Record<Plane, number>> | undefined
  readonly limits?: Partial<NetworkLimits> | undefined
}

export interface NetworkLimits {
  /** Connections that were not let in yet. More: a flood costs more memory; less: it keeps members out sooner. */
  readonly strangersMax: number
  /** Connections that others have dialled. At least the mesh's nodes and clients. */
  readonly inboundMax: number
  /** Dials at a time. More: a big mesh is connected sooner, and its start costs more at once. */
  readonly dialsMax: number
  /** For a dial to be answered and encrypted, ms. More: dead machines hold a dial for longer; less: far ones fail. */
  readonly dialMs: number
  /** For a stranger to prove that it is none, and for a connection's planes to open, ms. */
  readonly admissionMs: number
  /** Without a word from a peer that was sent something it is asked, and after as long again given up, ms. */
  readonly silenceMs: number
  /** A connection that is ended has so long for what was sent before, ms. */
  readonly closeMs: number
}

export const NETWORK_LIMITS: NetworkLimits = {
  strangersMax: 64,
  inboundMax: 2048,
  dialsMax: 64,
  dialMs: 5000,
  admissionMs: 5000,
  silenceMs: 10_000,
  closeMs: 500,
}

/** As on the simulated network. */
export const FRAME_BYTES_MAX = {
  liveness: 65_536,
  replication: 65_536,
  bulk: 262_144,
  calls: 262_144,
} as const
export const CREDIT_BYTES = {
  liveness: 131_072,
  replication: 1_048_576,
  bulk: 4_194_304,
  calls: 4_194_304,
} as const
/** Handshakes of TCP's users, Noise and yamux (about 700 bytes), and at most 1 KiB of admission. */
export const STRANGER_BYTES_MAX = 4096
/** On the wire and not acknowledged, per plane. More: faster over long ways; a busy plane delays the others more. */
export const WINDOW_BYTES_MAX = 1_048_576
/** TCP's own question to an idle peer, ms. */
export const KEEP_ALIVE_MS = 10_000
