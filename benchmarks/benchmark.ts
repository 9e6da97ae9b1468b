/** What a benchmark is, and what it tells. */

export interface BenchmarkResult {
  readonly name: string
  /** How many of what is measured. */
  readonly n?: number
  readonly perSec?: number
  readonly p50Ms?: number
  readonly p99Ms?: number
  readonly maxMs?: number
  /** User and system time of the whole process, over n. */
  readonly cpuUsPerTask?: number
  readonly bytesPerTask?: number
  readonly rssBytes?: number
  readonly startMs?: number
  readonly [extra: string]: unknown
}

export interface BenchmarkOptions {
  /** A tenth of the work: to see that it runs, not to quote. */
  readonly quick: boolean
  readonly say: (line: string) => void
}

export interface Benchmark {
  readonly name: string
  readonly about: string
  run(options: BenchmarkOptions): Promise<BenchmarkResult[]>
}
