/**
 * Runs seeds, and says how each went, in their order: the seeds and the options first, how to replay what failed, and the
 * sums in the end. What a seed runs is the runner's, and where it runs that of jobs.ts.
 */

import { writeFileSync } from 'node:fs'
import { invariant } from '../src/invariant.ts'
import type { Options } from './command-line.ts'
import { type Job, runJobs } from './jobs.ts'
import type { Recording } from './page/recording.ts'
import { type PageParts, pageOf } from './page/write.ts'
import type { SeedRunner } from './runners.ts'

export interface SeedResult {
  readonly seed: number
  readonly hash: string
  readonly faults: readonly string[]
  readonly latest: readonly string[]
  /** What it drew for itself, in a few words. */
  readonly drawn?: string
  /** Of those with `max` in their names the sum over seeds is the largest. */
  readonly counters: Readonly<Record<string, number>>
  readonly virtualMs: number
  readonly events: number
  /** For a page, where one was asked for. */
  readonly recording?: Recording
}

/** True if all passed. `args`: the command line, for processes of their own. */
export async function runSeeds(
  options: Options,
  runner: SeedRunner,
  args: readonly string[],
): Promise<boolean> {
  const { seed: first, seeds, verbose, determinism, jobs: processes, json, html } = options
  const { title } = runner
  console.log(`seeds ${first} to ${first + seeds - 1}, ${title}`)
  const from = performance.now()
  const sums = new Sums()
  /** What a page is written of: the first that failed, or the last. */
  let shown: Shown | undefined
  const isTwice = (seed: number): boolean => determinism || seed === first
  const all = Array.from({ length: seeds }, (_, i) => first + i)
  const results = runJobs(jobsOf(all, isTwice), runner, { processes, args })
  try {
    for (const seed of all) {
      const result = await nextOf(results)
      const faults = [...result.faults]
      if (isTwice(seed)) {
        const again = await nextOf(results)
        sums.ran(again)
        if (again.hash !== result.hash) faults.push(`not deterministic: ${result.hash}, then ${again.hash}`)
      }
      const hasFailedBefore = sums.failed.length > 0
      sums.add(result, faults.length > 0)
      const replay = `npm run sim -- --seed ${seed}${runner.options}`
      if (!hasFailedBefore && result.recording !== undefined)
        shown = { result, recording: result.recording, faults, replay }
      if (faults.length > 0) report(result, faults, replay, runner.canShrink)
      if (verbose || seeds <= 20)
        console.log(
          `seed ${seed}: ${faults.length === 0 ? 'passed' : 'FAILED'}, hash ${result.hash}, ${runner.work(result)}`,
        )
      else if ((seed - first + 1) % 100 === 0)
        console.log(
          `${seed - first + 1} seeds, ${sums.failed.length} failed, ${((performance.now() - from) / 1000).toFixed(0)} s`,
        )
    }
  } finally {
    await results.return(undefined)
  }
  const figures = { first, seeds, title, ...sums.figures, wallMs: performance.now() - from }
  console.log(summary(figures))
  if (json !== undefined) writeFileSync(json, JSON.stringify(figures, null, 2))
  if (html !== undefined && shown !== undefined) {
    writeFileSync(html, pageOf(partsOf(shown, title)))
    console.log(`page of seed ${shown.result.seed}: ${html}`)
  }
  return sums.failed.length === 0
}

/** Each seed, and some of them once more. */
function jobsOf(seeds: readonly number[], isTwice: (seed: number) => boolean): Job[] {
  return seeds.flatMap(seed => {
    const once = { seed, isAgain: false }
    return isTwice(seed) ? [once, { seed, isAgain: true }] : [once]
  })
}

async function nextOf(results: AsyncGenerator<SeedResult>): Promise<SeedResult> {
  const { value } = await results.next()
  invariant(value !== undefined, 'each job has its result')
  return value
}

/** What all seeds came to. */
class Sums {
  readonly failed: number[] = []
  readonly #totals: Record<string, number> = {}
  #virtualMs = 0
  #events = 0

  add(result: SeedResult, hasFailed: boolean): void {
    const { seed, counters } = result
    if (hasFailed) this.failed.push(seed)
    for (const [name, count] of Object.entries(counters)) {
      const sum = this.#totals[name] ?? 0
      this.#totals[name] = / max\b/.test(name) ? Math.max(sum, count) : sum + count
    }
    this.ran(result)
  }

  /** The same seed once more is work, too. */
  ran({ virtualMs, events }: Pick<SeedResult, 'virtualMs' | 'events'>): void {
    this.#virtualMs += virtualMs
    this.#events += events
  }

  get figures() {
    return { failed: this.failed, totals: this.#totals, virtualMs: this.#virtualMs, events: this.#events }
  }
}

interface Shown {
  readonly result: SeedResult
  readonly recording: Recording
  readonly faults: readonly string[]
  readonly replay: string
}

function partsOf({ result, recording, faults, replay }: Shown, options: string): PageParts {
  const { seed, hash, virtualMs } = result
  return {
    title: `Seed ${seed}, ${options}`,
    facts: [
      ['hash', hash],
      ['virtual time', `${(virtualMs / 1000).toFixed(1)} s`],
      ['replay', replay],
    ],
    recording,
    faults,
  }
}

interface Figures {
  readonly first: number
  readonly seeds: number
  readonly title: string
  readonly failed: readonly number[]
  readonly virtualMs: number
  readonly wallMs: number
  readonly events: number
  readonly totals: Readonly<Record<string, number>>
}

function summary({ first, seeds, title, failed, virtualMs, wallMs, events, totals }: Figures): string {
  const hours = (virtualMs / 3_600_000).toFixed(1)
  const counts = Object.entries(totals)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
  return [
    `${seeds} seeds from ${first}, ${title}: ${seeds - failed.length} passed, ${failed.length} failed${failed.length === 0 ? '' : ` (${failed.slice(0, 20).join(', ')})`}`,
    `${hours} virtual hours in ${(wallMs / 1000).toFixed(1)} s (${(virtualMs / wallMs).toFixed(0)} times real time), ${events} events`,
    counts.join(', '),
  ].join('\n')
}

function report(result: SeedResult, faults: readonly string[], replay: string, canShrink: boolean): void {
  console.log(`\nseed ${result.seed} FAILED:`)
  for (const fault of faults) console.log(`  - ${fault}`)
  if (result.drawn !== undefined) console.log(`it drew ${result.drawn}`)
  console.log('the latest that happened:')
  for (const line of result.latest.slice(-40)) console.log(`  ${line}`)
  console.log(`replay: ${replay}`)
  if (canShrink) console.log(`make it smaller: ${replay} --shrink FILE`)
  console.log('')
}
