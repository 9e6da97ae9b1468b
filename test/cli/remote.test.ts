import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findApi } from '../../src/adapters/api-access.ts'
import { runComplete } from '../../src/cli/complete.ts'
import { SYSTEM_NODES } from '../../src/cli/nodes.ts'
import { createNode } from '../../src/index.ts'
import { unprivileged } from '../support/unprivileged.ts'
import { carillon, worldOf } from './fake-node.ts'

/** The commands against a real node: `carillon up` as a process of its own, found by its data directory. */

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')
const CORPUS = join(import.meta.dirname, '..', 'task', 'corpus')
let folder: string
let data: string
let up: ChildProcess

const HANDLERS = `
export default {
  'email.send': async run => { run.log('to', run.payload?.to); return { sent: run.payload?.to } },
  'fails': () => { throw new Error('no route\\nto host') },
}
export const tasks = [{ id: 'nightly', name: 'email.send', payload: { to: 'x' }, cron: '30 2 * * *', tags: ['t'] }]
`

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carillon-remote-'))
  data = join(folder, 'data')
  await writeFile(join(folder, 'handlers.mjs'), HANDLERS)
  up = start(
    'up',
    '--data',
    data,
    '--handlers',
    join(folder, 'handlers.mjs'),
    '--http',
    '127.0.0.1:0',
    '--commands',
    '--json',
  )
  await once(up.stdout!, 'data')
})

afterAll(async () => {
  const closed = once(up, 'close')
  up.kill('SIGTERM')
  await closed
  expect(up.exitCode).toBe(0)
  expect(await readdir(data)).not.toContain('HTTP')
  await rm(folder, { recursive: true, force: true })
})

function start(...argv: string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...argv], { cwd: folder, env: { ...process.env, NO_COLOR: '1' } })
}

/** In this process, with the real client. */
const cli = (argv: readonly string[], env: Record<string, string> = { CARILLON_DATA: data }, stdin = '') =>
  carillon(argv, {
    env,
    stdin,
    nodes: SYSTEM_NODES,
    now: Date.now,
    sleep: ms => new Promise(resolve => setTimeout(resolve, ms)),
  })

/** As a process: its code and what it said. */
async function ended(child: ChildProcess): Promise<{ code: number | null; err: string }> {
  let err = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  child.stdout?.resume()
  await once(child, 'close')
  return { code: child.exitCode, err }
}

