/**
 * `node scripts/fresh-clone.ts`: what someone else gets. Clones the last commit into an empty folder and runs the CI's
 * script there, with the machine's own Node and npm; then nothing may have changed in the clone.
 */

import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const root = join(import.meta.dirname, '..')
const clone = mkdtempSync(join(tmpdir(), 'carillon-clone-'))
process.on('exit', () => rmSync(clone, { recursive: true, force: true }))

const environment: NodeJS.ProcessEnv = {}
for (const [name, value] of Object.entries(process.env)) {
  if (!/^(?:npm_(?!config_)|npm_config_local_prefix$|INIT_CWD$|NODE_)/.test(name)) environment[name] = value
}
const isOurs = (folder: string) => /[\\/]node_modules[\\/]\.bin$|node-gyp-bin$/.test(folder)
environment.PATH = (process.env.PATH ?? '')
  .split(delimiter)
  .filter(folder => !isOurs(folder))
  .join(delimiter)

execFileSync('git', ['clone', '--quiet', '--no-hardlinks', root, clone])
const child = spawn(join(clone, '.ci', 'run'), {
  cwd: clone,
  env: environment,
  stdio: ['ignore', 'pipe', 'inherit'],
})
let tail = ''
child.stdout.setEncoding('utf8').on('data', (text: string) => {
  process.stdout.write(text)
  tail = (tail + text).slice(-1000)
})
child.once('error', error => end(`.ci/run could not be started: ${error.message}`))
child.once('close', code => {
  if (code !== 0) end(`.ci/run ended with exit code ${code}`)
  const last = tail.trimEnd().split('\n').at(-1)!
  if (!/^\d+ passed, 0 failed$/.test(last)) end(`the last line is not the count, but: ${last}`)
  const changed = execFileSync('git', ['status', '--porcelain'], { cwd: clone, encoding: 'utf8' })
  if (changed !== '') end(`the run changed files of the clone:\n${changed}`)
  process.exit(0)
})

function end(why: string): never {
  console.error(`fresh clone: ${why}`)
  process.exit(1)
}
