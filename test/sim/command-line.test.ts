/** The simulator's options about scenarios: what may be said together, and what is written and printed. */

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readOptions } from '../../sim/command-line.ts'
import { readScenario } from '../../sim/mesh/scenario.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const KEPT = 'sim/scenarios/ack-at-w-1.json'

let dir: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'carillon-options-'))
})

afterAll(() => rmSync(dir, { recursive: true, force: true }))

function simulate(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, ['sim/main.ts', ...args], { cwd: root }, (error, output) =>
      resolve({ code: Number(error?.code ?? 0), output }),
    )
  })
}

describe('a scenario', () => {
  test('says the seed and the minutes; the seed may be another one', () => {
    const file = join(root, KEPT)
    const { seed, minutes } = readScenario(file)
    expect(readOptions(['--scenario', file])).toMatchObject({ seed, minutes, isMesh: true, seeds: 1 })
    expect(readOptions(['--scenario', file, '--seed', '9', '--seeds', '3'])).toMatchObject({
      seed: 9,
      seeds: 3,
    })
  })

  test.each([
    [['--mix', 'calm'], '--mix is not allowed with --scenario: the file says it'],
    [['--minutes', '1'], '--minutes is not allowed with --scenario'],
    [['--nodes', '3'], '--nodes is not allowed with --scenario'],
    [['--mutants'], '--mutants is not allowed with --scenario'],
    [['--mutant', 'none'], '--mutant is "none"; known are ack-before-sync,'],
  ])('is refused with %s', (others, why) => {
    expect(() => readOptions(['--scenario', join(root, KEPT), ...others])).toThrow(why)
  })

  test('that is wrong is refused, by its file and field', async () => {
    const file = join(dir, 'wrong.json')
    writeFileSync(file, JSON.stringify({ about: '', seed: 1, minutes: 1, nodes: 3, strikes: 7 }))
    expect(() => readOptions(['--scenario', file])).toThrow(
      `${file}: strikes is 7: allowed is an array of strikes`,
    )
    expect(await simulate('--scenario', file)).toEqual({ code: 2, output: '' })
  })

  test('of one node cannot be written, nor made smaller', () => {
    expect(() => readOptions(['--save-scenario', 'x'])).toThrow('--save-scenario is of a mesh')
    expect(() => readOptions(['--shrink', 'x'])).toThrow('--shrink is of a mesh')
  })
})

test('a seed is written as a scenario, which gives its hash', async () => {
  const file = join(dir, 'seed.json')
  const seed = ['--seed', '6', '--nodes', '3', '--mix', 'crash', '--minutes', '0.2']
  const saved = await simulate(...seed, '--save-scenario', file)
  expect(saved).toMatchObject({
    code: 0,
    output: expect.stringContaining(`npm run sim -- --scenario ${file}`),
  })
  const [drawn, read] = await Promise.all([simulate(...seed), simulate('--scenario', file)])
  const hash = /^seed 6: passed, hash (\w+)/m.exec(drawn.output)?.[1]
  expect(hash).toBeDefined()
  expect(read.output).toContain(`seed 6: passed, hash ${hash}`)
})

test('what fails is made smaller: the judge’s words, the file, and how to replay it', async () => {
  const file = join(dir, 'small.json')
  const bug = ['--mutant', 'ack-at-w-1']
  const { code, output } = await simulate('--scenario', KEPT, ...bug, '--shrink', file, '--tries', '2')
  expect(code).toBe(0)
  expect(output).toContain('it fails: durability: ')
  expect(output).toContain('without ack-at-w-1 it passes')
  expect(output).toContain(`replay: npm run sim -- --scenario ${file} --mutant ack-at-w-1`)
  expect(readScenario(file)).toMatchObject({ judge: 'durability', mutant: 'ack-at-w-1' })
})

test('what passes is not made smaller', async () => {
  const file = join(dir, 'none.json')
  const { code, output } = await simulate('--nodes', '3', '--mix', 'calm', '--minutes', '0', '--shrink', file)
  expect(code).toBe(1)
  expect(output).toContain('it passes: there is nothing to shrink')
})