describe('the commands and a real node', () => {
  test('schedule, wait, show, runs, logs', async () => {
    const done = await cli([
      'schedule',
      'email.send',
      '--id',
      'one',
      '--payload',
      '{"to":"a@example.com"}',
      '--wait',
    ])
    expect(done.err).toBe('')
    expect(done.out).toMatch(/completed in .*\n\{"sent":"a@example.com"\}\n$/)
    expect((await cli(['logs', 'one'])).out).toContain('to a@example.com')
    expect((await cli(['runs', 'one'])).out).toMatch(/one@\d+ +completed/)
    expect((await cli(['show', 'one'])).out).toContain('completed')
    const command = await cli(['schedule', '--command', 'echo hello; uname -s', '--wait'])
    expect(command.out).toMatch(/completed in .*\nhello\n\w+\n$/)
  })

  test('a run that fails: dead, shown, retried, cancelled', async () => {
    const failed = await cli(['schedule', 'fails', '--id', 'bad', '--retry', 'off', '--wait'])
    expect(failed.code).toBe(1)
    expect(failed.out).toContain('no route\\nto host')
    expect((await cli(['ls', '--state', 'dead'])).out).toMatch(/^bad +fails +dead/m)
    const again = await cli(['retry', 'bad', '--wait'])
    expect(again.code).toBe(1)
    expect(again.out).toMatch(/retrying bad: run bad@\d+\nfailed/)
    expect((await cli(['cancel', 'bad'])).out).toBe('cancelled bad\n')
    expect((await cli(['cancel', 'bad'])).code).toBe(1)
  })

  test('pause, resume, trigger, preview, status', async () => {
    expect((await cli(['pause', 'nightly'])).code).toBe(0)
    expect((await cli(['ls', '--state', 'paused', '--tag', 't', '--json'])).out).toContain('"nightly"')
    expect((await cli(['resume', 'nightly'])).out).toMatch(/^resumed nightly, next in /)
    expect((await cli(['trigger', 'nightly', '--wait'])).out).toMatch(/run nightly@\d+\ncompleted/)
    expect((await cli(['preview', '--id', 'nightly', '--count', '3'])).out.trim().split('\n')).toHaveLength(3)
    expect((await cli(['status'])).out).toMatch(/^handlers +.*email\.send/m)
  })

  test('what is refused', async () => {
    const typo = await cli(['schedule', 'email.sned'])
    expect(typo.code).toBe(1)
    expect(typo.err).toContain('did you mean email.send?')
    const invalid = await cli(['schedule', 'email.send', '--at', 'tomorrow'])
    expect(invalid.code).toBe(2)
    expect(invalid.err).toMatch(/^carillon: at is "tomorrow": allowed is .*\n$/)
    const none = await cli(['pause', 'none'])
    expect(none.code).toBe(1)
    expect(none.err).toMatch(/^carillon: no task "none"/)
    const lines =
      '{"name":"email.send","id":"f1"}\n{"name":"email.send","every":"never"}\n{"name":"email.send","id":"f2"}'
    const file = await cli(['schedule', '--file', '-'], undefined, lines)
    expect(file.err).toMatch(/^carillon: task 2 of - is not taken: every/)
    expect(file.out).toContain('3 tasks: 2 scheduled, 0 replaced, 0 unchanged, 1 not taken')
  })

  test('the corpus of crontabs: twice without a change, then pruned to nothing', {
    timeout: 60_000,
  }, async () => {
    const files = (await readdir(CORPUS)).filter(name => name.endsWith('.crontab'))
    expect(files.length).toBeGreaterThan(5)
    for (const file of files) {
      const argv = ['import', 'crontab', join(CORPUS, file), '--json']
      type Report = { lines: { verdict: string; error?: string }[]; gone: object[] }
      const dry = JSON.parse((await cli([...argv, '--dry-run'])).out) as Report
      const first = await cli(argv)
      expect(first.code, first.err).toBe(0)
      const report = JSON.parse(first.out) as Report
      expect(report.lines).toEqual(dry.lines.map(line => expect.objectContaining({ verdict: line.verdict })))
      const second = JSON.parse((await cli(argv)).out) as Report
      expect(second.lines.filter(({ verdict }) => verdict !== 'unchanged')).toEqual([])
      const tag = `crontab:${file}`
      expect(JSON.parse((await cli(['ls', '--tag', tag, '--json'])).out)).toHaveLength(report.lines.length)
      await cli(['import', 'crontab', '-', '--name', file, '--prune'], undefined, '# nothing\n')
      expect((await cli(['ls', '--tag', tag, '--json'])).out).toBe('[]\n')
    }
  })

  test('import keeps a paused line paused, and changes its time', async () => {
    const id = async () =>
      (
        JSON.parse((await cli(['ls', '--tag', 'crontab:p', '--json'])).out) as { id: string; state: string }[]
      )[0]
    await cli(['import', 'crontab', '-', '--name', 'p'], undefined, '0 1 1 1 * x\n')
    await cli(['pause', (await id())!.id])
    await cli(['import', 'crontab', '-', '--name', 'p'], undefined, '0 1 1 1 * x\n')
    expect((await id())!.state).toBe('paused')
    const changed = await cli(['import', 'crontab', '-', '--name', 'p'], undefined, '0 2 1 1 * x\n')
    expect(changed.out).toContain('0 added, 1 changed, 0 unchanged')
    expect(await id()).toMatchObject({ schedule: { pattern: '0 2 1 1 *' } })
  })

  test('by url: with its token, without, and where nobody is', async () => {
    const api = (await findApi(data))!
    expect((await cli(['ls', '--url', api.url], { CARILLON_TOKEN: api.token })).code).toBe(0)
    expect((await cli(['ls'], { CARILLON_URL: api.url, CARILLON_DATA: data })).code).toBe(0)
    const wrong = await cli(['ls', '--url', api.url], { CARILLON_TOKEN: 'wrong-wrong-wrong-wrong' })
    expect(wrong.code).toBe(3)
    expect(wrong.err).toMatch(/^carillon: [^\n]*token[^\n]*\n$/)
    const nobody = await cli(['ls', '--url', 'http://127.0.0.1:9'], {})
    expect(nobody.code).toBe(3)
    expect(nobody.err).toMatch(/^carillon: no answer from http:\/\/127\.0\.0\.1:9[^\n]*\n$/)
    expect(JSON.parse((await cli(['ls', '--url', 'http://127.0.0.1:9', '--json'], {})).err)).toMatchObject({
      error: { code: 'UNREACHABLE' },
    })
  })

  test('a node without an API is named by its process', async () => {
    const dataDir = join(folder, 'no-api')
    const node = await createNode({ dataDir })
    const { code, err } = await cli(['ls', '--data', dataDir])
    expect(code).toBe(3)
    expect(err).toContain(`is in use by process ${process.pid}, which opened no HTTP API`)
    await node.close()
    expect((await cli(['ls', '--data', dataDir])).err).toContain(`no node runs on ${dataDir}`)
  })

  test('who may not read the directory is told so', async () => {
    await chmod(data, 0o000)
    const child = spawn(...unprivileged(process.execPath, [MAIN, 'ls', '--data', data]), { cwd: folder })
    const { code, err } = await ended(child)
    await chmod(data, 0o700)
    expect(code).toBe(3)
    expect(err).toMatch(/^carillon: no permission to read the data directory [^\n]*--token-file\n$/)
  })

  test('a port in use is one line, and lets the directory go', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const dataDir = join(folder, 'port')
    const { code, err } = await ended(start('up', '--data', dataDir, '--http', `127.0.0.1:${port}`))
    server.close()
    expect(code).toBe(1)
    expect(err).toMatch(new RegExp(`^carillon: [^\\n]*${port}[^\\n]*\\n$`))
    const node = await createNode({ dataDir })
    await node.close()
  })

  test('a reader that goes away ends ls in silence', async () => {
    const tasks = Array.from({ length: 3000 }, (_, i) => ({
      id: `many-${i}`,
      name: 'email.send',
      after: '1h',
    }))
    await cli(['schedule', '--file', '-'], undefined, JSON.stringify(tasks))
    const out = execFileSync(
      'bash',
      ['-c', '"$0" "$1" ls --data "$2" | head -n 1', process.execPath, MAIN, data],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    expect(out).toMatch(/^ID /)
    const bar = await cli(['ls', '--tag', 'none', '--json'])
    expect(bar.out).toBe('[]\n')
  })

  test('completion asks it', async () => {
    const complete = async (...words: string[]) => {
      // The limit is for people; a busy machine must not fail this.
      const sleep = () => new Promise<void>(resolve => setTimeout(resolve, 20_000).unref())
      const { world, ran } = worldOf({ env: { CARILLON_DATA: data }, nodes: SYSTEM_NODES, sleep })
      await runComplete(words, world)
      return ran.out
    }
    expect(await complete('show', 'night')).toBe('nightly\temail.send, scheduled\n:none\n')
    expect(await complete('schedule', 'em')).toBe('email.send\thandler\n:none\n')
    const bin = execFileSync(process.execPath, [MAIN, 'complete', '--', 'show', '--data', data, ''], {
      encoding: 'utf8',
    })
    expect(bin).toMatch(/:none\n$/)
  })
})
