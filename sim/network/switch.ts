/**
 * SimulatedSwitch: what lies between the simulated hosts. It knows who has which address, and what holds now on the
 * link of each ordered pair. Faults are disturbances over sets of hosts, not state per link: a cut between the halves
 * of a thousand hosts is one entry, and costs its two ends nothing while nothing changes.
 */

import { invariant } from '../../src/invariant.ts'
import type { Random } from '../../src/ports/random.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import { SimulatedHost } from './host.ts'
import { type Disturbance, disturbed, LAN, type LinkConditions, type LinkState, latencyOf } from './link.ts'

export interface SwitchOptions {
  /** What a link is like while nothing is wrong. Default: {@link LAN}. */
  readonly conditions?: LinkConditions | ((from: SimulatedHost, to: SimulatedHost) => LinkConditions)
}

/** A lost packet is sent again after this, then after twice as long, up to the most; ms. */
export const RETRANSMISSION = { firstMs: 200, mostMs: 3200 } as const

interface Rule {
  readonly from: ReadonlySet<SimulatedHost>
  readonly to: ReadonlySet<SimulatedHost>
  readonly disturbance: Disturbance
}

export class SimulatedSwitch {
  readonly clock: VirtualClock
  readonly random: Random
  readonly #options: SwitchOptions
  readonly #hosts = new Map<string, SimulatedHost>()
  readonly #rules = new Set<Rule>()
  #version = 0

  constructor(ports: { readonly clock: VirtualClock; readonly random: Random }, options: SwitchOptions = {}) {
    this.clock = ports.clock
    this.random = ports.random
    this.#options = options
  }

  /** Changes whenever the state of some link does: whoever keeps one asks again then. */
  get version(): number {
    return this.#version
  }

  get hosts(): readonly SimulatedHost[] {
    return [...this.#hosts.values()]
  }

  /** Plugs a new host in. */
  host(name: string): SimulatedHost {
    const host = new SimulatedHost(this, name)
    invariant(!this.#hosts.has(host.address), `no two hosts have the name ${name}`)
    this.#hosts.set(host.address, host)
    return host
  }

  hostAt(address: string): SimulatedHost | undefined {
    return this.#hosts.get(address)
  }

  /** Makes the links from each of `from` to each of `to` worse, until the function that is returned is called. */
  disturb(from: Iterable<SimulatedHost>, to: Iterable<SimulatedHost>, disturbance: Disturbance): () => void {
    const rule = { from: new Set(from), to: new Set(to), disturbance }
    this.#rules.add(rule)
    this.#changed(rule)
    return () => {
      if (this.#rules.delete(rule)) this.#changed(rule)
    }
  }

  /** Cuts two groups off from each other, both ways, until the function that is returned is called. */
  partition(one: Iterable<SimulatedHost>, other: Iterable<SimulatedHost>): () => void {
    const [a, b] = [[...one], [...other]]
    const there = this.disturb(a, b, { cut: true })
    const back = this.disturb(b, a, { cut: true })
    return () => {
      there()
      back()
    }
  }

  /** Ends all disturbances. */
  heal(): void {
    for (const rule of [...this.#rules]) {
      this.#rules.delete(rule)
      this.#changed(rule)
    }
  }

  link(from: SimulatedHost, to: SimulatedHost): LinkState {
    const { conditions = LAN } = this.#options
    const holding: Disturbance[] = []
    for (const rule of this.#rules) {
      if (rule.from.has(from) && rule.to.has(to)) holding.push(rule.disturbance)
    }
    return disturbed(typeof conditions === 'function' ? conditions(from, to) : conditions, holding)
  }

  /**
   * A packet that is sent again until it has passed, as a kernel does with a handshake or a close. It is for what is
   * rare: frames go by ways of their own. Nothing happens any more once `isOver`.
   */
  packet(
    from: SimulatedHost,
    to: SimulatedHost,
    isOver: () => boolean,
    arrive: () => void,
    againMs: number = RETRANSMISSION.firstMs,
  ): void {
    if (isOver()) return
    const link = this.link(from, to)
    if (!from.isOn || link.isBlocked || (link.loss > 0 && this.random.float() < link.loss)) {
      const nextMs = Math.min(againMs * 2, RETRANSMISSION.mostMs)
      this.clock.setTimer(againMs, () => this.packet(from, to, isOver, arrive, nextMs))
    } else {
      this.clock.setTimer(latencyOf(link, this.random), () => {
        if (!isOver()) arrive()
      })
    }
  }

  #changed({ from, to }: Rule): void {
    this.#version++
    for (const [hosts, others] of [
      [from, to],
      [to, from],
    ] as const) {
      for (const host of hosts) host.linksChanged(others)
    }
  }
}
