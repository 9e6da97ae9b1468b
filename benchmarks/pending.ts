/**
 * What a waiting task costs: a million (and ten) that are due in an hour, with a payload of 60 bytes. Each size runs in
 * a process of its own; memory is what the process has more than the same process with an empty node.
 */

import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createNode } from '../src/index.ts'
import type { Benchmark, BenchmarkResult } from './benchmark.ts'
import { freshDir, PAYLOAD, removeDir, sleep, stopwatch } from './measure.ts'

export const pending: Benchmark = {
  name: 'pending',
  about: 'tasks an hour ahead: memory, disk, start',
  async run({ quick, say }) {
    const results: BenchmarkResult[] = []
    for (const n of quick ? [100_000] : [1_000_000, 10_000_000]) {
      const dir = freshDir()
      say(`${n} tasks`)
      const filled = child(dir, n)
      const diskBytes = sizeOf(dir)
      const again = child(dir, 0)
      results.push({
        name: `${n.toLocaleString('en-US')} pending`,
        n,
        perSec: filled.perSec,
        cpuUsPerTask: filled.cpuUs / n,
        rssBytes: filled.rssBytes,
        ramBytesPerTask: (filled.rssBytes - filled.emptyRssBytes) / n,
        bytesPerTask: diskBytes / n,
        startMs: again.startMs,
        rssAfterStartBytes: again.rssBytes,
      })
      removeDir(dir)
    }
    return results
  },
}

interface Measured {
  readonly startMs: number
  readonly emptyRssBytes: number
  readonly rssBytes: number
  readonly perSec: number
  readonly cpuUs: number
}

function child(dir: string, n: number): Measured {
  const text = execFileSync(
    process.execPath,
    ['--expose-gc', fileURLToPath(import.meta.url), dir, String(n)],
    {
      encoding: 'utf8',
      maxBuffer: 1024 * 1024,
    },
  )
  return JSON.parse(text) as Measured
}

async function measure(dir: string, n: number): Promise<Measured> {
  const began = performance.now()
  const node = await createNode({ dataDir: dir })
  await node.status()
  const startMs = performance.now() - began
  const emptyRssBytes = settledRss()
  const watch = stopwatch()
  let left = n / 1000
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (left-- > 0)
        await node.schedule(
          Array.from({ length: 1000 }, () => ({ name: 'work', payload: PAYLOAD, after: 3_600_000 })),
        )
    }),
  )
  const { ms, cpuUs } = watch()
  // The rest of the journal goes to the index a few seconds after the last task came.
  for (let i = 0; i < 120 && (await node.status()).tasks.inMemory > 1000; i++) await sleep(500)
  await sleep(2000)
  const rssBytes = settledRss()
  await node.close()
  return { startMs, emptyRssBytes, rssBytes, perSec: n === 0 ? 0 : (n / ms) * 1000, cpuUs }
}

function settledRss(): number {
  ;(globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage().rss
}

function sizeOf(path: string): number {
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).reduce((sum, name) => {
    const stats = statSync(join(path, name))
    return sum + (stats.isFile() ? stats.size : 0)
  }, 0)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(await measure(process.argv[2] as string, Number(process.argv[3]))))
  process.exit(0)
}
