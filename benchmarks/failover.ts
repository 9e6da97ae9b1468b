/**
 * How long the tasks of a node wait after `kill -9` of it, in a mesh of three processes: recurring ones until another node
 * fires the next instant, runs that it had begun until they are begun again.
 */

import type { Benchmark, BenchmarkResult } from './benchmark.ts'
import { percentiles, sleep } from './measure.ts'
import { BenchMesh, type Fire } from './mesh-nodes.ts'

const TICKS = 200
const TICK_MS = 100
const LONG = 60

/** Where a task was begun last, and when. */
interface Last extends Fire {
  readonly node: number
}

export const failover: Benchmark = {
  name: 'failover',
  about: 'kill -9 of one of three nodes: until the others go on with what it did',
  async run({ quick, say }) {
    const kills = quick ? 2 : 9
    const bench = await BenchMesh.start()
    const ticks: number[] = []
    const runs: number[] = []
    try {
      await bench.first.ask({
        do: 'schedule',
        tasks: Array.from({ length: TICKS }, (_, i) => ({ id: `tick-${i}`, name: 'tick', every: TICK_MS })),
      })
      for (let kill = 0; kill < kills; kill++) {
        say(`kill ${kill + 1} of ${kills}`)
        await oneKill(bench, kill, ticks, runs)
      }
    } finally {
      await bench.stop()
    }
    return [
      row(`every ${TICK_MS} ms, from the kill to the next start elsewhere`, ticks),
      row('a run under way, from the kill to its next attempt', runs),
    ]
  },
}

function row(name: string, times: number[]): BenchmarkResult {
  return { name, n: times.length, ...percentiles(times) }
}

async function oneKill(bench: BenchMesh, kill: number, ticks: number[], runs: number[]): Promise<void> {
  const victim = kill % bench.nodes.length
  const others = bench.nodes.filter((_, i) => i !== victim)
  await others[0]?.ask({
    do: 'schedule',
    tasks: Array.from({ length: LONG }, (_, i) => ({
      id: `long-${kill}-${i}`,
      name: 'long',
      after: 10,
      retry: { max: 100 },
    })),
  })
  await sleep(3000)
  const last = new Map<string, Last>()
  for (const [node, { fires = [] }] of (await firesOf(bench)).entries())
    for (const fire of fires)
      if ((last.get(fire.task)?.at ?? 0) <= fire.at) last.set(fire.task, { ...fire, node })
  const killedAt = Date.now()
  await bench.nodes[victim]?.kill()
  await sleep(4000)
  const told = await Promise.all(others.map(node => node.ask({ do: 'fires' })))
  const after = told.flatMap(({ fires = [] }) => fires)
  for (const [task, { node }] of last) {
    if (node !== victim) continue
    const next = after.filter(fire => fire.task === task && fire.at >= killedAt).map(({ at }) => at)
    if (next.length === 0) throw new Error(`${task} was not begun again in 4 s`)
    const waited = Math.min(...next) - killedAt
    if (task.startsWith('tick')) ticks.push(waited)
    else runs.push(waited)
  }
  await bench.nodes[victim]?.start()
  await bench.settled()
}

function firesOf(bench: BenchMesh): Promise<{ readonly fires?: readonly Fire[] }[]> {
  return Promise.all(bench.nodes.map(node => node.ask({ do: 'fires' })))
}
