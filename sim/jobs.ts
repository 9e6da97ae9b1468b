/**
 * Runs seeds one after the other here, or spread over processes of their own; results come in the order of the seeds either
 * way. Processes and not threads, as a mutant patches what all of a process share, and a run that hangs or dies takes
 * nobody with it. What ends this process ends them: they leave when the channel to it closes.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { SeedRunner } from './runners.ts'
import type { SeedResult } from './seeds.ts'

export interface Job {
  readonly seed: number
  /** The same seed once more, to compare. */
  readonly isAgain: boolean
}

/** Jobs that are under way or wait for an earlier one to be told, for each process. */
const AHEAD = 4

/** `args`: the command line, which a process reads for itself. */
export async function* runJobs(
  jobs: Iterable<Job>,
  runner: SeedRunner,
  { processes, args }: { readonly processes: number; readonly args: readonly string[] },
): AsyncGenerator<SeedResult> {
  if (processes === 1) {
    for (const { seed, isAgain } of jobs) yield await runner.run(seed, isAgain)
    return
  }
  const pool = new Pool(processes, args)
  const results: Promise<SeedResult>[] = []
  try {
    for (const job of jobs) {
      results.push(pool.run(job))
      if (results.length >= processes * AHEAD) yield (await results.shift()) as SeedResult
    }
    for (const result of results.splice(0)) yield await result
  } finally {
    pool.end()
  }
}

/** What a process is asked, and says. */
export type Ask = Job
export type Said = SeedResult

interface Waiting {
  readonly job: Job
  readonly done: (result: SeedResult) => void
}

interface Process {
  readonly child: ChildProcess
  /** What it runs; undefined: it has nothing to do. */
  current: Waiting | undefined
}

class Pool {
  readonly #args: readonly string[]
  readonly #size: number
  readonly #processes = new Set<Process>()
  readonly #waiting: Waiting[] = []
  #isOver = false

  constructor(size: number, args: readonly string[]) {
    this.#size = size
    this.#args = args
    for (const signal of SIGNALS) process.once(signal, this.#stopped)
  }

  /** Never rejects: of a process that died the result says so. */
  run(job: Job): Promise<SeedResult> {
    return new Promise(done => {
      this.#waiting.push({ job, done })
      this.#next()
    })
  }

  end(): void {
    this.#isOver = true
    for (const signal of SIGNALS) process.off(signal, this.#stopped)
    for (const { child } of this.#processes) child.kill('SIGKILL')
  }

  #next(): void {
    if (this.#isOver || this.#waiting.length === 0) return
    const idle = [...this.#processes].find(({ current }) => current === undefined)
    const one = idle ?? (this.#processes.size < this.#size ? this.#start() : undefined)
    if (one === undefined) return
    one.current = this.#waiting.shift()
    one.child.send(one.current?.job as Ask)
  }

  #start(): Process {
    const child = fork(join(import.meta.dirname, 'job-process.ts'), this.#args, {
      // Results have what JSON has not.
      serialization: 'advanced',
    })
    const one: Process = { child, current: undefined }
    this.#processes.add(one)
    const finished = (result: SeedResult): void => {
      const { current } = one
      one.current = undefined
      current?.done(result)
      this.#next()
    }
    child.on('message', (said: Said) => finished(said))
    child.once('exit', (code, signal) => {
      this.#processes.delete(one)
      finished(died(one.current?.job, signal ?? `exit code ${code}`))
    })
    // It has ended while it was told: its exit says so.
    child.on('error', () => {})
    return one
  }

  /** Ctrl-C: nothing is left behind. */
  readonly #stopped = (signal: NodeJS.Signals): void => {
    this.end()
    process.kill(process.pid, signal)
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

function died(job: Job | undefined, how: string): SeedResult {
  const seed = job?.seed ?? Number.NaN
  const faults = [`the process that ran it ended: ${how}`]
  return { seed, hash: 'none', faults, latest: [], counters: {}, virtualMs: 0, events: 0 }
}
