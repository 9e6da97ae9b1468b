/** The page of a run: that recording changes nothing, that all is in it, and that it is one file that needs no other. */

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Script } from 'node:vm'
import { expect, onTestFinished, test } from 'vitest'
import { runMesh } from '../../../sim/mesh/run.ts'
import { KINDS } from '../../../sim/page/kinds.ts'
import { type PageData, type Recording, unpacked } from '../../../sim/page/recording.ts'
import { pageOf } from '../../../sim/page/write.ts'
import { runSeed } from '../../../sim/world.ts'
import { ROOT } from '../../house/source.ts'

function countOf({ items }: Recording, row: string): number {
  return items.filter(({ kind, to }) => KINDS[kind].row === row && to !== undefined).length
}

function partsOf(html: string): { data: PageData; script: string } {
  const [, data = ''] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html) ?? []
  const [, script = ''] = /<script type="module">(.*?)<\/script>/s.exec(html) ?? []
  return { data: JSON.parse(data) as PageData, script }
}

test('a node that is recorded runs as one that is not', async () => {
  const run = { seed: 5, minutes: 0.5, mix: 'all' }
  const { recording, ...recorded } = await runSeed({ ...run, recorded: true })
  const plain = await runSeed(run)
  expect(recorded).toEqual(plain)
  expect(plain).not.toHaveProperty('recording')
  expect(recording?.lanes[0]?.name).toBe('engine')
  expect(countOf(recording as Recording, 'runs')).toBe(plain.counters.attempts)
})

test('a mesh that is recorded runs as one that is not, and all that happened is there', async () => {
  const run = { seed: 3, minutes: 0.5, mix: 'task-crash', nodes: 3 }
  const { recording, ...recorded } = await runMesh({ ...run, recorded: true })
  const plain = await runMesh(run)
  expect(recorded).toEqual(plain)
  const { lanes, items, from, to } = recording as Recording
  expect(lanes.map(({ name }) => name)).toEqual(['mesh', 'users', 'n0', 'n1', 'n2'])
  expect(countOf(recording as Recording, 'runs')).toBe(plain.counters.attempts)
  // They are counted before all stop, which changes views as well.
  const views = items.filter(({ kind }) => kind === 'view')
  expect(views.length).toBeGreaterThanOrEqual(plain.counters.views as number)
  const kinds = new Set(items.map(({ kind }) => kind))
  for (const kind of ['phase', 'up', 'down', 'acts', 'takeover', 'call', 'send', 'answer', 'due'] as const)
    expect(kinds, kind).toContain(kind)
  for (const item of items) {
    expect(item.from).toBeGreaterThanOrEqual(from)
    expect(item.from).toBeLessThanOrEqual(to)
    expect(item.to ?? item.from).toBeGreaterThanOrEqual(item.from)
    expect(lanes[item.lane]).toBeDefined()
  }
})

test('a page is one file, asks for nothing, and is not ended by what users call their tasks', () => {
  const task = 'a</script><script>alert(1)</script><!-- b'
  const recording: Recording = {
    lanes: [{ name: 'n0', title: 'node 0' }],
    items: [{ kind: 'send', lane: 0, from: 1, text: `sent: ${task}`, task }],
    from: 0,
    to: 9,
    wallOffset: 0,
    ranges: 0,
  }
  const faults = [`durability: ${task} was lost`]
  const html = pageOf({ title: 'a <b> & c', facts: [['hash', '$& $1']], recording, faults })
  expect(html.match(/<script/gi)).toHaveLength(2)
  expect(html.match(/<\/script/gi)).toHaveLength(2)
  expect(html).toContain('<title>a &lt;b> &amp; c</title>')
  expect(html).not.toMatch(/\b(?:src|href|action)\s*=|@import|url\(|https?:/i)
  const { data, script } = partsOf(html)
  expect(unpacked(data.recording).items[0]?.task).toBe(task)
  expect(data.facts).toEqual([['hash', '$& $1']])
  expect(data.violations[0]?.task).toBe(task)
  // In a block and strict, as in a module, no name may be there twice.
  expect(() => new Script(`'use strict'; {${script}}`)).not.toThrow()
  expect(script).not.toMatch(/^\s*(?:import|export)\s/m)
  expect(script.length).toBeGreaterThan(10_000)
})

test('the command line writes the page of the seed that failed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'carillon-page-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'run.html')
  const run = ['--seed', '7', '--minutes', '0.5', '--mix', 'calm', '--mutant', 'early-clock']
  const { promise, resolve } = Promise.withResolvers<string>()
  execFile(process.execPath, ['sim/main.ts', ...run, '--html', file], { cwd: ROOT }, (_, output, errors) =>
    resolve(`${output}${errors}`),
  )
  const output = await promise
  expect(output).toContain(`page of seed 7: ${file}`)
  expect(output).not.toContain('Warning')
  const { data } = partsOf(readFileSync(file, 'utf8'))
  expect(data.facts).toContainEqual(['replay', `npm run sim -- ${run.join(' ')}`])
  const [violation] = data.violations
  expect(violation).toMatchObject({ checker: 'timeliness', task: expect.any(String) })
  const items = unpacked(data.recording).items.filter(({ task }) => task === violation?.task)
  expect(items.some(({ kind }) => kind === 'completed')).toBe(true)
})
