/** Seeds that are spread over processes come to the same as seeds that one process runs, and nothing is left behind. */

import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { readOptions } from '../../sim/command-line.ts'
import { runJobs } from '../../sim/jobs.ts'
import { runnerOf } from '../../sim/runners.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const left: number[] = []

afterEach(() => {
  for (const pid of left.splice(0)) if (isThere(pid)) process.kill(pid, 'SIGKILL')
})

function simulate(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, ['sim/main.ts', ...args], { cwd: root }, (error, output) =>
      resolve({ code: Number(error?.code ?? 0), output }),
    )
  })
}

/** All that does not depend on how quick the machine is. */
function timeless(output: string): string[] {
  return output.split('\n').map(line => line.replace(/ in [\d.]+ s \(\d+ times real time\)/, ''))
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('with several jobs', () => {
  test.each([
    [['--mix', 'calm', '--minutes', '0.3', '--mutant', 'early-clock']],
    [['--nodes', '3', '--minutes', '0.1']],
  ])('%s prints the same as with one, in order, failures included', async options => {
    const seeds = ['--seed', '3', '--seeds', '3', ...options]
    const [one, two] = await Promise.all([simulate(...seeds), simulate(...seeds, '--jobs', '2')])
    expect(one.output.match(/^seed \d: \w+, hash/gm)).toHaveLength(3)
    expect(timeless(two.output)).toEqual(timeless(one.output))
    expect(two.code).toBe(one.code)
  })

  test('the same figures are written', async () => {
    const seeds = ['--seed', '3', '--seeds', '3', '--minutes', '0.2', '--mix', 'calm']
    const dir = mkdtempSync(join(tmpdir(), 'carillon-figures-'))
    try {
      await Promise.all(
        ['1', '2'].map(jobs => simulate(...seeds, '--jobs', jobs, '--json', join(dir, `${jobs}.json`))),
      )
      const [one, two] = readdirSync(dir).map(file => JSON.parse(readFileSync(join(dir, file), 'utf8')))
      expect(one.totals.attempts).toBeGreaterThan(0)
      expect({ ...two, wallMs: 0 }).toEqual({ ...one, wallMs: 0 })
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })

  test('a process that dies fails its seed, and the others go on', async () => {
    const args = ['--mesh', '--nodes', '3', '--mix', 'calm', '--minutes', '0']
    const options = readOptions(args)
    const jobs = [1, 2, 3].map(seed => ({ seed, isAgain: false }))
    // It does not know what it is told, and ends at once.
    const results = []
    for await (const result of runJobs(jobs, runnerOf(options), {
      processes: 2,
      args: [...args, '--nonsense'],
    }))
      results.push(result)
    expect(results.map(({ seed }) => seed)).toEqual([1, 2, 3])
    for (const { faults } of results) expect(faults).toEqual(['the process that ran it ended: exit code 1'])
  })

  // SIGKILL cannot be passed on: they see that the one that began them has gone.
  test.each(['SIGINT', 'SIGKILL'] as const)('%s ends all of them', async signal => {
    const args = ['sim/main.ts', '--seeds', '19', '--jobs', '2', '--minutes', '0.2', '--mix', 'calm']
    const parent = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    left.push(parent.pid as number)
    const ended = new Promise<string | null>(resolve => parent.once('exit', (_, how) => resolve(how)))
    await new Promise<void>(resolve => {
      createInterface({ input: parent.stdout }).on('line', line => {
        if (line.startsWith('seed 1:')) resolve()
      })
    })
    const children = childrenOf(parent.pid as number)
    left.push(...children)
    expect(children).toHaveLength(2)
    parent.kill(signal)
    expect(await ended).toBe(signal)
    await expect.poll(() => children.filter(isThere), { timeout: 30_000 }).toEqual([])
  })
})

test.each([
  ['--jobs', '0'],
  ['--jobs', '2', '--verbose'],
  ['--jobs', '2', '--mutants'],
])('%s %s is refused', async (...args) => {
  expect(await simulate(...args)).toEqual({ code: 2, output: '' })
})

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}
