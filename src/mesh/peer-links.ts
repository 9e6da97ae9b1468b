/**
 * PeerLinks: a link to each live member that is connected. One that ends while its node is still there is opened again
 * after a moment; one to a node that the view holds for away ends at once, so that nobody waits for who may never answer.
 */

import type { View } from '../membership/view.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import type { WorkerChannel } from '../ports/worker-channel.ts'
import type { LinkWorker } from '../work/guest-link.ts'
import { type LinkLimits, PeerLink } from './peer-link.ts'

export interface PeerLinksParts {
  readonly clock: Clock
  readonly self: string
  /** A session with that node; undefined: it is not connected. */
  readonly open: (node: string) => WorkerChannel | undefined
  /** Who runs handlers for that node. */
  readonly workerFor?: ((node: string) => LinkWorker) | undefined
  /** A link stands, where there was none. */
  readonly opened: (link: PeerLink) => void
  readonly stir: () => void
  readonly failed: (error: unknown) => void
}

/** How soon a link that ended is opened again, ms. */
const REOPEN_MS = 200

export class PeerLinks {
  readonly #parts: PeerLinksParts
  readonly #limits: LinkLimits
  readonly #connected = new Set<string>()
  readonly #links = new Map<string, PeerLink>()
  #members: ReadonlySet<string> = new Set()
  #timer: Timer | undefined
  #isStopped = false

  constructor(parts: PeerLinksParts, limits: LinkLimits) {
    this.#parts = parts
    this.#limits = limits
  }

  get(node: string): PeerLink | undefined {
    return this.#links.get(node)
  }

  get all(): Iterable<PeerLink> {
    return this.#links.values()
  }

  connected(node: string): void {
    this.#connected.add(node)
    this.#look(node)
  }

  disconnected(node: string): void {
    this.#connected.delete(node)
    this.#links.get(node)?.close()
  }

  viewChanged(view: View): void {
    const live = view.stores.filter(({ state, node }) => state === 'live' && node !== this.#parts.self)
    this.#members = new Set(live.map(({ node }) => node))
    for (const link of [...this.#links.values()]) if (!this.#members.has(link.node)) link.close()
    for (const node of this.#connected) this.#look(node)
  }

  /** The end of a turn. */
  flush(): void {
    for (const link of this.#links.values()) link.flush()
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    for (const link of [...this.#links.values()]) link.close()
  }

  #look(node: string): void {
    if (this.#isStopped || !this.#members.has(node) || this.#links.has(node)) return
    const channel = this.#parts.open(node)
    if (channel === undefined) return
    const { workerFor, opened, stir, failed } = this.#parts
    const host = { stir, failed, closed: (link: PeerLink) => this.#closed(link) }
    const link = new PeerLink(node, channel, this.#limits, host, workerFor?.(node))
    this.#links.set(node, link)
    link.start()
    opened(link)
  }

  #closed({ node }: PeerLink): void {
    this.#links.delete(node)
    if (this.#isStopped || !this.#connected.has(node)) return
    this.#timer?.cancel()
    this.#timer = this.#parts.clock.setTimer(REOPEN_MS, () => {
      for (const each of this.#connected) this.#look(each)
    })
  }
}
