import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { importViolations, kitViolations } from './imports.ts'
import { filesUnder, ROOT } from './source.ts'

const sourcesUnder = (...folders: string[]) =>
  new Map(
    folders
      .flatMap(folder => filesUnder(folder))
      .map(path => [path, readFileSync(join(ROOT, path), 'utf8')] as const),
  )

test('imports in src go one way, without cycles, and each dependency is imported in one file', () => {
  const sources = sourcesUnder('src')
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  expect(sources.size).toBeGreaterThan(10)
  expect(importViolations(sources, Object.keys(dependencies))).toEqual([])
})

test('accepts imports from above, from the own room, and from the room beside where that is allowed', () => {
  const violations = check({
    'src/errors.ts': '',
    'src/ports/clock.ts': '',
    'src/lib/backoff.ts': "import type { Clock } from '../ports/clock.ts'\nimport 'node:util'",
    'src/schedule/wheel.ts': "import '../lib/backoff.ts'",
    'src/work/limits.ts': "import '../schedule/wheel.ts'\nimport './lifecycle.ts'",
    'src/work/lifecycle.ts': "import '../errors.ts'",
    'src/index.ts': "export * from './work/limits.ts'",
  })
  expect(violations).toEqual([])
})

test('refuses an import from a room below', () => {
  const violations = check({
    'src/task/task.ts': "import type { Journal } from '../store/journal.ts'",
    'src/store/journal.ts': '',
  })
  expect(violations).toEqual(['src/task/task.ts imports src/store/journal.ts: task stands below store'])
})

test('refuses an import from the room beside in the wrong direction', () => {
  const violations = check({
    'src/schedule/wheel.ts': "import '../work/limits.ts'",
    'src/work/limits.ts': '',
  })
  expect(violations).toEqual([
    'src/schedule/wheel.ts imports src/work/limits.ts: schedule and work stand side by side',
  ])
})

test('refuses whoever imports index.ts', () => {
  const violations = check({ 'src/cli/main.ts': "import '../index.ts'", 'src/index.ts': '' })
  expect(violations).toEqual(['src/cli/main.ts imports src/index.ts: nobody in src imports index.ts'])
})

test('refuses sim, tests, files that are not there, and files without a room', () => {
  const violations = check({
    'src/task/task.ts': "import '../../sim/main.ts'\nimport '../../test/house/x.ts'\nimport './gone.ts'",
    'src/utils.ts': '',
    'src/misc/a.ts': '',
  })
  expect(violations).toEqual([
    'src/task/task.ts imports sim/main.ts, which is outside of src',
    'src/task/task.ts imports test/house/x.ts, which is outside of src',
    'src/task/task.ts imports src/task/gone.ts, which is not there',
    'src/utils.ts stands in no room',
    'src/misc/a.ts stands in no room',
  ])
})

test('refuses a dependency that is unknown, unused, or used in two files', () => {
  const violations = check(
    {
      'src/adapters/a.ts': "import 'once'\nimport 'once/part'\nimport '@two/twice/part.js'\nimport 'unknown'",
      'src/adapters/b.ts': "await import('@two/twice')",
    },
    ['once', '@two/twice', 'unused'],
  )
  expect(violations).toEqual([
    'src/adapters/a.ts imports unknown, which is not in the dependencies',
    'the dependency @two/twice is imported in more than one file: src/adapters/a.ts, src/adapters/b.ts',
    'the dependency unused is not imported: remove it from package.json',
  ])
})

test('refuses a cycle, also of types, and a file that imports itself', () => {
  const violations = check({
    'src/task/a.ts': "import './b.ts'",
    'src/task/b.ts': "import type { C } from './c.ts'",
    'src/task/c.ts': "export { a } from './a.ts'",
    'src/task/self.ts': "import './self.ts'",
  })
  expect(violations).toEqual([
    'an import cycle: src/task/a.ts -> src/task/b.ts -> src/task/c.ts -> src/task/a.ts',
    'an import cycle: src/task/self.ts -> src/task/self.ts',
  ])
})

function check(sources: Record<string, string>, dependencies: string[] = []): string[] {
  return importViolations(new Map(Object.entries(sources)), dependencies)
}

test('the kit for tests stands on top of sim and src, and takes nothing that is not packed', () => {
  const sources = sourcesUnder('src', 'sim', 'testing')
  expect([...sources.keys()].some(path => path.startsWith('testing/'))).toBe(true)
  expect(kitViolations(sources)).toEqual([])
})

test('refuses what the kit must not have', () => {
  const violations = kitViolations(
    new Map([
      [
        'testing/index.ts',
        "import './a.ts'\nimport '../src/errors.ts'\nimport 'vitest'\nimport 'node:timers'",
      ],
      ['testing/a.ts', "import './index.ts'\nimport '../sim/clock.ts'\nimport '../test/support/x.ts'"],
      ['sim/clock.ts', "import 'fast-check'\nimport '../testing/a.ts'\nimport '../src/index.ts'"],
      ['sim/unreached.ts', "import 'fast-check'"],
      ['src/errors.ts', ''],
      ['src/index.ts', ''],
    ]),
  )
  expect(violations).toEqual([
    'testing/index.ts imports vitest: users may not have it',
    'testing/a.ts imports test/support/x.ts, which is not packed',
    'sim/clock.ts imports fast-check: users may not have it',
    'sim/clock.ts imports testing/a.ts: nobody imports testing',
    'an import cycle: testing/index.ts -> testing/a.ts -> testing/index.ts',
  ])
})
