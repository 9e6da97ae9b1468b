/** How late handlers start after their instant: 20,000 one-shots over 10 s, and 1,000 crons each second for 15 s. */

import { createNode } from '../src/index.ts'
import type { Benchmark, BenchmarkResult } from './benchmark.ts'
import { freshDir, PAYLOAD, percentiles, removeDir, sleep, stopwatch } from './measure.ts'

export const lateness: Benchmark = {
  name: 'lateness',
  about: 'handler start minus scheduled instant',
  async run({ quick, say }) {
    return [await delayed(quick ? 2000 : 20_000, say), await crons(quick ? 100 : 1000, quick ? 5 : 15, say)]
  },
}

async function delayed(n: number, say: (line: string) => void): Promise<BenchmarkResult> {
  const dir = freshDir()
  const late: number[] = []
  const node = await createNode({
    dataDir: dir,
    handlers: { work: run => void late.push(Date.now() - run.scheduledAt) },
  })
  const first = Date.now() + 3000
  say(`${n} one-shots over 10 s`)
  for (let i = 0; i < n; i += 1000) {
    const at = (j: number): number => first + Math.floor(((i + j) * 10_000) / n)
    await node.schedule(
      Array.from({ length: Math.min(1000, n - i) }, (_, j) => ({
        name: 'work',
        payload: PAYLOAD,
        at: at(j),
      })),
    )
  }
  const watch = stopwatch()
  while (late.length < n) await sleep(50)
  const { cpuUs } = watch()
  await node.close()
  removeDir(dir)
  return { name: `${n} one-shots over 10 s`, n, ...percentiles(late), cpuUsPerTask: cpuUs / n }
}

async function crons(n: number, seconds: number, say: (line: string) => void): Promise<BenchmarkResult> {
  const dir = freshDir()
  const late: number[] = []
  let measuring = false
  const node = await createNode({
    dataDir: dir,
    handlers: {
      tick: run => {
        if (measuring) late.push(Date.now() - run.scheduledAt)
      },
    },
  })
  await node.schedule(
    Array.from({ length: n }, (_, i) => ({ id: `cron-${i}`, name: 'tick', cron: '* * * * * *' })),
  )
  await sleep(2500)
  say(`${n} crons each second for ${seconds} s`)
  measuring = true
  const watch = stopwatch()
  await sleep(seconds * 1000)
  const { cpuUs } = watch()
  measuring = false
  await node.close()
  removeDir(dir)
  return {
    name: `${n} crons each second`,
    n: late.length,
    expected: n * seconds,
    ...percentiles(late),
    cpuUsPerTask: cpuUs / late.length,
  }
}
