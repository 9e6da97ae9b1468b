/**
 * kill -9 in a loop: a real process with a real disk, under load, killed at random moments and started again on the
 * same data directory. What it acknowledged, and what its handlers saw, it writes to a file of its own as it happens
 * (a write() survives the process). The judge reads only that file.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { SeededRandom } from '../../src/lib/seeded-random.ts'

export interface CrashOptions {
  readonly kills: number
  readonly seed: number
}

const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url))
const READY_MS = 60_000
const DRAIN_MS = 120_000

/** Resolves with what went wrong; prints figures. */
export async function crash({ kills, seed }: CrashOptions): Promise<string[]> {
  console.log(`crash: ${kills} kills, seed ${seed}`)
  const random = new SeededRandom(seed)
  const dir = mkdtempSync(join(tmpdir(), 'carillon-crash-'))
  const story = join(dir, 'story')
  const data = join(dir, 'data')
  const startMs: number[] = []
  const from = performance.now()
  try {
    for (let kill = 0; kill < kills; kill++) {
      const began = performance.now()
      const child = start(data, story, `${seed}-${kill}`, 'load')
      await said(child, 'ready', READY_MS)
      startMs.push(performance.now() - began)
      await new Promise(resolve => setTimeout(resolve, random.float() ** 2 * 1500))
      const gone = ended(child)
      child.kill('SIGKILL')
      await gone
      if ((kill + 1) % 20 === 0) console.log(`  ${kill + 1} kills`)
    }
    const last = start(data, story, `${seed}-end`, 'drain')
    await said(last, 'drained', READY_MS + DRAIN_MS)
    const code = await ended(last)
    const found = judge(readFileSync(story, 'utf8'))
    if (code !== 0) found.failures.push(`the last process ended with exit code ${code}`)
    startMs.sort((a, b) => a - b)
    const start50 = Math.round(startMs[startMs.length >> 1] ?? 0)
    const seconds = Math.round((performance.now() - from) / 1000)
    console.log(
      `crash: seed ${seed}, ${kills} kills in ${seconds} s: ${found.acknowledged} acknowledged, ${found.completed} completed, ` +
        `${found.duplicates} completed more than once, ${found.corrupt} corrupt, ${found.failures.length} failures; ` +
        `start p50 ${start50} ms, max ${Math.round(startMs.at(-1) ?? 0)} ms`,
    )
    return found.failures
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

interface Found {
  readonly failures: string[]
  readonly acknowledged: number
  readonly completed: number
  readonly duplicates: number
  readonly corrupt: number
}

/** Lines of the story: `A kind id` acknowledged, `S kind runId attempt` entered, `E kind runId` left, `X ...` a broken payload. */
export function judge(text: string): Found {
  const acknowledged = new Map<string, string>()
  const entered = new Map<string, number>()
  const left = new Map<string, number>()
  const failures: string[] = []
  let corrupt = 0
  for (const line of text.split('\n')) {
    const [what, kind, id] = line.split(' ') as [string, string, string]
    if (what === 'A') acknowledged.set(id, kind)
    else if (what === 'S') entered.set(id, (entered.get(id) ?? 0) + 1)
    else if (what === 'E') left.set(id, (left.get(id) ?? 0) + 1)
    else if (what === 'X') {
      corrupt++
      failures.push(`corrupt: ${line}`)
    }
  }
  const completedTasks = new Set([...left.keys()].map(runId => runId.slice(0, runId.lastIndexOf('@'))))
  const enteredTasks = new Set([...entered.keys()].map(runId => runId.slice(0, runId.lastIndexOf('@'))))
  let lostOnce = 0
  for (const [id, kind] of acknowledged) {
    if (kind === 'once') {
      if (!enteredTasks.has(id)) lostOnce++
    } else if (!completedTasks.has(id)) failures.push(`acknowledged and never completed: ${kind} ${id}`)
  }
  for (const [runId, times] of entered) {
    const kind = acknowledged.get(runId.slice(0, runId.lastIndexOf('@')))
    if (kind === 'once' && times > 1) failures.push(`at-most-once, and entered ${times} times: ${runId}`)
  }
  if (acknowledged.size < 100)
    failures.push(`only ${acknowledged.size} tasks were acknowledged: this proves nothing`)
  if (lostOnce > 0)
    console.log(`  ${lostOnce} at-most-once tasks were claimed and never entered, as that guarantee permits`)
  const duplicates = [...left.values()].filter(times => times > 1).length
  return { failures, acknowledged: acknowledged.size, completed: left.size, duplicates, corrupt }
}

function start(data: string, story: string, name: string, mode: 'load' | 'drain'): ChildProcess {
  return spawn(process.execPath, [CHILD, data, story, name, mode], { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** Rejects if the process ends first, or is too slow. */
function said(child: ChildProcess, word: string, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no "${word}" within ${ms} ms`)), ms)
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    lines.on('line', line => {
      if (line !== word) return
      clearTimeout(timer)
      resolve()
    })
    child.once('exit', code => {
      clearTimeout(timer)
      reject(new Error(`the process ended with exit code ${code} before it said "${word}"`))
    })
  })
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise(resolve => child.once('exit', code => resolve(code)))
}

/** What every payload carries, so that a broken one shows. */
export function sumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
