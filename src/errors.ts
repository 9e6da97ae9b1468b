/**
 * The one error class of Carillon. Callers branch on `code`, which is stable; people read `message`, which says
 * what was wrong, with which value, and what to do. Each code has a line in the README.
 */

export type ErrorCode =
  | 'INVALID' // an argument is not allowed; the message names the field, the value and what is allowed
  | 'NOT_FOUND' // no task (or run) has that id
  | 'CONFLICT' // the state of the task does not permit this call
  | 'TOO_OLD' // a repeated request came after its window: whether it was carried out is no longer known
  | 'TOO_MANY' // a queue is full; try again later
  | 'NOT_OWNER' // another node acts for the task, or none does now: nothing was done; ask there, or again
  | 'NOT_DURABLE' // written, or sent to the node that acts, but not confirmed in time: repeat the call to know
  | 'STORE_FULL' // no space left on the disk; nothing acknowledged is lost
  | 'STORE_LOCKED' // another process has the data directory
  | 'STORE_FORMAT' // the data directory was written by an unknown version
  | 'MESH_STORE' // the data directory belongs to a mesh: the node has to be started with its network
  | 'STORE_CORRUPT' // a record or journal blob on disk does not match its checksum
  | 'STORE_ROLLED_BACK' // the data directory is an older copy of itself: it goes on as a new store at the next start
  | 'STORE_FAILED' // the disk failed (a failed fsync): the engine stops
  | 'ENGINE_STOPPED' // the engine has stopped; calls are no longer possible
  | 'CLOSED' // close() was called
  | 'ABORTED' // the caller's signal aborted the call
  | 'RUN_FAILED' // task.result(): the run failed for good; `cause` has the handler's error
  | 'RUN_CANCELLED' // task.result(): the task was cancelled before it completed
  | 'RUN_MISSED' // task.result(): the run was missed or skipped by policy
  | 'RUN_LOST' // an at-most-once run was started, and its end is not known
  | 'NO_RESULT' // task.result(): the task ended, and its result is no longer kept
  | 'UNSUPPORTED' // this Node or platform can't do it
  | 'UNAUTHORIZED' // the HTTP API: no token, or a wrong one
  | 'LISTEN_FAILED' // the address of the HTTP API, or of the mesh, can't be had
  | 'SECRET_DIFFERS' // a node was not let in: it knows another secret for the mesh
  | 'OTHER_MESH' // a node was not let in: it belongs to a mesh of another name
  | 'OTHER_VERSION' // a node was not let in: it speaks another version of the mesh's protocol
  | 'TOKEN_REFUSED' // a node was not let in: its join token is used, expired or unknown
  | 'NOT_CONNECTED' // a client has no connection to any node; the message says which addresses were tried, and why each failed
  | 'STUCK' // carillon/testing: a handler hangs in real time, or what until() waits for does not come
  | 'UNREACHABLE' // no node answers there (the HTTP client, the CLI, a question to the node that acts), or can be found that way

export class CarillonError extends Error {
  override readonly name = 'CarillonError'
  readonly code: ErrorCode
  /** The argument that was refused, as a path like `retry.max`; only for `INVALID`. */
  readonly field: string | undefined
  /** The node that acts, as far as the one knows that was asked; only for `NOT_OWNER`. */
  readonly owner: string | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; field?: string | undefined; owner?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.field = options.field
    this.owner = options.owner
  }
}

/** True if `error` is a {@link CarillonError}, of the given code if one is given. */
export function isCarillonError(error: unknown, code?: ErrorCode): error is CarillonError {
  return error instanceof CarillonError && (code === undefined || error.code === code)
}
