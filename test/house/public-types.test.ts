import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { publicTypeViolations } from './public-types.ts'
import { ROOT } from './source.ts'

test("the package's declarations name no type of a dependency", { timeout: 120_000 }, () => {
  // Not into dist: other tests build there.
  const out = mkdtempSync(join(tmpdir(), 'carillon-types-'))
  onTestFinished(() => rmSync(out, { recursive: true, force: true }))
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const options = ['-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--outDir', out]
  const { stdout, status } = spawnSync(process.execPath, [tsc, ...options], { cwd: ROOT, encoding: 'utf8' })
  expect(status, stdout).toBe(0)
  expect(
    publicTypeViolations(
      path => {
        const file = join(out, path)
        return existsSync(file) ? readFileSync(file, 'utf8') : undefined
      },
      ['src/index.d.ts', 'testing/index.d.ts'],
    ),
  ).toEqual([])
})

test('finds what a declaration takes from elsewhere', () => {
  const files: Record<string, string> = {
    'index.d.ts': "import type { A } from './api/a.ts'\nexport * from './gone.js'\nimport 'node:events'",
    'api/a.d.ts':
      '/// <reference types="node" />\n/// <reference types="mocha" />\nexport * from \'../b.js\'',
    'b.d.ts': "export declare const level: import('classic-level').ClassicLevel\nexport * from './api/a.js'",
    'unreached.d.ts': "import 'typebox'",
  }
  expect(publicTypeViolations(path => files[path], ['index.d.ts'])).toEqual([
    'index.d.ts imports ./gone.js, which is not there',
    'api/a.d.ts references mocha',
    'b.d.ts imports classic-level',
  ])
})
