/**
 * WorkerChannel: an ordered pipe of byte frames between an engine and one client of it (the user's thread, later a
 * mesh client or an HTTP worker). It carries calls and the worker protocol (wire/).
 *
 * Contract: frames arrive whole and in order, or the channel closes. `send` takes over the frame: the sender must
 * not touch it again. After `closed` nothing arrives. Receivers are called from the event loop, never inside send.
 */

export interface WorkerChannelEvents {
  frame(bytes: Uint8Array): void
  closed(): void
}

export interface WorkerChannel {
  start(events: WorkerChannelEvents): void
  send(bytes: Uint8Array): void
  /** Safe to call twice; the other side's `closed` is called. */
  close(): void
}
