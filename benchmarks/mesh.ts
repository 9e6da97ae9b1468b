/**
 * What a mesh of three processes on this machine does a second, each task on three stores and acknowledged when two have
 * synced it: in bulk, from 64 callers, one awaited call at a time; and how late it fires. One node is asked for all.
 */

import type { Benchmark, BenchmarkResult } from './benchmark.ts'
import { percentiles, sleep } from './measure.ts'
import { BenchMesh } from './mesh-nodes.ts'

const CALLERS = 64

export const mesh: Benchmark = {
  name: 'mesh',
  about: 'three processes on loopback, R = 3, W = 2, every commit synced',
  async run({ quick, say }) {
    const n = quick ? 30_000 : 120_000
    const bench = await BenchMesh.start()
    try {
      say('warm-up')
      await bench.first.ask({ do: 'bulk', count: 50_000 })
      await ended(bench, 50_000)
      return [
        await bulk(bench, n, [0], say),
        await bulk(bench, n, [0, 1, 2], say),
        await calls(bench, n / 6, CALLERS, say),
        await calls(bench, quick ? 300 : 3000, 1, say),
        await lateness(bench, quick ? 4000 : 20_000, say),
        { name: 'three processes', rssBytes: Math.max(...(await bench.use()).rssBytes) },
      ]
    } finally {
      await bench.stop()
    }
  },
}

/** All that was scheduled so far has run. */
async function ended(bench: BenchMesh, count: number): Promise<void> {
  while ((await bench.completed()) < count) await sleep(2)
}

async function measured(bench: BenchMesh, n: number, act: () => Promise<unknown>): Promise<BenchmarkResult> {
  const before = await bench.completed()
  const { cpuUs } = await bench.use()
  const from = performance.now()
  await act()
  const acknowledgedMs = performance.now() - from
  await ended(bench, before + n)
  const ms = performance.now() - from
  return {
    name: '',
    n,
    perSec: (n / ms) * 1000,
    acknowledgedPerSec: (n / acknowledgedMs) * 1000,
    cpuUsPerTask: ((await bench.use()).cpuUs - cpuUs) / n,
  }
}

async function bulk(
  bench: BenchMesh,
  n: number,
  at: readonly number[],
  say: (line: string) => void,
): Promise<BenchmarkResult> {
  const name = `bulk of 1,000, end to end, ${at.length === 1 ? 'at one node' : 'a third at each node'}`
  say(`${n} ${name}`)
  const asked = bench.nodes.filter((_, i) => at.includes(i))
  const result = await measured(bench, n, () =>
    Promise.all(asked.map(node => node.ask({ do: 'bulk', count: n / asked.length }))),
  )
  return { ...result, name }
}

async function calls(
  bench: BenchMesh,
  n: number,
  parallel: number,
  say: (line: string) => void,
): Promise<BenchmarkResult> {
  const name = parallel === 1 ? 'one awaited call' : `${parallel} callers, run included`
  say(`${n} from ${parallel} callers`)
  let times: readonly number[] = []
  const result = await measured(bench, n, async () => {
    times = (await bench.first.ask({ do: 'callers', count: n, parallel })).times ?? []
  })
  return { ...result, name, ...percentiles([...times]) }
}

async function lateness(bench: BenchMesh, n: number, say: (line: string) => void): Promise<BenchmarkResult> {
  const overMs = n / 2
  say(`${n} one-shots over ${overMs / 1000} s`)
  await bench.first.ask({ do: 'one-shots', count: n, from: Date.now() + 4000, overMs })
  const late: number[] = []
  while (late.length < n) {
    await sleep(100)
    const told = await Promise.all(bench.nodes.map(node => node.ask({ do: 'late' })))
    for (const { times = [] } of told) late.push(...times)
  }
  return { name: '2,000 one-shots a second, late by', n, ...percentiles(late) }
}
