import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ambientUses, type Exception, PURE_FOLDERS } from './ambient.ts'
import { filesUnder, ROOT } from './source.ts'

/** All that is excepted. Each is a pure and synchronous function, or it stands here with its reason. */
const EXCEPTIONS: readonly Exception[] = [
  { path: 'src/lib/crc32.ts', what: 'node:zlib crc32', why: 'pure and synchronous' },
  {
    path: 'src/task/text-hash.ts',
    what: 'node:crypto createHash',
    why: 'pure and synchronous: the id of a key',
  },
  { path: 'src/check-node.ts', what: 'the process', why: 'asks for the version of Node, before all else' },
]

function pureFiles(): string[] {
  return filesUnder('src').filter(path => {
    const [, first, ...rest] = path.split('/')
    return rest.length === 0 ? first !== 'index.ts' : PURE_FOLDERS.includes(first!)
  })
}

test('nothing below the adapters touches time, timers, chance, files or the network', () => {
  const files = pureFiles()
  expect(files.length).toBeGreaterThan(10)
  const uses = files.flatMap(path => ambientUses(path, readFileSync(join(ROOT, path), 'utf8'), EXCEPTIONS))
  expect(uses).toEqual([])
})

test('no exception outlives its use', () => {
  for (const exception of EXCEPTIONS) {
    const others = EXCEPTIONS.filter(other => other !== exception)
    const source = readFileSync(join(ROOT, exception.path), 'utf8')
    expect(ambientUses(exception.path, source, others), exception.what).not.toEqual([])
  }
})

test.each([
  'const t = Date.now()',
  'const t = new Date()',
  'const t = new Date( )',
  'const t = +new Date',
  'const t = Date()',
  'const t = Temporal.Now.instant()',
  'const h = new Date(at).getHours()',
  'const t = performance.now()',
  'const t = performance?.now()',
  'const t = process.hrtime.bigint()',
  'const m = process.memoryUsage()',
  'setTimeout(done, 5)',
  'const { setImmediate: soon } = globalThis',
  'const signal = AbortSignal.timeout(5)',
  'const x = Math.random()',
  'const id = crypto.randomUUID()',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text
  'const text = `${Date.now()}`',
  "import { readFile } from 'node:fs/promises'",
  "import * as net from 'node:net'",
  "import fs from 'fs'",
  "import { spawn } from 'node:child_process'",
  "const { Worker } = await import('node:worker_threads')",
  "import { crc32 } from 'node:zlib'",
])('finds %s', source => {
  expect(ambientUses('src/task/task.ts', source)).not.toEqual([])
})

test.each([
  '// Date.now() is the wall clock',
  "const text = 'setTimeout(5)'",
  'const t = new Date(at)',
  'const t = new Date(Date.UTC(2026, 1, 1)).getUTCHours()',
  'const t = clock.now() + clock.monotonic()',
  'this.#clock.setTimer(5, done)',
  'function f(at: Date): Date { return at }',
  "import type { Worker } from 'node:worker_threads'",
  "import { type Socket } from 'node:net'",
  "import { CarillonError } from '../errors.ts'",
])('accepts %s', source => {
  expect(ambientUses('src/task/task.ts', source)).toEqual([])
})

test('an exception is for one file and one thing', () => {
  const source = "import { crc32, gzipSync } from 'node:zlib'"
  expect(ambientUses('src/lib/crc32.ts', source, EXCEPTIONS)).toEqual([
    'src/lib/crc32.ts:1 uses node:zlib gzipSync',
  ])
  expect(ambientUses('src/lib/hash.ts', source, EXCEPTIONS)).toHaveLength(2)
})

test('says the line', () => {
  expect(ambientUses('src/a.ts', '\n\nconst t = Date.now()\n')).toEqual([
    'src/a.ts:3 uses the wall clock: Date.now',
  ])
})
