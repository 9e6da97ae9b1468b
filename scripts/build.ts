/**
 * `npm run build`: the package's `dist`, made anew by tsc, which turns the `.ts` of our imports into `.js`. It also
 * runs before `npm pack` and `npm publish`, so it works on a fresh clone, and needs no shell.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')

if (!existsSync(tsc)) fail('TypeScript is not installed: run `npm ci` first.')

rmSync(dist, { recursive: true, force: true })

const { status, signal, error } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
})
if (error !== undefined) fail(`tsc could not be started: ${error.message}`)
if (status !== 0) {
  // What tsc wrote in spite of errors must not be taken for a build.
  rmSync(dist, { recursive: true, force: true })
  fail(`tsc ended with ${signal ?? `exit code ${status}`}; no dist was made.`)
}
for (const name of ['index.js', 'index.d.ts']) {
  if (!existsSync(join(dist, name))) fail(`tsc succeeded, but dist/${name} is missing.`)
}

function fail(why: string): never {
  console.error(`build: ${why}`)
  process.exit(1)
}
