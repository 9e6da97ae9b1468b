/** What a node of a mesh costs that has nothing to do: three processes on this machine, 100 tasks pending. */

import type { Benchmark } from './benchmark.ts'
import { PAYLOAD, sleep } from './measure.ts'
import { BenchMesh } from './mesh-nodes.ts'

export const idleMesh: Benchmark = {
  name: 'idle-mesh',
  about: 'CPU and memory of a node of an idle mesh of three',
  async run({ quick, say }) {
    const seconds = quick ? 5 : 30
    const bench = await BenchMesh.start()
    try {
      const tasks = Array.from({ length: 100 }, () => ({ name: 'work', payload: PAYLOAD, after: '1h' }))
      await bench.first.ask({ do: 'schedule', tasks })
      say('waits until the start is over')
      await sleep(quick ? 1000 : 10_000)
      say(`idle for ${seconds} s`)
      const before = await bench.use()
      const from = performance.now()
      await sleep(seconds * 1000)
      const { cpuUs, rssBytes } = await bench.use()
      return [
        {
          name: 'a node of three',
          cpuPercent: (cpuUs - before.cpuUs) / (performance.now() - from) / 10 / bench.nodes.length,
          rssBytes: rssBytes.reduce((sum, each) => sum + each, 0) / rssBytes.length,
          rssMostBytes: Math.max(...rssBytes),
        },
      ]
    } finally {
      await bench.stop()
    }
  },
}
