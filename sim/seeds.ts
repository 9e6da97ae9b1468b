/**
 * Runs seeds, one after the other, and says how each went: the seeds and the options first, how to replay what failed,
 * and the sums in the end. What a seed runs is the caller's.
 */

import { writeFileSync } from 'node:fs'
import type { Options } from './command-line.ts'
import type { Recording } from './page/recording.ts'
import { type PageParts, pageOf } from './page/write.ts'

export interface SeedResult {
  readonly seed: number
  readonly hash: string
  readonly faults: readonly string[]
  readonly latest: readonly string[]
  /** Of those with `max` in their names the sum over seeds is the largest. */
  readonly counters: Readonly<Record<string, number>>
  readonly virtualMs: number
  readonly events: number
  /** For a page, where one was asked for. */
  readonly recording?: Recording
}

export interface SeedRunner {
  /** `isAgain`: the same once more, of which only the hash is wanted. */
  run(seed: number, isAgain: boolean): Promise<SeedResult>
  /** The options of its own that a replay has to have, each with a space before it. */
  readonly options: string
  /** The same in words, for the first line. */
  readonly title: string
  /** How much a seed did, in a few words. */
  work(result: SeedResult): string
}

/** True if all passed. */
export async function runSeeds(
  { seed: first, seeds, minutes, mix, json, html, verbose, determinism }: Options,
  runner: SeedRunner,
): Promise<boolean> {
  console.log(
    `seeds ${first} to ${first + seeds - 1}, ${minutes} virtual minutes each, mix ${mix}${runner.title}`,
  )
  const from = performance.now()
  const totals: Record<string, number> = {}
  const failed: number[] = []
  let virtualMs = 0
  let events = 0
  /** What a page is written of: the first that failed, or the last. */
  let shown: Shown | undefined
  for (let seed = first; seed < first + seeds; seed++) {
    const result = await runner.run(seed, false)
    const faults = [...result.faults]
    if (determinism || seed === first) {
      const again = await runner.run(seed, true)
      virtualMs += again.virtualMs
      events += again.events
      if (again.hash !== result.hash) faults.push(`not deterministic: ${result.hash}, then ${again.hash}`)
    }
    for (const [name, count] of Object.entries(result.counters)) {
      totals[name] = / max\b/.test(name) ? Math.max(totals[name] ?? 0, count) : (totals[name] ?? 0) + count
    }
    virtualMs += result.virtualMs
    events += result.events
    const replay = `npm run sim -- --seed ${seed} --minutes ${minutes} --mix ${mix}${runner.options}`
    if (failed.length === 0 && result.recording !== undefined)
      shown = { result, recording: result.recording, faults, replay }
    if (faults.length > 0) {
      failed.push(seed)
      report(result, faults, replay)
    }
    if (verbose || seeds <= 20)
      console.log(
        `seed ${seed}: ${faults.length === 0 ? 'passed' : 'FAILED'}, hash ${result.hash}, ${runner.work(result)}`,
      )
    else if ((seed - first + 1) % 100 === 0)
      console.log(
        `${seed - first + 1} seeds, ${failed.length} failed, ${((performance.now() - from) / 1000).toFixed(0)} s`,
      )
  }
  const figures = {
    first,
    seeds,
    minutes,
    mix,
    failed,
    virtualMs,
    wallMs: performance.now() - from,
    events,
    totals,
  }
  console.log(summary(figures))
  if (json !== undefined) writeFileSync(json, JSON.stringify(figures, null, 2))
  if (html !== undefined && shown !== undefined) {
    writeFileSync(html, pageOf(partsOf(shown, `${minutes} virtual minutes, mix ${mix}${runner.title}`)))
    console.log(`page of seed ${shown.result.seed}: ${html}`)
  }
  return failed.length === 0
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
  readonly mix: string
  readonly failed: readonly number[]
  readonly virtualMs: number
  readonly wallMs: number
  readonly events: number
  readonly totals: Readonly<Record<string, number>>
}

function summary({ first, seeds, mix, failed, virtualMs, wallMs, events, totals }: Figures): string {
  const hours = (virtualMs / 3_600_000).toFixed(1)
  const counts = Object.entries(totals)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
  return [
    `${seeds} seeds from ${first}, mix ${mix}: ${seeds - failed.length} passed, ${failed.length} failed${failed.length === 0 ? '' : ` (${failed.slice(0, 20).join(', ')})`}`,
    `${hours} virtual hours in ${(wallMs / 1000).toFixed(1)} s (${(virtualMs / wallMs).toFixed(0)} times real time), ${events} events`,
    counts.join(', '),
  ].join('\n')
}

function report(result: SeedResult, faults: readonly string[], replay: string): void {
  console.log(`\nseed ${result.seed} FAILED:`)
  for (const fault of faults) console.log(`  - ${fault}`)
  console.log('the latest that happened:')
  for (const line of result.latest.slice(-40)) console.log(`  ${line}`)
  console.log(`replay: ${replay}\n`)
}
