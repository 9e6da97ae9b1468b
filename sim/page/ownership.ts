/** Who acts for which range from when to when: spans, take-overs, and when it was nobody, or two. */

import type { Item } from './recording.ts'

export interface ActingReport {
  readonly at: number
  readonly node: number
  readonly range: number
  readonly acts: boolean
}

export interface OwnershipPlaces {
  /** The lane of a node. */
  node(number: number): number
  /** The lane of what concerns all. */
  readonly all: number
  /** From then on all stop: that nobody acts any more says nothing. */
  readonly stopsAt: number
}

/** Who ends has ceased without a word. */
export function ownershipItems(
  acting: readonly ActingReport[],
  ends: readonly { readonly at: number; readonly node: number }[],
  places: OwnershipPlaces,
): Item[] {
  const steps = [
    ...acting,
    ...ends.map(({ at, node }) => ({ at, node, range: undefined, acts: false })),
  ].sort((a, b) => a.at - b.at)
  const ranges = new Map<number, RangeOwners>()
  const items: Item[] = []
  for (const { at, node, range, acts } of steps) {
    if (range === undefined) {
      for (const owners of ranges.values()) owners.ceased(node, at)
      continue
    }
    let owners = ranges.get(range)
    if (owners === undefined) {
      owners = new RangeOwners(range, places, items)
      ranges.set(range, owners)
    }
    if (acts) owners.began(node, at)
    else owners.ceased(node, at)
  }
  for (const owners of ranges.values()) owners.close()
  return items
}

class RangeOwners {
  readonly #range: number
  readonly #places: OwnershipPlaces
  readonly #items: Item[]
  readonly #since = new Map<number, number>()
  /** The node that acted last, and when it ceased if it has. */
  #last: { readonly node: number; ceasedAt: number | undefined } | undefined
  #unownedSince: number | undefined
  #doubleSince: { readonly at: number; readonly nodes: readonly number[] } | undefined

  constructor(range: number, places: OwnershipPlaces, items: Item[]) {
    this.#range = range
    this.#places = places
    this.#items = items
  }

  began(node: number, at: number): void {
    if (this.#since.has(node)) return
    const last = this.#last
    if (last !== undefined && last.node !== node) {
      const when =
        last.ceasedAt === undefined
          ? 'which acts still'
          : `which ceased ${((at - last.ceasedAt) / 1000).toFixed(3)} s before`
      this.#items.push({
        kind: 'takeover',
        lane: this.#places.node(node),
        range: this.#range,
        from: at,
        text: `n${node} takes range ${this.#range} over from n${last.node}, ${when}`,
        others: [this.#places.node(last.node)],
      })
    }
    this.#since.set(node, at)
    this.#last = { node, ceasedAt: undefined }
    this.#counted(at)
  }

  ceased(node: number, at: number): void {
    const from = this.#since.get(node)
    if (from === undefined) return
    this.#since.delete(node)
    this.#acted(node, from, at)
    if (this.#last?.node === node) this.#last.ceasedAt = at
    this.#counted(at)
  }

  /** The run is over. */
  close(): void {
    for (const [node, from] of this.#since) this.#acted(node, from, Number.POSITIVE_INFINITY)
    this.#counted(Number.POSITIVE_INFINITY, true)
  }

  #acted(node: number, from: number, to: number): void {
    const lane = this.#places.node(node)
    const text = `n${node} acts for range ${this.#range}`
    this.#items.push({ kind: 'acts', lane, range: this.#range, from, to, text })
  }

  /** Whoever acts has changed. */
  #counted(at: number, isClosing = false): void {
    const nodes = [...this.#since.keys()]
    if (this.#unownedSince !== undefined && (nodes.length > 0 || isClosing)) {
      this.#span('unowned', this.#unownedSince, at, `nobody acts for range ${this.#range}`, [])
      this.#unownedSince = undefined
    }
    if (this.#doubleSince !== undefined) {
      const { at: from, nodes: two } = this.#doubleSince
      const text = `${two.map(node => `n${node}`).join(' and ')} act for range ${this.#range}`
      this.#span('double', from, at, text, two)
      this.#doubleSince = undefined
    }
    if (isClosing) return
    if (nodes.length === 0) this.#unownedSince ??= at
    if (nodes.length > 1) this.#doubleSince = { at, nodes }
  }

  #span(kind: 'unowned' | 'double', from: number, to: number, text: string, nodes: readonly number[]): void {
    const until = Math.min(to, this.#places.stopsAt)
    if (until <= from) return
    const others = nodes.map(node => this.#places.node(node))
    this.#items.push({ kind, lane: this.#places.all, range: this.#range, from, to: until, text, others })
  }
}
