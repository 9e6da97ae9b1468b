import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNode } from '../../src/index.ts'
import { unprivileged } from '../support/unprivileged.ts'

/** The CLI as a process of its own: what only one can show. Run side by side, as each spends its time waiting. */

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')
const STACK = /\n +at |node:internal/
let folder: string
const running = new Set<Cli>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carillon-cli-'))
})

afterAll(async () => {
  for (const each of running) each.process.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

class Cli {
  out = ''
  err = ''
  readonly process: ChildProcess
  readonly #closed: Promise<unknown>

  constructor(
    argv: readonly string[],
    options: { env?: NodeJS.ProcessEnv; isUnprivileged?: boolean; node?: string[] } = {},
  ) {
    const { env, isUnprivileged = false, node = [] } = options
    const args = [...node, MAIN, ...argv]
    const [command, all] = isUnprivileged ? unprivileged(process.execPath, args) : [process.execPath, args]
    this.process = spawn(command, all, { cwd: folder, env: { ...process.env, NO_COLOR: '1', ...env } })
    running.add(this)
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text
    })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text
    })
    this.#closed = once(this.process, 'close').finally(() => running.delete(this))
  }

  async says(text: string | RegExp): Promise<void> {
    await until(() => this.out, text)
  }

  async code(): Promise<number | null> {
    await this.#closed
    return this.process.exitCode
  }
}

