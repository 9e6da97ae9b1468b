/** Whom the router asks about a range: who acts as far as is known here, or whoever another node has named last. */

import type { CarillonError } from '../errors.ts'
import { type AskingParts, nodeToAsk } from './asking.ts'
import { notConnected } from './routed-call.ts'

export class Hints {
  readonly #parts: AskingParts
  /** By range: who acts, as another node has said last. */
  readonly #named = new Map<number, string>()
  /** By node: one for all calls. */
  readonly #notConnected = new Map<string, CarillonError>()

  constructor(parts: AskingParts) {
    this.#parts = parts
  }

  /** Who is to be asked now; undefined: nobody can be. */
  target(range: number): string | undefined {
    const { isOpen, link } = this.#parts
    const named = isOpen(range) ? undefined : this.#named.get(range)
    return named !== undefined && link(named) !== undefined ? named : nodeToAsk(this.#parts, range)
  }

  /** Why nobody can be asked; undefined: it is not known who would have to be. */
  nobody(range: number): CarillonError | undefined {
    const node = this.#parts.nodeFor(range)
    if (node === undefined || node === this.#parts.self) return undefined
    const known = this.#notConnected.get(node) ?? notConnected(node)
    this.#notConnected.set(node, known)
    return known
  }

  /** The node did not take a call; `owner`: whom it named. True: another one is to be asked. */
  refused(range: number, node: string, owner: string | undefined): boolean {
    if (owner !== undefined && owner !== node) this.#named.set(range, owner)
    else if (this.#named.get(range) === node) this.#named.delete(range)
    const named = this.#named.get(range)
    return named !== undefined && named !== node
  }

  /** Others act now: what was said before is of no use. */
  clear(): void {
    this.#named.clear()
    this.#notConnected.clear()
  }
}
