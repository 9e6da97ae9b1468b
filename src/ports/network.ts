/**
 * Network: frames between the nodes of a mesh, on a few planes per peer. The real adapter (libp2p) and the simulated one
 * keep the same contract, checked by one conformance suite. A node that is alone has none.
 *
 * Contract:
 * - A peer is named by its node id, which the adapter has proven. An address says only where to dial.
 * - `connect` keeps trying to hold a connection to whoever is at the address, with a backoff of its own, until
 *   `forget`. Between two nodes there is at most one connection, whoever dialled; `connected` and `disconnected` are
 *   told in turn. Each dial that fails is told, too.
 * - Planes `replication`, `bulk` and `calls`: frames arrive whole and in the order they were sent, each once, or the connection
 *   closes. Any close is a loss: what was in flight may or may not have arrived.
 * - Plane `liveness`: best effort. A frame may be lost, late, twice, or out of order; nobody may rely on more.
 * - `send` never blocks. It returns false, and has not taken the frame, if there is no connection or the plane's
 *   credit is used up; in the latter case `drained` is told once there is room again.
 * - A frame is 1 to `frameBytesMax` bytes; `send` refuses longer ones as an invariant failure, and a longer one from a
 *   peer closes the connection. Frames that are handed over belong to the receiver of the call.
 * - Events are never told inside a call of this interface, and none after `stop` has resolved.
 */

export type Plane = 'liveness' | 'replication' | 'bulk' | 'calls'

/** `reset`: the far side's process is gone, or cut the connection; `timeout`: it no longer answers. */
export type DisconnectReason = 'closed' | 'reset' | 'timeout'

/** `refused`: a machine answered that nobody listens there; `rejected`: whoever listens did not let us in. */
export type DialFailure = 'refused' | 'unreachable' | 'timeout' | 'rejected'

export interface NetworkEvents {
  /** `address`: where we dialled it; undefined if it dialled us. */
  connected(peer: string, address: string | undefined): void
  disconnected(peer: string, why: DisconnectReason): void
  dialFailed(address: string, why: DialFailure): void
  frame(peer: string, plane: Plane, frame: Uint8Array): void
  drained(peer: string, plane: Plane): void
}

export interface Network {
  /** This node's own id. */
  readonly self: string
  /** Where others can dial this node; empty if it does not listen. Known once start() has resolved. */
  readonly addresses: readonly string[]
  readonly frameBytesMax: Readonly<Record<Plane, number>>
  start(events: NetworkEvents): Promise<void>
  /** Holds a connection to the address until `forget`. Safe to call twice. */
  connect(address: string): void
  /** Dials the address no more. A connection that stands stays. */
  forget(address: string): void
  /**
   * True from `connect` until whoever is at the address was reached once, or it was seen that nobody can be. A dial that
   * timed out shows neither: the far side may be slow.
   */
  isSought(address: string): boolean
  /** Ends the connection with a peer, if there is one. */
  disconnect(peer: string): void
  send(peer: string, plane: Plane, frame: Uint8Array): boolean
  stop(): Promise<void>
}