/** Concurrent tests can't share vitest's own poll: it belongs to one of them. */
async function until(read: () => string, text: string | RegExp): Promise<void> {
  const from = performance.now()
  while (typeof text === 'string' ? !read().includes(text) : !text.test(read())) {
    if (performance.now() - from > 30_000) throw new Error(`never said ${text}, but:\n${read()}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** A file of handlers in the folder. */
async function handlers(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

const SLOW = `
export async function patient(run) {
  console.log('in handler')
  await new Promise(resolve => setTimeout(resolve, 400))
  console.log('handler ended')
}
export function stubborn(run) {
  console.log('in handler')
  run.signal.addEventListener('abort', () => console.log('aborted'))
  return new Promise(() => setTimeout(() => {}, 1e9))
}
export function blocking() {
  console.log('in handler')
  const until = Date.now() + 1500
  while (Date.now() < until);
  console.log('handler ended')
}
export const tasks = [{ id: 'only', name: process.env.HANDLER }]
`

describe.concurrent('what is wrong at the start is one line, without a stack trace', () => {
  const refused = async (argv: readonly string[], code: number, why: RegExp, options = {}) => {
    const cli = new Cli(argv, options)
    expect(await cli.code(), cli.err).toBe(code)
    expect(cli.err).toMatch(why)
    expect(cli.err).not.toMatch(STACK)
    expect(cli.err.trimEnd().split('\n')).toHaveLength(1)
    return cli
  }

  test('a data directory in use', async () => {
    const data = join(folder, 'in-use')
    const node = await createNode({ dataDir: data })
    await refused(
      ['up', '--http', 'off', '--data', data],
      1,
      /^carillon: the data directory .* is in use by process \d+/,
    )
    await node.close()
  })

  test('a directory in the place of a crontab, of handlers, of a token', async () => {
    await refused(['up', '--crontab', folder], 2, /the crontab .* is a directory: name a file/)
    await refused(['up', '--handlers', folder], 2, /the handlers file .* is a directory: name a file/)
    await refused(
      ['ls', '--url', 'http://h:1', '--token-file', folder],
      2,
      /the token file .* is a directory/,
    )
  })

  test('handlers that wait for ever, or have no name', async () => {
    const never = await handlers('never.mjs', 'await new Promise(() => {})\nexport const x = () => 1\n')
    await refused(
      ['up', '--memory', '--handlers', never],
      2,
      /never\.mjs awaits at its top level what never comes/,
    )
    const main = await handlers('main.mjs', 'export default function hi() {}\n')
    await refused(['up', '--memory', '--handlers', main], 2, /exports one function as default, .* no name/)
  })

  test('a wrong flag, with --json as JSON', async () => {
    await refused(
      ['up', '--handler', 'x'],
      2,
      /unknown option '--handler' \(did you mean --handlers\?\); see `carillon up --help`/,
    )
    const { err } = await refused(['up', '--grace', 'soon', '--json'], 2, /grace/)
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'INVALID' } })
  })

  test('no permission', async () => {
    const secret = join(folder, 'secret')
    await mkdir(secret)
    await writeFile(join(secret, 'crontab'), '* * * * * x\n')
    await chmod(secret, 0o000)
    const options = { isUnprivileged: true }
    await refused(
      ['up', '--http', 'off', '--data', join(secret, 'data')],
      1,
      /no permission to read and write the data directory/,
      options,
    )
    await refused(
      ['up', '--crontab', join(secret, 'crontab')],
      2,
      /no permission to read the crontab/,
      options,
    )
    await refused(['ls', '--data', secret], 3, /no node runs|no permission/, options)
    await chmod(secret, 0o700)
  })

  test.each([
    [
      'syntax.mjs',
      'export const a = 1\nexport function x( { return 1 }\n',
      /syntax\.mjs:2:29: SyntaxError: Unexpected number/,
    ],
    ['syntax.ts', 'export const a: number = 1\nlet 1\n', /syntax\.ts:2:\d+: SyntaxError/],
    ['enum.ts', 'export enum A { x }\n', /enum\.ts:1:8: TypeScript enum is not supported/],
    [
      'package.mjs',
      "import 'not-there-package'\n",
      /imports 'not-there-package', which is not there: npm install not-there-package/,
    ],
    [
      'throws.mjs',
      'throw new TypeError("no\\nway")\n',
      /throws\.mjs:1:7 threw while it was loaded: TypeError: no/,
    ],
    ['empty.mjs', 'export const a = 1\n', /exports no function/],
  ])('handlers that are wrong, where and what: %s', async (name, text, why) => {
    await refused(['up', '--memory', '--http', 'off', '--handlers', await handlers(name, text)], 2, why)
  })

  test('a task of the handlers file that is not allowed ends the start, and lets the directory go', async () => {
    const path = await handlers(
      'badtask.mjs',
      'export function a() {}\nexport const tasks = [{ name: "a", every: "x" }]\n',
    )
    const data = join(folder, 'badtask')
    await refused(
      ['up', '--http', 'off', '--data', data, '--handlers', path],
      2,
      /the tasks of .*badtask\.mjs are not taken: .*every/,
    )
    const node = await createNode({ dataDir: data })
    await node.close()
  })
})

describe.concurrent('signals', () => {
  const up = async (handler: string, ...more: string[]) => {
    // Each its own: they are written while others are read.
    const path = await handlers(`${handler}-${Math.random()}.mjs`, SLOW)
    const data = join(folder, `signal-${handler}-${Math.random()}`)
    const cli = new Cli(['up', '--http', 'off', '--data', data, '--handlers', path, ...more], {
      env: { HANDLER: handler },
    })
    await cli.says('in handler')
    return cli
  }

  test.each(['SIGTERM', 'SIGINT'] as const)('%s lets a running handler end', async signal => {
    const cli = await up('patient')
    cli.process.kill(signal)
    expect(await cli.code(), cli.err).toBe(0)
    expect(cli.out).toMatch(/stopping: 1 handler runs, at most 10s; again to end at once/)
    expect(cli.out).toMatch(/handler ended.*closed; what is scheduled stays/s)
    expect(cli.err).toBe('')
  })

  test('after the grace time the rest is aborted', async () => {
    const cli = await up('stubborn', '--grace', '300ms')
    const from = performance.now()
    cli.process.kill('SIGTERM')
    expect(await cli.code()).toBe(0)
    expect(performance.now() - from).toBeGreaterThan(290)
    expect(cli.out).toMatch(/aborted.*closed/s)
  })

  test('a second signal ends it at once; the same within 100 ms counts once', async () => {
    const cli = await up('stubborn', '--grace', '1m')
    cli.process.kill('SIGTERM')
    cli.process.kill('SIGTERM')
    await cli.says('stopping')
    await new Promise(resolve => setTimeout(resolve, 300))
    expect(cli.process.exitCode).toBeNull()
    cli.process.kill('SIGTERM')
    expect(await cli.code()).toBe(143)
    expect(cli.out).not.toContain('closed')
  })

  test('another signal is a second one, however soon', async () => {
    const cli = await up('stubborn', '--grace', '1m')
    cli.process.kill('SIGTERM')
    cli.process.kill('SIGINT')
    expect([130, 143]).toContain(await cli.code())
  })

  test('a handler that blocks the thread delays them', async () => {
    const cli = await up('blocking')
    cli.process.kill('SIGTERM')
    expect(await cli.code()).toBe(0)
    expect(cli.out).toMatch(/handler ended.*stopping.*closed/s)
  })
})

describe.concurrent('up', () => {
  test('with --json prints an object per line', async () => {
    const path = await handlers(
      'json.mjs',
      'export const ok = () => 5\nexport const tasks = [{ id: "t", name: "ok" }]\n',
    )
    const cli = new Cli(['up', '--memory', '--http', 'off', '--handlers', path, '--json', '--for', '500ms'])
    expect(await cli.code()).toBe(0)
    const lines = cli.out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as { type: string })
    expect(lines.map(({ type }) => type)).toEqual(['started', 'run', 'stopped'])
    expect(lines[1]).toMatchObject({ run: { task: 't', state: 'completed', result: 5 } })
  })

  test('takes its crontab as the truth, runs @reboot at each start, and reads it again on SIGHUP', async () => {
    const data = join(folder, 'hup')
    const crontab = join(folder, 'crontab-hup')
    const mark = join(folder, 'mark')
    await writeFile(crontab, `@reboot echo up >> ${mark}\n0 1 * * * first\n0 2 * * * second\n`)
    const argv = ['up', '--http', 'off', '--data', data, '--crontab', crontab]
    const cli = new Cli(argv)
    await cli.says('2 added, 0 changed, 0 unchanged')
    await cli.says(/\$ completed/)
    await writeFile(crontab, `@reboot echo up >> ${mark}\n0 1 * * * first\n* * * * * echo third\n`)
    cli.process.kill('SIGHUP')
    await cli.says('1 added, 0 changed, 1 unchanged, 1 removed')
    await rm(crontab)
    cli.process.kill('SIGHUP')
    await until(() => cli.err, /crontab-hup stays as it was: .* is not there/)
    cli.process.kill('SIGINT')
    expect(await cli.code()).toBe(0)
    await writeFile(crontab, `@reboot echo up >> ${mark}\n`)
    const again = new Cli([...argv, '--quiet', '--for', '1s'])
    expect(await again.code()).toBe(0)
    expect(again.out).not.toContain('$ completed')
    expect(await readFile(mark, 'utf8')).toBe('up\nup\n')
  })

  test('ends in an orderly way when nobody reads it any more', async () => {
    const path = await handlers(
      'pipe.mjs',
      'export const tick = () => 1\nexport const tasks = [{ id: "t", name: "tick", every: "100ms" }]\n',
    )
    const cli = new Cli(['up', '--memory', '--http', 'off', '--handlers', path])
    await cli.says('tick completed')
    cli.process.stdout?.destroy()
    expect(await cli.code()).toBe(0)
    expect(cli.err).toBe('')
  })
})

test.skipIf(process.platform !== 'linux')(
  'a full disk below its output ends a command with a line, and no node',
  async () => {
    const full = await open('/dev/full', 'w')
    const run = (...argv: string[]) =>
      spawnSync(process.execPath, [MAIN, ...argv], { stdio: ['ignore', full.fd, 'pipe'], encoding: 'utf8' })
    for (const argv of [['--help'], ['preview', '* * * * *', '--count', '100']]) {
      const { status, stderr } = run(...argv)
      expect(stderr).toMatch(/^carillon: can't write what is to be printed: ENOSPC.*\n$/)
      expect(status).toBe(1)
    }
    const up = run('up', '--memory', '--http', 'off', '--for', '100ms')
    expect(up.stderr).toMatch(/^carillon: can't write what is to be printed: ENOSPC.*\n$/)
    expect(up.status).toBe(0)
    await full.close()
  },
  30_000,
)

test('help, preview and completion load no engine, no store and no server', async () => {
  for (const argv of [['--help'], ['preview', '* * * * *'], ['completion', 'bash']]) {
    const trace = join(folder, 'trace.mjs')
    await writeFile(
      trace,
      `import { registerHooks } from 'node:module'
       registerHooks({ resolve(specifier, context, next) {
         const found = next(specifier, context)
         // How addresses and paths are written may be known.
         const isSmall = /adapters.(slots|network.(addresses|places))\\.ts/.test(found.url)
         if (!isSmall && /classic-level|libp2p|hono|engine|adapters|typebox|create-node/.test(found.url)) process.stderr.write('LOADED ' + found.url + '\\n')
         return found
       } })`,
    )
    const cli = new Cli(argv, { node: ['--import', trace] })
    expect(await cli.code()).toBe(0)
    expect(cli.err).toBe('')
    expect(cli.out).not.toBe('')
  }
})
