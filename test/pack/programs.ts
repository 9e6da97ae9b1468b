/**
 * The user's project of pack.test.ts: one program in each way to load the package. Texts, because the types of
 * `carillon` are there only once it is packed. Each program is run twice on one data directory, and prints one line
 * of JSON; it doesn't call exit, so it ends only if close() lets go of everything.
 */

/** What a program prints. */
export interface Printed {
  readonly node: string
  readonly result: number
  /** The state of the task for tomorrow: absent when the directory is new, kept from then on. */
  readonly tomorrow: string | null
  readonly preview: readonly string[]
  readonly occurrences: readonly string[]
}

/** Nine in Paris on workdays, around the night when its clocks go forward (29 March 2026, a Sunday). */
export const OCCURRENCES = [
  '2026-03-27T08:00:00.000Z',
  '2026-03-30T07:00:00.000Z',
  '2026-03-31T07:00:00.000Z',
]
/** The same from now on, in summer or in winter. */
export const PREVIEW = /T0[78]:00:00\.000Z$/

const BODY = `
  const node = await createNode({ dataDir: process.argv[2], handlers: { double } })
  const before = await node.task('tomorrow')
  const task = await node.schedule({ name: 'double', payload: 21 })
  const result = await task.result()
  if (before === null) await node.schedule({ id: 'tomorrow', name: 'double', payload: 1, after: '24h' })
  const workdays = { cron: '0 9 * * 1-5', tz: 'Europe/Paris' }
  const preview = node.preview(workdays, 3)
  await node.close()
  console.log(JSON.stringify({
    node: process.version,
    result,
    tomorrow: before?.state ?? null,
    preview: preview.map(text),
    occurrences: occurrences(workdays, { from: new Date('2026-03-26T12:00:00Z'), count: 3 }).map(text),
  }))
`

/** By the file's name. */
export const PROGRAMS: Readonly<Record<string, string>> = {
  'program.mjs': `
import { createNode, occurrences } from 'carillon'
const text = at => new Date(at).toISOString()
const double = async run => run.payload * 2
${BODY}`,

  'program.cjs': `
const { createNode, occurrences } = require('carillon')
const text = at => new Date(at).toISOString()
const double = async run => run.payload * 2
async function main() {${BODY}}
main()
`,

  'program.ts': `
import { createNode, occurrences, type Run } from 'carillon'
const text = (at: number): string => new Date(at).toISOString()
const double = async (run: Run<number>): Promise<number> => run.payload * 2
${BODY}`,
}

/** Tests of a user, for Node's own runner: the kit comes with the package, loaded in each way there is. */
const TESTED = `
test('a nightly task of three nodes', async () => {
  const mesh = await createTestMesh({ nodes: 3, handlers: { double: async run => run.payload * 2 } })
  await mesh.node.schedule({ id: 'n', name: 'double', payload: 21, cron: '0 3 * * *' })
  await mesh.advance('1 week')
  assert.equal(mesh.ran('double').length, 7)
  assert.equal(mesh.runs[0].result, 42)
  const error = await mesh.node.cancel('').catch(error => error)
  assert.ok(isCarillonError(error, 'INVALID'), 'the errors are those of carillon itself')
  await mesh.close()
})
`

export const TESTS: Readonly<Record<string, string>> = {
  'kit.test.mjs': `
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCarillonError } from 'carillon'
import { createTestMesh } from 'carillon/testing'
${TESTED}`,

  'kit.test.cjs': `
const assert = require('node:assert/strict')
const { test } = require('node:test')
const { isCarillonError } = require('carillon')
const { createTestMesh } = require('carillon/testing')
${TESTED}`,
}

/** Only checked: how a CommonJS user of TypeScript sees the types, and what the types must refuse. */
export const CHECKED: Readonly<Record<string, string>> = {
  'common.cts': `
import carillon = require('carillon')
export const create: typeof carillon.createNode = carillon.createNode
`,

  'testing.ts': `
import { createTestMesh, type TestMesh, type TestRun } from 'carillon/testing'
const handlers = { half: async (run: { payload: number }) => run.payload / 2 }
export async function runs(): Promise<readonly TestRun[]> {
  const mesh: TestMesh<typeof handlers> = await createTestMesh({ nodes: 3, handlers })
  const task = await mesh.node.schedule({ name: 'half', payload: 21 })
  const half: number = await mesh.until(task.result())
  // @ts-expect-error: that handler takes a number
  await mesh.node.schedule({ name: 'half', payload: String(half) })
  return mesh.ran('half')
}
`,

  'refused.ts': `
import { createNode } from 'carillon'
// @ts-expect-error: a data directory is a path
await createNode({ dataDir: 5 })
const node = await createNode({ handlers: { half: async (run: { payload: number }) => run.payload / 2 } })
// @ts-expect-error: that handler takes a number
await node.schedule({ name: 'half', payload: 'a word' })
`,
}

const HANDLER = `
export function answer(run) { return run.payload * 2 }
export const tasks = [{ name: 'answer', payload: 21 }]
`

/** Handlers for the command line. */
export const HANDLERS: Readonly<Record<string, string>> = {
  'handlers.mjs': HANDLER,
  'handlers.ts': HANDLER.replace('(run)', '(run: { payload: number })'),
}

export const TSCONFIG = {
  compilerOptions: {
    target: 'ES2023',
    lib: ['ES2024'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    // The user's side is strict about libraries as well: ours must be right without our own settings.
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
  },
  include: ['*.ts', '*.cts'],
}
