import { SimulatedSwitch } from '../../sim/network/switch.ts'
import { SimulatedNetwork } from '../../sim/network.ts'
import { SimulatedProcess } from '../../sim/process.ts'
import { Trace } from '../../sim/trace.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { networkConformance } from './network.ts'

networkConformance(
  'SimulatedNetwork',
  async ({ count, stranger, small }) => {
    const clock = new VirtualClock()
    const trace = new Trace(clock, {})
    const theSwitch = new SimulatedSwitch({ clock, random: new SeededRandom(1) })
    const nodes = Array.from({ length: count }, (_, at) => {
      const host = theSwitch.host(`host-${at}`)
      const most = small?.node === at ? small.frameBytesMax : undefined
      return new SimulatedNetwork(host, new SimulatedProcess(clock, trace), {
        self: `node-${at}`,
        secret: stranger === at ? 'another' : 'secret',
        ...(most === undefined
          ? {}
          : { frameBytesMax: { liveness: most, replication: most, bulk: most, calls: most } }),
      })
    })
    return {
      nodes,
      addressOf: node => (nodes[node] as SimulatedNetwork).host.address,
      kill: node => nodes[node]?.process.die(),
      pass: ms => clock.advanceBy(ms),
      dispose: async () => {},
    }
  },
  { kill: true, strangers: true, frameLimits: true },
)
