/**
 * invariant(): what must hold, checked in production. A failed invariant is a bug in Carillon, never the
 * user's; it is not caught and ignored: it stops the engine, since going on with a broken state could lose a
 * task or lie about one.
 */

export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Throws an {@link InvariantError} unless `condition` holds. `why` says the rule in words. */
export function invariant(condition: unknown, why: string): asserts condition {
  if (!condition) throw new InvariantError(`invariant broken: ${why}`)
}
