/** Which attempts the journal hears of before they end. */

import { expect, test } from 'vitest'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { LazyStarts } from '../../src/work/lazy-starts.ts'
import type { LiveRun } from '../../src/work/live-run.ts'

class Bench {
  readonly clock = new VirtualClock()
  readonly written: string[] = []
  readonly starts = new LazyStarts({ lazyStartMs: 5, lazyStartMsMax: 100 }, this.clock, runs => {
    for (const run of runs) this.written.push(`${run.instant} after ${this.clock.monotonic() - run.handedAt}`)
  })

  start(instant: number): LiveRun {
    const run = { instant, state: 'running', attempt: 1, handedAt: 0, record: { gone: false } }
    this.starts.add(run as unknown as LiveRun)
    return run as unknown as LiveRun
  }

  end(run: LiveRun): void {
    run.state = 'completed'
    this.starts.ended(run)
  }

  /** So many attempts, one after the other, that take so long. */
  async run(count: number, ms: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const run = this.start(0)
      await this.clock.advanceBy(ms)
      this.end(run)
    }
  }
}

test('one that ends soon is never written, one that does not is, at its own age', async () => {
  const bench = new Bench()
  const first = bench.start(1)
  await bench.clock.advanceBy(3)
  bench.start(2)
  await bench.clock.advanceBy(1)
  bench.end(first)
  await bench.clock.advanceBy(10)
  expect(bench.written).toEqual(['2 after 5'])
})

test('when all take longer, only what takes longer than they do is written, and 100 ms at the most', async () => {
  const bench = new Bench()
  await bench.run(100, 10)
  bench.written.length = 0
  bench.start(1)
  await bench.clock.advanceBy(30)
  expect(bench.written).toEqual([])
  await bench.clock.advanceBy(30)
  expect(bench.written).toHaveLength(1)
  await bench.run(100, 90)
  bench.written.length = 0
  bench.start(2)
  await bench.clock.advanceBy(200)
  expect(bench.written).toEqual(['2 after 100'])
})

test('long ones do not make the others wait', async () => {
  const bench = new Bench()
  await bench.run(20, 500)
  bench.written.length = 0
  bench.start(1)
  await bench.clock.advanceBy(50)
  expect(bench.written).toEqual(['1 after 5'])
})

test('one that comes back untouched, again and again, holds up nobody behind it', async () => {
  const bench = new Bench()
  const bouncing = bench.start(1)
  bench.start(2)
  for (let i = 0; i < 20; i++) {
    await bench.clock.advanceBy(2)
    bouncing.state = 'queued'
    bouncing.state = 'running'
    bench.starts.add(bouncing)
  }
  expect(bench.written).toEqual(['2 after 5'])
})
