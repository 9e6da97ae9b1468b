/** What the disk knows of a range beside its records: that changes of it count, and its state as it was last saved. */

import type { RangeState } from './host.ts'
import type { Replica } from './replica.ts'

export class SavedState {
  readonly #replica: Replica
  #isSaved: boolean
  #last: RangeState | undefined

  constructor(replica: Replica, state: RangeState | undefined) {
    this.#replica = replica
    this.#last = state
    this.#isSaved = state !== undefined
  }

  get isSaved(): boolean {
    return this.#isSaved
  }

  save(): void {
    this.#isSaved = true
    const { parts, range } = this.#replica
    parts.host.saveState(range, this.now() as RangeState)
    parts.touch(this.#replica)
  }

  /** What would be saved now; the same object while nothing of it changes. Undefined: nothing is saved of the range. */
  now(): RangeState | undefined {
    if (!this.#isSaved) return undefined
    const { applied: context, lists, list, quorum, ready } = this.#replica
    const last = this.#last
    const isSame =
      last?.context === context &&
      last.lists === lists &&
      last.list === list &&
      last.quorum === quorum &&
      last.ready === ready
    if (!isSame) this.#last = { context, lists, list, quorum, ready }
    return this.#last
  }

  delete(): void {
    const { parts, range } = this.#replica
    parts.host.deleteState(range)
    this.#isSaved = false
    this.#last = undefined
  }
}
