/** How much room the disk has: below a reserve, or when a write has met a full disk, no new work is taken. */

import { CarillonError } from '../errors.ts'
import type { EngineEvent } from '../wire/calls.ts'

export interface SpaceOptions {
  /** New work is refused below this much free space, bytes. */
  readonly freeBytesMin: number
  /** But never more than this share of the disk. */
  readonly freeShareMax: number
}

interface Space {
  readonly freeBytes: number
  readonly totalBytes: number
}

export class SpaceWatch {
  readonly #options: SpaceOptions
  readonly #read: () => Promise<Space>
  readonly #emit: (event: EngineEvent) => void
  #space: Space = { freeBytes: Number.POSITIVE_INFINITY, totalBytes: Number.POSITIVE_INFINITY }
  #isLow = false
  /** A write has met a full disk, and waits. */
  #writesWait = false
  #told = false

  constructor(options: SpaceOptions, read: () => Promise<Space>, emit: (event: EngineEvent) => void) {
    this.#options = options
    this.#read = read
    this.#emit = emit
  }

  /** Null: the disk does not say. */
  get freeBytes(): number | null {
    const { freeBytes } = this.#space
    return Number.isFinite(freeBytes) ? freeBytes : null
  }

  writesWait(waits: boolean): void {
    this.#writesWait = waits
    this.#tell()
  }

  async look(): Promise<void> {
    this.#space = await this.#read()
    const { freeBytes, totalBytes } = this.#space
    this.#isLow = freeBytes < Math.min(this.#options.freeBytesMin, totalBytes * this.#options.freeShareMax)
    this.#tell()
  }

  /** Why no new work is taken, if so. */
  get refusal(): CarillonError | undefined {
    if (!this.#writesWait && !this.#isLow) return undefined
    return new CarillonError(
      'STORE_FULL',
      `no space for new work: ${this.#space.freeBytes} bytes are free on the disk of the data directory; free some, and try again`,
    )
  }

  /** Told when new work is refused, and when it is taken again. */
  #tell(): void {
    const full = this.#writesWait || this.#isLow
    if (full === this.#told) return
    this.#told = full
    this.#emit({ type: 'store-full', full, freeBytes: this.#space.freeBytes })
  }
}
