/** Hosts on a simulated switch, each with a process and a network that keeps a log. */

import type { SimulatedHost } from '../../sim/network/host.ts'
import { SimulatedSwitch, type SwitchOptions } from '../../sim/network/switch.ts'
import { type NetworkOptions, SimulatedNetwork } from '../../sim/network.ts'
import { SimulatedProcess } from '../../sim/process.ts'
import { Trace } from '../../sim/trace.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { NetworkLog } from './network-log.ts'

export interface NetOfTest {
  readonly host: SimulatedHost
  log: NetworkLog
  process: SimulatedProcess
}

export class SimulatedNets {
  readonly clock = new VirtualClock()
  readonly trace = new Trace(this.clock, {})
  readonly random: SeededRandom
  readonly switch: SimulatedSwitch
  readonly nets: NetOfTest[] = []

  constructor(seed: number, options: SwitchOptions = {}) {
    this.random = new SeededRandom(seed)
    this.switch = new SimulatedSwitch({ clock: this.clock, random: this.random }, options)
  }

  async add(options: Omit<NetworkOptions, 'self'> = {}): Promise<NetOfTest> {
    const host = this.switch.host(`host-${this.nets.length}`)
    const net = { host, ...this.#life(host, this.nets.length, options) }
    this.nets.push(net)
    await this.clock.advanceBy(1)
    return net
  }

  /** A new process on the host, once the one before is dead. */
  async restart(net: NetOfTest): Promise<void> {
    Object.assign(net, this.#life(net.host, this.nets.indexOf(net), {}))
    await this.clock.advanceBy(1)
  }

  /** Two nets; the first has dialled the second. */
  async pair(options: Omit<NetworkOptions, 'self'> = {}): Promise<[NetOfTest, NetOfTest]> {
    const [a, b] = [await this.add(options), await this.add(options)]
    a.log.connect(b.host.address)
    await this.clock.advanceBy(1000)
    return [a, b]
  }

  #life(host: SimulatedHost, number: number, options: Omit<NetworkOptions, 'self'>) {
    const process = new SimulatedProcess(this.clock, this.trace)
    const log = new NetworkLog(new SimulatedNetwork(host, process, { self: `node-${number}`, ...options }))
    void log.start()
    return { process, log }
  }
}
