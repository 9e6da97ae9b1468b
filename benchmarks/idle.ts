/** What an idle node costs, and what the engine's work costs the user's own event loop. */

import { createNode } from '../src/index.ts'
import type { Benchmark, BenchmarkResult } from './benchmark.ts'
import { freshDir, PAYLOAD, percentiles, removeDir, sleep, stopwatch } from './measure.ts'

export const idle: Benchmark = {
  name: 'idle',
  about: "an idle node's CPU and memory; the delay of the user's event loop at 10,000 tasks/s",
  async run({ quick, say }) {
    const seconds = quick ? 3 : 10
    const bareRss = process.memoryUsage().rss
    const dir = freshDir()
    const node = await createNode({ dataDir: dir, handlers: { work: () => undefined } })
    await node.schedule(Array.from({ length: 100 }, () => ({ name: 'work', payload: PAYLOAD, after: '1h' })))
    await sleep(1000)
    say('idle')
    const watch = stopwatch()
    await sleep(seconds * 1000)
    const idleUse = watch()
    const results: BenchmarkResult[] = [
      {
        name: 'idle node',
        rssBytes: process.memoryUsage().rss,
        bareRssBytes: bareRss,
        cpuPercent: idleUse.cpuUs / idleUse.ms / 10,
      },
    ]
    say('event loop, nothing to do')
    results.push({ name: 'event loop, idle', ...percentiles(await delays(seconds)) })
    say('event loop, 10,000 tasks/s')
    const feed = setInterval(
      () => void node.schedule(Array.from({ length: 100 }, () => ({ name: 'work', payload: PAYLOAD }))),
      10,
    )
    results.push({ name: 'event loop, 10,000 tasks/s', ...percentiles(await delays(seconds)) })
    clearInterval(feed)
    await node.close()
    removeDir(dir)
    return results
  },
}

/** How late setImmediate-paced turns of the loop come: the time between two turns. */
async function delays(seconds: number): Promise<number[]> {
  const found: number[] = []
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    const from = performance.now()
    await sleep(2)
    found.push(Math.max(0, performance.now() - from - 2))
  }
  return found
}
