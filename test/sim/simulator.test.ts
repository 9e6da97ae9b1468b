/** The simulator itself: a run follows from its options alone, and one that fails says how to see it again. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { runSeed } from '../../sim/world.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A run of the command line in a process of its own. */
function simulate(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, ['sim/main.ts', ...args], { cwd: root }, (error, output) =>
      resolve({ code: Number(error?.code ?? 0), output }),
    )
  })
}

/** Seed -> trace hash, as printed. */
function hashesOf(output: string): Map<number, string> {
  const lines = output.matchAll(/^seed (\d+): \w+, hash ([0-9a-f]{16})/gm)
  return new Map([...lines].map(([, seed, hash]) => [Number(seed), hash as string]))
}

describe('a seed', () => {
  test('gives the same trace twice in one process, and other seeds give others', async () => {
    const run = { minutes: 0.5, mix: 'all' }
    const first = await runSeed({ ...run, seed: 5 })
    const second = await runSeed({ ...run, seed: 6 })
    const again = await runSeed({ ...run, seed: 5 })
    expect(again).toEqual(first)
    expect(first.events).toBeGreaterThan(1000)
    expect(second.hash).not.toBe(first.hash)
  })

  test('gives the same trace in another process, whatever ran there before', async () => {
    const options = ['--minutes', '1', '--mix', 'all']
    const [two, one] = await Promise.all([
      simulate('--seed', '4', '--seeds', '2', ...options),
      simulate('--seed', '5', ...options),
    ])
    const hashes = hashesOf(two.output)
    expect([...hashes.keys()]).toEqual([4, 5])
    expect(new Set(hashes.values()).size).toBe(2)
    expect(hashesOf(one.output).get(5)).toBe(hashes.get(5))
  })

  test('gives another trace with other faults or another length', async () => {
    const hashes = new Set<string>()
    for (const [minutes, mix] of [
      [0.5, 'all'],
      [0.5, 'calm'],
      [0.6, 'calm'],
    ] as const)
      hashes.add((await runSeed({ seed: 5, minutes, mix })).hash)
    expect(hashes.size).toBe(3)
  })
})

describe('the command line', () => {
  test('prints the seed and the options first, and how to replay a run that failed', async () => {
    const run = ['--minutes', '1', '--mix', 'calm', '--mutant', 'early-clock']
    const { code, output } = await simulate('--seed', '7', ...run)
    expect(code).toBe(1)
    expect(output.split('\n')[0]).toBe('seeds 7 to 7, 1 virtual minutes each, mix calm, mutant early-clock')
    expect(output).toContain('seed 7 FAILED:\n  - ')
    expect(output).toMatch(/timeliness: .* before its instant/)
    const [, replay = ''] = /^replay: npm run sim -- (.*)$/m.exec(output) ?? []
    expect(replay.split(' ')).toEqual(['--seed', '7', ...run])
    const again = await simulate(...replay.split(' '))
    expect(hashesOf(again.output)).toEqual(hashesOf(output))
  })

  test.each([
    ['--seed', 'x'],
    ['--mix', 'none'],
    ['--mutant', 'none'],
    ['--sead', '1'],
  ])('refuses %s %s', async (...args) => {
    const { code, output } = await simulate(...args)
    expect(code).toBe(2)
    expect(output).toBe('')
  })
})
