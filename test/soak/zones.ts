/** The test of recurrence in time zones, with all of them: `npm test` takes one of four. */

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs')

export function zones(): string[] {
  const { status, signal } = spawnSync(
    process.execPath,
    [VITEST, 'run', 'test/task/recurrence-zones.test.ts'],
    {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, CARILLON_TEST_ZONES: 'all' },
    },
  )
  return status === 0 ? [] : [`zones: vitest ended with ${status ?? signal}`]
}
