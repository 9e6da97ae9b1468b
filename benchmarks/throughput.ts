/**
 * How many tasks a second one node takes, runs and completes, synced to the disk: in bulk, from 64 callers, and one
 * awaited call at a time. Beside it what the disk can do: synced appends of 100 KB.
 */

import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createNode, type Node } from '../src/index.ts'
import type { Benchmark, BenchmarkResult } from './benchmark.ts'
import { freshDir, PAYLOAD, percentiles, removeDir, sleep, stopwatch } from './measure.ts'

const BULK = 1000
/** Bulks under way at a time. */
const DEPTH = 6
const CALLERS = 64

export const throughput: Benchmark = {
  name: 'throughput',
  about: 'schedule and run to completion, one node, every commit synced',
  async run({ quick, say }) {
    const n = quick ? 40_000 : 400_000
    const dir = freshDir()
    let ran = 0
    const node = await createNode({
      dataDir: dir,
      concurrency: 2000,
      handlers: {
        work: async () => {
          ran++
        },
      },
    })
    const ended = async (count: number): Promise<void> => {
      while (ran < count) await sleep(1)
      while ((await node.status()).counters.completed < count) await sleep(1)
    }
    say('warm-up')
    await bulk(node, 50_000)
    await ended(50_000)
    const results: BenchmarkResult[] = [disk(dir)]

    say(`${n} in bulks of ${BULK}`)
    const bulkWatch = stopwatch()
    await bulk(node, n)
    await ended(50_000 + n)
    const inBulk = bulkWatch()
    results.push({
      name: 'bulk of 1,000, end to end',
      n,
      perSec: (n / inBulk.ms) * 1000,
      cpuUsPerTask: inBulk.cpuUs / n,
    })

    const m = n / 4
    say(`${m} from ${CALLERS} callers`)
    let left = m
    const oneWatch = stopwatch()
    await Promise.all(
      Array.from({ length: CALLERS }, async () => {
        while (left-- > 0) await node.schedule({ name: 'work', payload: PAYLOAD })
      }),
    )
    await ended(50_000 + n + m)
    const ones = oneWatch()
    results.push({
      name: '64 callers, run included',
      n: m,
      perSec: (m / ones.ms) * 1000,
      cpuUsPerTask: ones.cpuUs / m,
    })

    const k = quick ? 500 : 3000
    say(`${k} awaited one by one`)
    const times: number[] = []
    for (let i = 0; i < k; i++) {
      const from = performance.now()
      await node.schedule({ name: 'work', payload: PAYLOAD })
      times.push(performance.now() - from)
    }
    results.push({ name: 'one awaited call', n: k, ...percentiles(times) })
    results.push({ name: 'process', rssBytes: process.memoryUsage().rss })
    await node.close()
    removeDir(dir)
    return results
  },
}

async function bulk(node: Node<{ work: () => Promise<void> }>, count: number): Promise<void> {
  let left = count / BULK
  await Promise.all(
    Array.from({ length: DEPTH }, async () => {
      while (left-- > 0)
        await node.schedule(Array.from({ length: BULK }, () => ({ name: 'work', payload: PAYLOAD })))
    }),
  )
}

/** The floor: nothing that syncs 100 KB at a time can be faster on this disk. */
function disk(dir: string): BenchmarkResult {
  const file = openSync(join(dir, 'floor'), 'w')
  const block = Buffer.alloc(100 * 1024, 7)
  const times: number[] = []
  for (let i = 0; i < 200; i++) {
    const from = performance.now()
    writeSync(file, block)
    fdatasyncSync(file)
    times.push(performance.now() - from)
  }
  closeSync(file)
  const sum = times.reduce((a, b) => a + b, 0)
  return {
    name: 'disk: append 100 KB, fdatasync',
    n: times.length,
    perSec: (times.length / sum) * 1000,
    ...percentiles(times),
  }
}
