/** Where nodes may be dialled: the addresses that a client was given, those that its gateway told it, and how each failed. */

/** Told addresses beyond these are not kept. */
const TOLD_MAX = 1000
const ADDRESS_LENGTH_MAX = 300

interface Entry {
  readonly isGiven: boolean
  /** Grows with every failure of any address; 0: it has not failed. */
  failedAt: number
  why: string | undefined
}

export class AddressBook {
  readonly #entries = new Map<string, Entry>()
  #failures = 0

  constructor(given: readonly string[]) {
    for (const address of given) this.#entries.set(address, { isGiven: true, failedAt: 0, why: undefined })
  }

  has(address: string): boolean {
    return this.#entries.has(address)
  }

  /** All that a gateway knows: what it told before and no longer does is forgotten. */
  told(addresses: readonly string[]): void {
    const told = new Set(addresses.slice(0, TOLD_MAX).filter(each => each.length <= ADDRESS_LENGTH_MAX))
    for (const [address, { isGiven }] of this.#entries)
      if (!isGiven && !told.has(address)) this.#entries.delete(address)
    for (const address of told)
      if (!this.#entries.has(address))
        this.#entries.set(address, { isGiven: false, failedAt: 0, why: undefined })
  }

  failed(address: string, why: string): void {
    const entry = this.#entries.get(address)
    if (entry === undefined) return
    entry.failedAt = ++this.#failures
    entry.why = why
  }

  reached(address: string): void {
    const entry = this.#entries.get(address)
    if (entry !== undefined) Object.assign(entry, { failedAt: 0, why: undefined })
  }

  /** Up to `count` others to dial: first what has not failed, then what failed longest ago. */
  next(count: number, except: ReadonlySet<string>): string[] {
    return [...this.#entries]
      .filter(([address]) => !except.has(address))
      .sort(([, a], [, b]) => a.failedAt - b.failedAt)
      .slice(0, Math.max(0, count))
      .map(([address]) => address)
  }

  /** Each of them, and at last for this reason. */
  haveAllFailed(why: string): boolean {
    return [...this.#entries.values()].every(entry => entry.why === why)
  }

  /** Each address and how it failed last; of many, the first ones. */
  text(max = 10): string {
    const lines = [...this.#entries].map(([address, { why }]) => `${address} (${why ?? 'no answer yet'})`)
    const more = lines.length - max
    return lines.slice(0, max).join(', ') + (more > 0 ? ` and ${more} more` : '')
  }
}
