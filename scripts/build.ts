/**
 * `npm run build`: the package's `dist`, made anew by tsc, which turns the `.ts` of our imports into `.js`. It also
 * runs before `npm pack` and `npm publish`, so it works on a fresh clone, and needs no shell.
 *
 * tsc makes `src`, `testing`, and what that one needs of `sim`, side by side. In the package `src` is the root: what is in it
 * goes up one folder, and imports of the other two leave it out.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
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
raiseSources()
for (const name of ['index.js', 'index.d.ts', 'testing/index.js', 'testing/index.d.ts']) {
  if (!existsSync(join(dist, name))) fail(`tsc succeeded, but dist/${name} is missing.`)
}

function raiseSources(): void {
  for (const folder of ['testing', 'sim']) {
    for (const name of readdirSync(join(dist, folder), { recursive: true, encoding: 'utf8' })) {
      const path = join(dist, folder, name)
      if (!/\.[jt]s$/.test(name)) continue
      const text = readFileSync(path, 'utf8')
      writeFileSync(path, text.replace(/((?:from |import\(|import )['"](?:\.\.\/)+)src\//g, '$1'))
    }
  }
  for (const name of readdirSync(join(dist, 'src'))) {
    if (existsSync(join(dist, name))) fail(`src/${name} would take the place of ${name} in dist.`)
    renameSync(join(dist, 'src', name), join(dist, name))
  }
  rmdirSync(join(dist, 'src'))
}

function fail(why: string): never {
  console.error(`build: ${why}`)
  process.exit(1)
}
