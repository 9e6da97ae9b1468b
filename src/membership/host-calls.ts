/**
 * HostCalls: what membership tells its host, never inside a call of its own, and nothing once it has stopped. Changes of
 * one turn are one view; a refusal is told once, and only so many different ones, as they come from outside.
 */

import type { Clock } from '../ports/clock.ts'
import type { RefusalCode } from './messages.ts'
import type { MembershipHost } from './options.ts'
import type { View } from './view.ts'

const REFUSALS_TOLD_MAX = 100

export class HostCalls {
  readonly #clock: Clock
  readonly #host: MembershipHost
  readonly #refusals = new Set<string>()
  #viewTold: string | undefined
  #tellsView = false
  #over = false

  constructor(clock: Clock, host: MembershipHost) {
    this.#clock = clock
    this.#host = host
  }

  /** The last call is `failed`, if there is one. */
  end(error?: unknown): void {
    if (this.#over) return
    this.#over = true
    if (error !== undefined) this.#clock.defer(() => this.#host.failed(error))
  }

  later(tell: (host: MembershipHost) => void): void {
    this.#clock.defer(() => {
      if (!this.#over) tell(this.#host)
    })
  }

  refused(code: RefusalCode, line: string): void {
    const key = `${code} ${line}`
    if (this.#refusals.has(key) || this.#refusals.size >= REFUSALS_TOLD_MAX) return
    this.#refusals.add(key)
    this.later(host => host.refused(code, line))
  }

  /** The view may be another one; it is asked for at the end of the turn. Undefined: there is none to tell of. */
  viewMayHaveChanged(current: () => { readonly view: View; readonly admitted: boolean } | undefined): void {
    if (this.#tellsView) return
    this.#tellsView = true
    this.later(host => {
      this.#tellsView = false
      const now = current()
      if (now === undefined) return
      const told = `${now.view.id} ${now.admitted}`
      if (told === this.#viewTold) return
      this.#viewTold = told
      host.viewChanged(now.view)
    })
  }
}
