/**
 * A network and all that it told, in words. It checks by itself what holds at any time: nothing is told inside a call
 * or after the end of stop(), connections come and go in turn, and frames come only while there is one.
 */

import { expect } from 'vitest'
import type { DialFailure, DisconnectReason, Network, NetworkEvents, Plane } from '../../src/ports/network.ts'

export interface ReceivedFrame {
  readonly peer: string
  readonly plane: Plane
  readonly frame: Uint8Array
}

export class NetworkLog {
  readonly network: Network
  /** Of connections and dials. */
  readonly told: string[] = []
  readonly frames: ReceivedFrame[] = []
  /** Called in the event, for what a test does there. */
  onConnected: (peer: string) => void = () => {}
  onFrame: (received: ReceivedFrame) => void = () => {}
  readonly #connected = new Set<string>()
  readonly #drained = new Map<string, number>()
  #inside = false
  #over = false

  constructor(network: Network) {
    this.network = network
  }

  get self(): string {
    return this.network.self
  }

  start(): Promise<void> {
    const events: NetworkEvents = {
      connected: (peer, address) => this.#connectedTo(peer, address),
      disconnected: (peer, why) => this.#disconnectedFrom(peer, why),
      dialFailed: (address, why) => this.#dialFailed(address, why),
      frame: (peer, plane, frame) => this.#frame({ peer, plane, frame }),
      drained: (peer, plane) => this.#hasDrained(peer, plane),
    }
    return this.#call(() => this.network.start(events))
  }

  connect(address: string): void {
    this.#call(() => this.network.connect(address))
  }

  forget(address: string): void {
    this.#call(() => this.network.forget(address))
  }

  isSought(address: string): boolean {
    return this.#call(() => this.network.isSought(address))
  }

  disconnect(peer: string): void {
    this.#call(() => this.network.disconnect(peer))
  }

  send(peer: string, plane: Plane, frame: Uint8Array): boolean {
    return this.#call(() => this.network.send(peer, plane, frame))
  }

  async stop(): Promise<void> {
    await this.#call(() => this.network.stop())
    this.#over = true
  }

  /** Who is connected now. */
  get peers(): ReadonlySet<string> {
    return this.#connected
  }

  isConnected(peer: string): boolean {
    return this.#connected.has(peer)
  }

  framesFrom(peer: string, plane?: Plane): Uint8Array[] {
    return this.frames
      .filter(each => each.peer === peer && (plane === undefined || each.plane === plane))
      .map(({ frame }) => frame)
  }

  drainedCount(peer: string, plane: Plane): number {
    return this.#drained.get(`${peer} ${plane}`) ?? 0
  }

  count(line: string): number {
    return this.told.filter(each => each === line).length
  }

  #connectedTo(peer: string, address: string | undefined): void {
    this.#event(`connected ${peer} at ${address}`)
    expect(this.#connected.has(peer), `${peer} is connected twice`).toBe(false)
    this.#connected.add(peer)
    this.onConnected(peer)
  }

  #disconnectedFrom(peer: string, why: DisconnectReason): void {
    this.#event(`disconnected ${peer}: ${why}`)
    expect(this.#connected.delete(peer), `${peer} was connected`).toBe(true)
  }

  #dialFailed(address: string, why: DialFailure): void {
    this.#event(`dial of ${address} failed: ${why}`)
  }

  #frame(received: ReceivedFrame): void {
    this.#event(undefined)
    expect(this.#connected.has(received.peer), 'frames come from the connected').toBe(true)
    this.frames.push(received)
    this.onFrame(received)
  }

  #hasDrained(peer: string, plane: Plane): void {
    this.#event(undefined)
    expect(this.#connected.has(peer), 'what has drained is connected').toBe(true)
    this.#drained.set(`${peer} ${plane}`, this.drainedCount(peer, plane) + 1)
  }

  #event(line: string | undefined): void {
    expect(this.#inside, `told inside a call: ${line ?? 'a frame'}`).toBe(false)
    expect(this.#over, `told after the end of stop: ${line ?? 'a frame'}`).toBe(false)
    if (line !== undefined) this.told.push(line)
  }

  #call<T>(call: () => T): T {
    const wasInside = this.#inside
    this.#inside = true
    try {
      return call()
    } finally {
      this.#inside = wasInside
    }
  }
}
