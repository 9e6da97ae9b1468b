/** What the benchmarks share: a fresh data directory on a real disk, CPU time, percentiles, and a payload. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** 60 bytes of JSON. */
export const PAYLOAD = { to: 'someone@example.com', subject: 'hello there', n: 1234 }

const made = new Set<string>()
process.once('exit', () => {
  for (const path of made) rmSync(path, { recursive: true, force: true })
})
process.once('SIGINT', () => process.exit(130))

/** Gone when the process ends. */
export function freshDir(): string {
  const path = mkdtempSync(join(tmpdir(), 'carillon-bench-'))
  made.add(path)
  return path
}

export function removeDir(path: string): void {
  rmSync(path, { recursive: true, force: true })
  made.delete(path)
}

/** Starts a stopwatch of wall and CPU time. */
export function stopwatch(): () => { ms: number; cpuUs: number } {
  const cpu = process.cpuUsage()
  const from = performance.now()
  return () => {
    const used = process.cpuUsage(cpu)
    return { ms: performance.now() - from, cpuUs: used.user + used.system }
  }
}

export function percentiles(values: number[]): { p50Ms: number; p99Ms: number; maxMs: number } {
  const sorted = Float64Array.from(values).sort()
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

export function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
