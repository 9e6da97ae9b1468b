/**
 * GossipQueue: news that wait to be passed on, each under a key so that later news of the same kind replace it. What
 * was sent least goes first (SWIM, section 4.1), and after some times log N sends it is taken as known. Bounded: when
 * full, what was sent most is dropped; the push-pull finds who missed it.
 */

interface Item {
  readonly bytes: Uint8Array
  sent: number
}

export class GossipQueue {
  readonly #itemsMax: number
  readonly #came: () => void
  /** By how often it was sent, each in the order of coming. */
  readonly #rounds: Map<string, Item>[] = []
  readonly #places = new Map<string, number>()

  /** `came`: is told of each piece. */
  constructor(itemsMax: number, came: () => void = () => {}) {
    this.#itemsMax = itemsMax
    this.#came = came
  }

  get size(): number {
    return this.#places.size
  }

  put(key: string, bytes: Uint8Array): void {
    this.delete(key)
    if (this.#places.size >= this.#itemsMax) this.#dropOne()
    this.#round(0).set(key, { bytes, sent: 0 })
    this.#places.set(key, 0)
    this.#came()
  }

  delete(key: string): void {
    const place = this.#places.get(key)
    if (place === undefined) return
    this.#rounds[place]?.delete(key)
    this.#places.delete(key)
  }

  clear(): void {
    this.#rounds.length = 0
    this.#places.clear()
  }

  /** News for one frame, within a budget of bytes; they count as sent. */
  take(bytesMax: number, countMax: number, transmissionsMax: number): Uint8Array[] {
    const taken: [string, Item][] = []
    let left = bytesMax
    for (const round of this.#rounds) {
      for (const [key, item] of round) {
        if (taken.length >= countMax) break
        if (item.bytes.length > left) continue
        left -= item.bytes.length
        taken.push([key, item])
      }
    }
    for (const [key, item] of taken) {
      this.delete(key)
      item.sent++
      if (item.sent >= transmissionsMax) continue
      this.#round(item.sent).set(key, item)
      this.#places.set(key, item.sent)
    }
    return taken.map(([, item]) => item.bytes)
  }

  #round(sent: number): Map<string, Item> {
    while (this.#rounds.length <= sent) this.#rounds.push(new Map())
    return this.#rounds[sent] as Map<string, Item>
  }

  #dropOne(): void {
    const round = this.#rounds.findLast(round => round.size > 0)
    for (const key of round?.keys() ?? []) {
      this.delete(key)
      return
    }
  }
}
