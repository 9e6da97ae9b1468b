/**
 * A simulated machine on the switch: its address, and whoever listens there now. It outlives the processes that run on
 * it, one after the other. A machine that is on answers for a process that is dead: it resets the connections, and
 * refuses dials. One without power answers nothing, until it is on again.
 */

import { invariant } from '../../src/invariant.ts'
import type { DisconnectReason, Plane } from '../../src/ports/network.ts'
import type { SimulatedProcess } from '../process.ts'
import type { ConnectionEnd } from './connection.ts'
import type { SimulatedSwitch } from './switch.ts'
import { Traffic } from './traffic.ts'

/** The network of one process, as its host, its peers and its own ends see it. */
export interface HostedNetwork {
  readonly self: string
  readonly secret: string
  readonly process: SimulatedProcess
  readonly host: SimulatedHost
  readonly creditBytes: Readonly<Record<Plane, number>>
  /** It takes dials: started, listening, not stopped, not dead. */
  readonly isListening: boolean
  /** Started, not stopped, not dead. */
  readonly isUp: boolean
  readonly ends: Iterable<ConnectionEnd>
  endWith(peer: string): ConnectionEnd | undefined
  /** Somebody has this end's other one already; its last packet is on the way here. */
  expect(end: ConnectionEnd): void
  // What follows is called inside the process.
  accept(end: ConnectionEnd): void
  received(end: ConnectionEnd, plane: Plane, frame: Uint8Array): void
  hasRoom(end: ConnectionEnd, plane: Plane): void
  lost(end: ConnectionEnd, why: DisconnectReason): void
}

/** A machine that is on again meets what is left of its connections within this, ms: something is sent on them. */
const KEEPALIVE_MS = 5000

export class SimulatedHost {
  readonly name: string
  readonly address: string
  readonly traffic = new Traffic()
  readonly #switch: SimulatedSwitch
  #network: HostedNetwork | undefined
  #isOn = true
  /** Far ends of connections that the power cut took from here. */
  #ghosts: ConnectionEnd[] = []

  constructor(theSwitch: SimulatedSwitch, name: string) {
    this.#switch = theSwitch
    this.name = name
    this.address = `${name}:7400`
  }

  get switch(): SimulatedSwitch {
    return this.#switch
  }

  get isOn(): boolean {
    return this.#isOn
  }

  /** Who takes dials here now. */
  get listener(): HostedNetwork | undefined {
    return this.#network?.isListening === true ? this.#network : undefined
  }

  /** For the network of a new process. */
  attach(network: HostedNetwork): void {
    invariant(this.#network?.isUp !== true, `one process at a time is on the network of ${this.name}`)
    this.#network = network
    this.powerOn()
  }

  /** For the network whose process went with the power. */
  powerOff(ghosts: Iterable<ConnectionEnd>): void {
    this.#isOn = false
    this.#ghosts.push(...ghosts)
  }

  /** The machine is on again, with no process yet. It resets what it doesn't know. */
  powerOn(): void {
    if (this.#isOn) return
    this.#isOn = true
    const { clock, random } = this.#switch
    for (const ghost of this.#ghosts.splice(0)) {
      if (ghost.state === 'closed') continue
      clock.setTimer(random.float() * KEEPALIVE_MS, () => ghost.resetByPeer())
    }
  }

  /** For the switch: the links with these hosts are not what they were. */
  linksChanged(others: ReadonlySet<SimulatedHost>): void {
    for (const end of this.#network?.ends ?? []) {
      if (others.has(end.other.host)) end.linkChanged()
    }
  }
}
