/**
 * Network: messages between nodes of a mesh, on a few ordered planes per peer. Nothing uses it while a node is
 * alone; it stands here so that the engine's ports have their final shape.
 *
 * Contract:
 * - A connection is to one peer, named by its id, which the adapter has proven. Frames of one plane arrive in the
 *   order they were sent, whole, or the plane closes: any close is a loss, and what was in flight may or may not
 *   have arrived.
 * - `send` never blocks: it returns false when the plane's credit is used up (then `drained` is called once there
 *   is room again), and the frame was not taken.
 * - A frame is at most `maxFrameBytes`; a longer one from a peer closes the connection.
 */

export type Plane = 'liveness' | 'replication' | 'bulk'

export interface NetworkEvents {
  connected(peer: string): void
  disconnected(peer: string, why: 'reset' | 'refused' | 'closed' | 'timeout'): void
  frame(peer: string, plane: Plane, frame: Uint8Array): void
  drained(peer: string, plane: Plane): void
}

export interface Network {
  /** This node's own id. */
  readonly self: string
  readonly maxFrameBytes: number
  start(events: NetworkEvents): Promise<void>
  /** Keeps trying to hold a connection to the address until `forget`. */
  connect(address: string): void
  forget(address: string): void
  send(peer: string, plane: Plane, frame: Uint8Array): boolean
  stop(): Promise<void>
}
