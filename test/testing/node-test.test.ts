import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../house/source.ts'

test("the example for Node's own test runner passes there", { timeout: 60_000 }, () => {
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--import',
      './test/support/own-name.ts',
      '--test',
      '--test-reporter=tap',
      'examples/testing/nightly.mjs',
    ],
    { cwd: join(ROOT), env, encoding: 'utf8' },
  )
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^# pass 2$/m)
  expect(status, stdout).toBe(0)
})
