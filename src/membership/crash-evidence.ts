/**
 * CrashEvidence: a crash is told from silence. When a process dies its machine resets the connection, and refuses the
 * redial: nobody listens there. Seen by two (or by all there are), that is a death within a second, without a trial.
 *
 * Invariant: one witness alone never ends a member while others could have seen it, too: a reset can be a middlebox's,
 * and a refusal one address of many. Whoever hears the member drops its own vote. Votes name a boot and go stale.
 *
 * Who was not connected saw no reset: it is a witness, too, if its dial is refused and another saw the reset. A refusal
 * without any reset is none: after a power cut all nodes start at different times.
 */

import type { StoreId } from './view.ts'

interface Case {
  readonly boot: number
  /** When our connection with it was reset; undefined if it was not. */
  resetAt: number | undefined
  /** When our dial was refused last. */
  refusedAt: number | undefined
  readonly votes: Map<StoreId, number>
}

export class CrashEvidence {
  readonly #self: StoreId
  readonly #staleMs: number
  readonly #cases = new Map<StoreId, Case>()

  constructor(self: StoreId, staleMs: number) {
    this.#self = self
    this.#staleMs = staleMs
  }

  /** Our connection with the store was reset. */
  reset(store: StoreId, boot: number, now: number): void {
    this.#case(store, boot).resetAt = now
  }

  /** A dial was refused. True if we are a witness by that, and were not yet. */
  refused(store: StoreId, boot: number, now: number): boolean {
    const found = this.#case(store, boot)
    if (found.boot !== boot) return false
    found.refusedAt = now
    return this.#cast(found, now)
  }

  /** Another's vote. True if it makes our refusal one, too. */
  vote(store: StoreId, boot: number, voter: StoreId, now: number): boolean {
    const found = this.#case(store, boot)
    if (found.boot !== boot) return false
    found.votes.set(voter, now)
    return this.#cast(found, now)
  }

  /** We heard the store, or are connected again: our own part is void. */
  heard(store: StoreId): void {
    const found = this.#cases.get(store)
    if (found === undefined) return
    found.resetAt = undefined
    found.refusedAt = undefined
    found.votes.delete(this.#self)
    if (found.votes.size === 0) this.#cases.delete(store)
  }

  witnesses(store: StoreId, boot: number, now: number): number {
    const found = this.#cases.get(store)
    if (found === undefined || found.boot !== boot) return 0
    let count = 0
    for (const voter of found.votes.keys()) if (this.#fresh(found, voter, now)) count++
    return count
  }

  /** True while a refused redial would be a vote of ours. */
  waits(store: StoreId, now: number): boolean {
    const found = this.#cases.get(store)
    return (
      found?.resetAt !== undefined && now - found.resetAt <= this.#staleMs && !found.votes.has(this.#self)
    )
  }

  forget(store: StoreId): void {
    this.#cases.delete(store)
  }

  /** Drops what is stale; there are never more cases than members. */
  prune(now: number): void {
    for (const [store, found] of this.#cases) {
      const newest = Math.max(
        found.resetAt ?? -Infinity,
        found.refusedAt ?? -Infinity,
        ...found.votes.values(),
      )
      if (now - newest > this.#staleMs) this.#cases.delete(store)
    }
  }

  #cast(found: Case, now: number): boolean {
    const recent = (at: number | undefined) => at !== undefined && now - at <= this.#staleMs
    if (!recent(found.refusedAt) || this.#fresh(found, this.#self, now)) return false
    const seenByOther = [...found.votes.keys()].some(voter => this.#fresh(found, voter, now))
    if (!recent(found.resetAt) && !seenByOther) return false
    found.votes.set(this.#self, now)
    return true
  }

  #fresh(found: Case, voter: StoreId, now: number): boolean {
    const at = found.votes.get(voter)
    return at !== undefined && now - at <= this.#staleMs
  }

  #case(store: StoreId, boot: number): Case {
    const found = this.#cases.get(store)
    if (found !== undefined && found.boot >= boot) return found
    const made: Case = { boot, resetAt: undefined, refusedAt: undefined, votes: new Map() }
    this.#cases.set(store, made)
    return made
  }
}
