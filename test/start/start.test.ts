import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNode } from '../../src/index.ts'

/** The main job as its user starts and ends it. Everything here is real, so the tests run side by side. */

const root = fileURLToPath(new URL('../..', import.meta.url))
const running = new Set<Started>()
let parent: string

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'carillon-start-'))
})

afterAll(async () => {
  for (const each of running) each.signalGroup('SIGKILL')
  await rm(parent, { recursive: true, force: true })
})

const ONE = [
  'run',
  'carillon',
  '--',
  'up',
  '--http',
  'off',
  '--handlers',
  'examples/handlers.ts',
  '--handlers',
  'examples/tasks.ts',
  '--crontab',
  'examples/crontab',
]
const MESH = ['start', '--', '--http', 'off']

/** A script of npm, in a process group of its own, as a shell starts it. No port: the tests run side by side. */
class Started {
  output = ''
  readonly #npm: ChildProcess
  readonly #closed: Promise<unknown>

  constructor(script: readonly string[], ...args: string[]) {
    this.#npm = spawn('npm', [...script, ...args], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(this)
    this.#closed = once(this.#npm, 'close').finally(() => running.delete(this))
    for (const stream of [this.#npm.stdout, this.#npm.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    }
  }

  async says(text: string | RegExp): Promise<void> {
    await expect.poll(() => this.output, { timeout: 40_000, interval: 20 }).toMatch(text)
  }

  /** What Ctrl-C in a terminal does. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-(this.#npm.pid as number), signal)
  }

  /** What a process manager does. */
  signalNpm(signal: NodeJS.Signals): void {
    this.#npm.kill(signal)
  }

  /** Its exit code, once the whole group has let go of its output; and how long that took. */
  async ended(): Promise<{ code: number | null; ms: number }> {
    const from = performance.now()
    await this.#closed
    return { code: this.#npm.exitCode, ms: performance.now() - from }
  }

  get groupIsGone(): boolean {
    try {
      process.kill(-(this.#npm.pid as number), 0)
      return false
    } catch {
      return true
    }
  }
}

describe.concurrent('one node, as a user starts and ends it', () => {
  test('runs its crontab and its handlers, says which lines it does not take, and ends after --for', async () => {
    const data = join(parent, 'for')
    const crontab = join(parent, 'two-lines')
    await writeFile(crontab, '* * * * * echo "from the shell"\n61 * * * * echo never\n')
    // No line of a crontab fires within a second, so one of its commands is due from the start.
    const node = await createNode({ dataDir: data })
    await node.schedule({ command: 'echo "from the shell"', retry: false })
    await node.close()
    // The heartbeat is each 3 s by the clock: within three of them, counted from before it is scheduled, there need not be one.
    const started = new Started(ONE, '--crontab', crontab, '--data', data, '--for', '7s')
    expect((await started.ended()).code).toBe(0)
    expect(started.output).toMatch(/one node, data in .*for, started in \d+ ms/)
    expect(started.output).toMatch(/two-lines:2 is not taken: .*61/)
    expect(started.output).toMatch(
      /next from .*two-lines:\s+\d{4}-\d\d-\d\d \d\d:\d\d +(?:now|in \d+m?s?(?: \d+s)?|\d+s ago) +echo "from the shell"/,
    )
    expect(started.output).toMatch(/\d\d:\d\d:\d\d {2}\d+ ms +command from the shell/)
    expect(started.output).toMatch(/heartbeat completed "red"/)
    expect(started.output).toMatch(/email.send retrying \(attempt 1\)/)
    expect(started.output).toContain('what is scheduled stays')
  })

  test.each([
    ['Ctrl-C', 'signalGroup', 'SIGINT'],
    ["SIGTERM to npm's own process", 'signalNpm', 'SIGTERM'],
  ] as const)('%s ends it within seconds, in an orderly way', async (_, send, signal) => {
    const data = join(parent, signal)
    const started = new Started(ONE, '--data', data)
    await started.says('heartbeat completed')
    started[send](signal)
    const { code, ms } = await started.ended()
    expect(code).toBe(0)
    expect(ms).toBeLessThan(5000)
    expect(started.output).toContain('what is scheduled stays, and goes on at the next start')
    expect(started.groupIsGone).toBe(true)

    const again = new Started(ONE, '--data', data, '--for', '1s')
    expect((await again.ended()).code).toBe(0)
    expect(again.output).toMatch(/\d+ tasks were kept from the last start/)
  })

  test('a second start says what it caught up', async () => {
    const data = join(parent, 'caught-up')
    const node = await createNode({ dataDir: data })
    const misfire = { kind: 'once', after: '100ms' } as const
    await node.schedule({ id: 'often', name: 'heartbeat', payload: { host: 'x' }, every: '200ms', misfire })
    await node.close()
    await new Promise(resolve => setTimeout(resolve, 1500))
    const started = new Started(ONE, '--data', data, '--for', '1s')
    expect((await started.ended()).code).toBe(0)
    expect(started.output).toMatch(
      /caught up: often passed over \d+ from \d\d:\d\d:\d\d to \d\d:\d\d:\d\d while nobody was here/,
    )
    expect(started.output).toContain('1 tasks were kept from the last start')
  })

  test('a directory that is in use is said in one line', async () => {
    const data = join(parent, 'in-use')
    const node = await createNode({ dataDir: data })
    const second = new Started(ONE, '--data', data)
    expect((await second.ended()).code).toBe(1)
    expect(second.output).toMatch(/carillon: the data directory .*in-use is in use by process \d+ on host/)
    expect(second.output).not.toMatch(/\n +at /)
    await node.close()
  })
})

// One after the other: each takes the ports that are free.
describe('npm start', { timeout: 120_000 }, () => {
  test('runs three nodes; one that is killed is told of, and comes back', async () => {
    const started = new Started(MESH, '--data', join(parent, 'mesh'))
    await started.says(/three nodes of one mesh, data in .*mesh/)
    const pids = [...started.output.matchAll(/node \d {2}process (\d+)/g)].map(([, pid]) => Number(pid))
    expect(pids).toHaveLength(3)
    expect(started.output).toMatch(/examples\/crontab:25 is not taken: .*61/)
    for (const of of ['red', 'green', 'blue', 'white', 'black', 'brown'])
      await started.says(new RegExp(`node \\d {2}heartbeat completed "${of}"`))
    const [, second] = pids as [number, number]
    process.kill(second, 'SIGKILL')
    await started.says(`node 2 (process ${second}) has died: SIGKILL. node 1 and node 3 go on`)
    const after = started.output.length
    await expect
      .poll(() => started.output.slice(after).match(/heartbeat completed/g)?.length ?? 0, { timeout: 40_000 })
      .toBeGreaterThan(12)
    await started.says(/node 2 is back: process \d+/)
    started.signalGroup('SIGINT')
    const { code } = await started.ended()
    expect(code).toBe(0)
    expect(started.output).toContain('what is scheduled stays, and goes on at the next start')
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow()
  })

  test('ends its nodes after --for, and keeps what is scheduled', async () => {
    const data = join(parent, 'mesh-for')
    const first = new Started(MESH, '--data', data, '--for', '1s')
    expect((await first.ended()).code).toBe(0)
    const second = new Started(MESH, '--data', data, '--for', '1s')
    expect((await second.ended()).code).toBe(0)
    expect(second.output).toMatch(/\d+ tasks were kept from the last start/)
  })

  test('ends its nodes when it is killed itself', async () => {
    const started = new Started(MESH, '--data', join(parent, 'mesh-orphans'))
    await started.says(/three nodes of one mesh/)
    const pids = [...started.output.matchAll(/node \d {2}process (\d+)/g)].map(([, pid]) => Number(pid))
    started.signalGroup('SIGKILL')
    const isAlive = (pid: number): boolean => {
      try {
        return process.kill(pid, 0)
      } catch {
        return false
      }
    }
    await expect.poll(() => pids.filter(isAlive), { timeout: 40_000 }).toEqual([])
  })

  test('says what is wrong with its arguments', async () => {
    const started = new Started(MESH, '--nodes', '5')
    expect((await started.ended()).code).not.toBe(0)
    expect(started.output).toMatch(/Unknown option '--nodes'[\s\S]*Usage: npm start -- /)
  })
})
