/**
 * `node test/terminal/main.ts`: every command of the README's sessions, typed into a real terminal (bash under tmux) as
 * it stands there, in one empty folder, and what it printed compared with what the README says. The package is the
 * packed one, installed as a user installs it. Needs tmux (`apt-get install tmux`).
 *
 * A `carillon up` stays, in a terminal of its own, until the next one or the end; then Ctrl-C ends it.
 */

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Terminal } from './tmux.ts'
import { difference, filesOf, type Step, stepsOf } from './transcript.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '..', '..')
const README = 'README.md'
/** Not typed here, and why. */
const ELSEWHERE: ReadonlyArray<readonly [command: RegExp, why: string]> = [
  [/^npm ci && npm start$/, 'test/start and the fresh clone run it'],
  [/^npm test$/, 'it is what runs this'],
]
const LIMIT_MS = 90_000
const UP_LIMIT_MS = 20_000

const scratch = mkdtempSync(join(tmpdir(), 'carillon-terminal-'))
const terminals: Terminal[] = []
const failures: string[] = []
let compared = 0

try {
  if (!Terminal.isThere()) throw new Error('tmux is not there: install it (`apt-get install tmux`)')
  await main()
} catch (error) {
  failures.push(error instanceof Error ? error.message : String(error))
} finally {
  for (const terminal of terminals) await terminal.close()
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 })
}
for (const failure of failures) console.error(`FAILED: ${failure}`)
console.log(`${compared} commands of ${README} typed and compared, ${failures.length} failed`)
process.exit(failures.length === 0 && compared > 0 ? 0 : 1)

async function main(): Promise<void> {
  const markdown = readFileSync(join(ROOT, README), 'utf8')
  const bin = await install()
  const folder = join(scratch, 'work')
  mkdirSync(folder)
  for (const { name, text } of filesOf(markdown)) writeFileSync(join(folder, name), text)
  const path = [bin, dirname(process.execPath), process.env.PATH].join(delimiter)
  const environment = { PATH: path, HOME: scratch, LANG: 'C.UTF-8', TZ: 'UTC', NO_COLOR: '1' }
  const open = async (name: string, at: string): Promise<Terminal> => {
    const terminal = await Terminal.open(name, { folder: at, scratch, environment })
    terminals.push(terminal)
    return terminal
  }
  const user = await open('user', folder)
  const daemon = await open('daemon', folder)
  const project = await open('project', ROOT)
  let up: Step | undefined
  const endUp = async (): Promise<void> => {
    if (up !== undefined) compare(up, await daemon.interrupt(UP_LIMIT_MS))
    up = undefined
  }
  for (const step of stepsOf(markdown)) {
    if (ELSEWHERE.some(([command]) => command.test(step.command))) continue
    if (/^carillon up\b/.test(step.command) && !/--for\b/.test(step.command)) {
      await endUp()
      up = step
      await daemon.start(step.command)
      await daemon.waitFor(/Ctrl-C/, UP_LIMIT_MS)
    } else {
      const terminal = step.command.startsWith('npm ') ? project : user
      compare(step, await terminal.type(step.command, LIMIT_MS))
    }
  }
  await endUp()
}

function compare(step: Step, printed: readonly string[]): void {
  compared++
  const why = difference(step.printed, withoutNpm(step, printed))
  if (why !== undefined) failures.push(`${README}:${step.line} ${step.command}: ${why}`)
}

/** npm says first what it runs; nobody writes that into a README. */
function withoutNpm({ command }: Step, printed: readonly string[]): readonly string[] {
  return command.startsWith('npm ') ? printed.filter(line => line !== '' && !line.startsWith('> ')) : printed
}

/** Packs the package, and installs it as a user does; returns the folder of its command. */
async function install(): Promise<string> {
  const packed = join(scratch, 'packed')
  const prefix = join(scratch, 'prefix')
  mkdirSync(packed)
  mkdirSync(prefix)
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?!config_)|^npm_config_local_prefix$/.test(name)),
  )
  await run('npm', ['pack', '--pack-destination', packed], { cwd: ROOT, env })
  const [tarball] = readdirSync(packed)
  if (tarball === undefined) throw new Error('npm pack made no tarball')
  await run('npm', ['install', '--global', '--prefix', prefix, '--prefer-offline', join(packed, tarball)], {
    cwd: scratch,
    env,
  })
  return join(prefix, 'bin')
}
