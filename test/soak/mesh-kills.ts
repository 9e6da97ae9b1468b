/**
 * kill -9 in a mesh of real processes on loopback, under load: one of three is killed at a random moment, and started again
 * with its disk; every third time without it, as a new store. What was acknowledged and what ran the nodes write to a file as it happens; the judge reads only that.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { freePort } from '../support/libp2p-nodes.ts'

export interface MeshKillsOptions {
  readonly kills: number
  readonly seed: number
}

interface Kill {
  readonly pid: number
  readonly at: number
}

interface Started {
  readonly process: ChildProcess
  readonly settled: Promise<void>
}

const CHILD = fileURLToPath(new URL('./mesh-kills-child.ts', import.meta.url))
const NODES = 3
/** So many kills, and the disk of the last one goes, too. */
const WIPED_EVERY = 3
const SETTLED_MS = 240_000
const DRAIN_MS = 60_000
/** Runs of the dead are to begin again before that. */
const SLOW_MS = 2000

/** Resolves with what went wrong; prints figures. */
export async function meshKills({ kills, seed }: MeshKillsOptions): Promise<string[]> {
  console.log(`mesh-kills: ${kills} kills, seed ${seed}`)
  const random = new SeededRandom(seed)
  const dir = mkdtempSync(join(tmpdir(), 'carillon-mesh-'))
  const story = join(dir, 'story')
  const addresses: string[] = []
  for (let i = 0; i < NODES; i++) addresses.push(`127.0.0.1:${await freePort()}`)
  const start = (i: number, life: number): Started => {
    const others = addresses.filter((_, other) => other !== i)
    const args = [join(dir, `${i}`), story, `${seed}-${i}-${life}`, addresses[i] as string, ...others]
    const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    return { process: child, settled: said(child, 'settled') }
  }
  const killed: Kill[] = []
  const from = performance.now()
  const nodes = addresses.map((_, i) => start(i, 0))
  try {
    await Promise.all(nodes.map(({ settled }) => settled))
    for (let kill = 0; kill < kills; kill++) {
      await sleep(500 + random.float() * 1500)
      const at = Math.floor(random.float() * NODES)
      const { process: child } = nodes[at] as Started
      const gone = new Promise(resolve => child.once('exit', resolve))
      killed.push({ pid: child.pid as number, at: Date.now() })
      child.kill('SIGKILL')
      await gone
      // Long enough for the others to go on, or not: a process may be back at once.
      await sleep(random.float() * 3000)
      if (kill % WIPED_EVERY === WIPED_EVERY - 1) rmSync(join(dir, `${at}`, 'db'), { recursive: true })
      nodes[at] = start(at, kill + 1)
      await (nodes[at] as Started).settled
      if ((kill + 1) % 10 === 0) console.log(`  ${kill + 1} kills`)
    }
    for (const { process: child } of nodes) child.stdin?.write('drain\n')
    await drained(story)
    const found = judge(readFileSync(story, 'utf8'), killed)
    const seconds = Math.round((performance.now() - from) / 1000)
    const { againMs } = found
    const [p50, p99, most] = [0.5, 0.99, 1].map(share => atShare(againMs, share))
    const slow = againMs.filter(ms => ms > SLOW_MS)
    console.log(
      `mesh-kills: seed ${seed}, ${kills} kills (${Math.floor(kills / WIPED_EVERY)} with the disk) in ${seconds} s: ${found.acknowledged} acknowledged, ${found.completed} completed, ` +
        `${found.failures.length} lost; of the dead ${againMs.length} runs were started again, p50 ${p50}, p99 ${p99}, at most ${most} ms after the kill, ${slow.length} after more than ${SLOW_MS} ms; ` +
        `${found.again} completed runs ran again; late p50 ${found.late50} ms, p99 ${found.late99} ms`,
    )
    return found.failures
  } finally {
    for (const { process: child } of nodes) child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
}

/** In order. */
function atShare(times: readonly number[], share: number): number {
  return times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
}

interface Found {
  readonly failures: string[]
  readonly acknowledged: number
  readonly completed: number
  /** Runs that were completed, and started once more. */
  readonly again: number
  /** From a kill to the next start of a run that was with the dead, in order. */
  readonly againMs: readonly number[]
  readonly late50: number
  readonly late99: number
}

interface Start {
  readonly pid: number
  readonly at: number
}

export function judge(story: string, kills: readonly Kill[]): Found {
  const acknowledged = new Set<string>()
  const completed = new Set<string>()
  const endedRuns = new Set<string>()
  /** The latest start of each run that has not ended. */
  const open = new Map<string, Start>()
  const repeated = new Set<string>()
  const againMs: number[] = []
  const late: number[] = []
  for (const line of story.split('\n')) {
    const [kind, key = '', task = '', pid, at, due] = line.split(' ')
    if (kind === 'A') acknowledged.add(key)
    if (kind === 'E') {
      completed.add(task)
      endedRuns.add(key)
      open.delete(key)
    }
    if (kind !== 'S') continue
    const before = open.get(key)
    if (endedRuns.has(key)) repeated.add(key)
    else if (before === undefined) late.push(Number(at) - Number(due))
    else {
      const kill = kills.find(each => each.pid === before.pid)
      if (kill !== undefined) againMs.push(Number(at) - kill.at)
    }
    open.set(key, { pid: Number(pid), at: Number(at) })
  }
  const failures = [...acknowledged]
    .filter(id => !completed.has(id))
    .map(id => `${id} was acknowledged and never completed`)
  if (acknowledged.size === 0) failures.push('nothing was acknowledged')
  againMs.sort((a, b) => a - b)
  late.sort((a, b) => a - b)
  return {
    failures,
    acknowledged: acknowledged.size,
    completed: completed.size,
    again: repeated.size,
    againMs,
    late50: atShare(late, 0.5),
    late99: atShare(late, 0.99),
  }
}

/** All that was acknowledged has completed, or the time is over. */
async function drained(story: string): Promise<void> {
  for (const until = performance.now() + DRAIN_MS; performance.now() < until; await sleep(1000))
    if (judge(readFileSync(story, 'utf8'), []).failures.length === 0) return
}

function said(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const tooLate = setTimeout(() => reject(new Error(`not ${word} within ${SETTLED_MS} ms`)), SETTLED_MS)
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', line => {
      if (line !== word) return
      clearTimeout(tooLate)
      resolve()
    })
    child.once('exit', code => {
      clearTimeout(tooLate)
      reject(new Error(`a node ended with exit code ${code} before it was ${word}`))
    })
  })
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
