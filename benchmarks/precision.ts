/** What the precision classes buy: one-shots at 3,000 a second of each class, alone and beside a full load of others. */

import { createNode, type Precision } from '../src/index.ts'
import type { Benchmark, BenchmarkResult } from './benchmark.ts'
import { freshDir, PAYLOAD, percentiles, removeDir, sleep, stopwatch } from './measure.ts'

export const precision: Benchmark = {
  name: 'precision',
  about: 'the three classes: CPU per fire, wake-ups, lateness',
  async run({ quick, say }) {
    const results: BenchmarkResult[] = []
    const seconds = quick ? 2 : 5
    for (const loaded of [false, true]) {
      for (const level of ['high', 'normal', 'low'] as const) {
        say(`${level}${loaded ? ', under load' : ''}`)
        results.push(await measure(level, seconds, loaded))
      }
    }
    return results
  },
}

async function measure(level: Precision, seconds: number, loaded: boolean): Promise<BenchmarkResult> {
  const n = seconds * 3000
  const dir = freshDir()
  const late: number[] = []
  let others = 0
  const node = await createNode({
    dataDir: dir,
    concurrency: 2000,
    handlers: { work: run => void late.push(Date.now() - run.scheduledAt), other: () => void others++ },
  })
  const first = Date.now() + 2000
  for (let i = 0; i < n; i += 1000) {
    await node.schedule(
      Array.from({ length: 1000 }, (_, j) => ({
        name: 'work',
        payload: PAYLOAD,
        precision: level,
        at: first + Math.floor((i + j) / 3),
      })),
    )
  }
  await sleep(Math.max(0, first - Date.now()))
  const wakeUps = (await node.status()).wakeUps
  const watch = stopwatch()
  let busy = loaded
  const load = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (busy)
        await node.schedule(Array.from({ length: 1000 }, () => ({ name: 'other', payload: PAYLOAD })))
    }),
  )
  await sleep(seconds * 1000)
  busy = false
  while (late.length < n) await sleep(20)
  const { cpuUs } = watch()
  const woken = (await node.status()).wakeUps - wakeUps
  await load
  await node.close()
  removeDir(dir)
  return {
    name: `${level}${loaded ? ', loaded' : ''}`,
    n,
    ...percentiles(late),
    cpuUsPerTask: cpuUs / (n + others),
    wakeUpsPerSec: woken / seconds,
    othersPerSec: others / seconds,
  }
}
