/**
 * Dialler: holds a connection to whoever is at one address. It dials, waits between tries, and dials again when the
 * connection has ended. A dial is what TCP and Noise do: five packets, each sent again when lost; the last one opens
 * the far end, and the dialler doesn't wait for it.
 */

import type { Timer } from '../../src/ports/clock.ts'
import type { DialFailure } from '../../src/ports/network.ts'
import type { ConnectionEnd, EndWatcher } from './connection.ts'
import type { HostedNetwork } from './host.ts'

export const DIAL = {
  /** No answer for so long: the dial failed. */
  timeoutMs: 5000,
  /** The wait after the first failure; it doubles up to the most. A half of each is jitter. */
  backoffMs: 100,
  backoffMsMax: 5000,
  /** The first packet is sent again after this: TCP's SYN is more patient than the rest. */
  synAgainMs: 1000,
} as const

export interface DiallerHolder extends HostedNetwork {
  /** The handshake with whoever is there went well: the connection with it, a new one or the one that stands. */
  meet(listener: HostedNetwork, address: string): ConnectionEnd
  dialFailed(address: string, why: DialFailure): void
}

export class Dialler implements EndWatcher {
  /** No dial has shown who is there. */
  isSought = true
  readonly #holder: DiallerHolder
  readonly #address: string
  #timer: Timer | undefined
  #failures = 0
  /** Of the dial under way; packets of an older one mean nothing. */
  #round = 0
  #end: ConnectionEnd | undefined
  #isCancelled = false

  constructor(holder: DiallerHolder, address: string) {
    this.#holder = holder
    this.#address = address
    this.#after(0)
  }

  cancel(): void {
    this.#isCancelled = true
    this.#round++
    this.#timer?.cancel()
    this.#end?.watchers.delete(this)
  }

  connectionEnded(): void {
    this.#end = undefined
    this.#failures = 0
    this.#backOff()
  }

  #after(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#holder.process.clock.setTimer(delayMs, () => this.#dial())
  }

  #backOff(): void {
    const most = Math.min(DIAL.backoffMs * 2 ** this.#failures, DIAL.backoffMsMax)
    this.#after(most * (0.5 + 0.5 * this.#holder.host.switch.random.float()))
  }

  #dial(): void {
    const { host, process } = this.#holder
    const { switch: theSwitch } = host
    const round = ++this.#round
    const isOver = (): boolean => round !== this.#round || process.isDead
    const fail = (why: DialFailure): void => {
      process.deliver(() => {
        if (!isOver()) this.#failed(why)
      })
    }
    host.traffic.dials++
    const target = theSwitch.hostAt(this.#address)
    this.#timer = process.clock.setTimer(target === undefined ? 1 : DIAL.timeoutMs, () =>
      fail(target === undefined ? 'unreachable' : 'timeout'),
    )
    if (target === undefined) return
    const answer = (then: () => void): void => theSwitch.packet(target, host, isOver, then)
    const ask = (then: () => void, againMs?: number): void =>
      theSwitch.packet(host, target, isOver, () => target.isOn && then(), againMs)
    const refuse = (): void => answer(() => fail('refused'))

    const syn = (): void => {
      const { listener } = target
      // The machine answers this by itself, also when the process is stopped.
      if (listener === undefined) refuse()
      else answer(() => process.deliver(() => ask(() => noise(listener))))
    }
    const noise = (listener: HostedNetwork): void => {
      if (target.listener !== listener) refuse()
      else listener.process.deliver(() => answer(() => process.deliver(() => met(listener))))
    }
    const met = (listener: HostedNetwork): void => {
      if (isOver()) return
      const { self, secret } = this.#holder
      if (listener.self === self || listener.secret !== secret) this.#failed('rejected')
      else if (!listener.isListening) this.#failed('refused')
      else this.#met(listener)
    }
    ask(syn, DIAL.synAgainMs)
  }

  #met(listener: HostedNetwork): void {
    this.#round++
    this.isSought = false
    this.#timer?.cancel()
    this.#failures = 0
    this.#end = this.#holder.meet(listener, this.#address)
    // Whoever was told of it may have forgotten the address, or ended it at once.
    if (this.#isCancelled) return
    if (this.#end.state === 'closed') this.connectionEnded()
    else this.#end.watchers.add(this)
  }

  #failed(why: DialFailure): void {
    this.#round++
    if (why !== 'timeout') this.isSought = false
    this.#backOff()
    this.#failures++
    this.#holder.dialFailed(this.#address, why)
  }
}
