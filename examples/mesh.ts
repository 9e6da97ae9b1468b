/**
 * `npm start`: a mesh of three nodes on this machine, each a process of its own with the same handlers and crontab. It
 * shows which node fires what, and what happens when one is killed: it is started again a while later.
 */

import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Context } from '../src/cli/context.ts'
import { machine } from '../src/cli/machine.ts'
import { UpReport } from '../src/cli/up-report.ts'
import { CarillonError } from '../src/errors.ts'
import { parseDuration } from '../src/task/duration.ts'
import type { EngineEvent } from '../src/wire/calls.ts'
import { ExampleNode, type Told } from './example-node.ts'

const SIZE = 3
const FIRST_PORT = 7401
const FIRST_HTTP_PORT = 7410
const RESTART_MS = 10_000

const { data, crontab, until, http } = settings()
const world = machine()
const say = (line: string): void => void world.stdout.write(`${line}\n`)
const context = new Context({ ...world, stdout: { ...world.stdout, write: withNode } }, false)
const report = new UpReport(context, { quiet: false, own: new Set() })
const nodes: ExampleNode[] = []
/** Who fired a task last. */
const firedBy = new Map<string, ExampleNode>()
const started = new Set<ExampleNode>()
const timers = new Set<NodeJS.Timeout>()
let speaking: ExampleNode | undefined
let isHeaded = false
const taken: string[] = ['']
let tookCount = 0
let keptCount = 0
let hasApi = false
let isStopping = false

function settings(): { data: string; crontab: string[]; until: number | undefined; http: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        data: { type: 'string' },
        crontab: { type: 'string', multiple: true, default: [] },
        for: { type: 'string' },
        http: { type: 'string', default: 'on' },
      },
    })
    if (values.http !== 'on' && values.http !== 'off')
      throw new Error(`--http is '${values.http}': allowed are on and off`)
    return {
      data: values.data ?? relative('.', fileURLToPath(new URL('data', import.meta.url))),
      crontab: [relative('.', fileURLToPath(new URL('crontab', import.meta.url))), ...values.crontab],
      until: values.for === undefined ? undefined : parseDuration(values.for, '--for'),
      http: values.http === 'on',
    }
  } catch (error) {
    process.stderr.write(
      `carillon: ${(error as Error).message}\nUsage: npm start -- [--data DIR] [--crontab FILE]... [--for 20s] [--http on|off]\n`,
    )
    process.exit(2)
  }
}

/** The secret of this mesh, made at its first start. */
async function secretOf(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true })
  const file = join(directory, 'SECRET')
  await writeFile(file, randomBytes(24).toString('base64url'), { mode: 0o600, flag: 'wx' }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    },
  )
  return (await readFile(file, 'utf8')).trim()
}

/** The ports from `first` on that are free now; any others where they are not. */
async function freePorts(first: number): Promise<number[]> {
  const ports: number[] = []
  for (let i = 0; i < SIZE; i++) ports.push((await isFree(first + i)) ?? (await isFree(0)) ?? 0)
  return ports
}

function isFree(port: number): Promise<number | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}

// --- what is shown

/** What the report prints of a run has the node that fired it between `late` and `what`. */
function withNode(text: string): boolean {
  const [, time = '', late = '', what = ''] = /^( {2}\d\d:\d\d:\d\d) {2}(.{7}) {2}(.*)\n$/s.exec(text) ?? []
  if (time === '') return world.stdout.write(`  node ${speaking?.number}: ${text.trim()}\n`)
  return world.stdout.write(`${time}  ${late}  node ${speaking?.number}  ${what}\n`)
}

function told(node: ExampleNode, { type, ...fields }: Told): void {
  speaking = node
  if (type === 'started') return nodeStarted(node, String(fields.url ?? ''), Number(fields.kept))
  if (type === 'crontab') return tookCrontab(node, fields)
  if (type === 'member' || type === 'stopping' || type === 'stopped' || isStopping) return
  if (type === 'run') tookOver(node, (fields.run as { task: string }).task)
  // Each node has to find that out for itself, for a moment.
  if (type === 'no-worker') return
  report.event({ type, ...fields } as EngineEvent)
}

function nodeStarted(node: ExampleNode, url: string, kept: number): void {
  started.add(node)
  keptCount = Math.max(keptCount, kept)
  hasApi ||= url !== ''
  if (isHeaded) say(`  node ${node.number} is back: process ${node.pid}`)
  else head()
}

/** Once all nodes are up, and the first one has taken the crontabs. */
function head(): void {
  if (started.size < SIZE || tookCount < crontab.length) return
  isHeaded = true
  say(`carillon: three nodes of one mesh, data in ${data}. Ctrl-C ends them.\n`)
  for (const { number, pid, options } of nodes)
    say(
      `  node ${number}  process ${String(pid).padEnd(7)}  at ${options.address}${options.http === 'off' ? '' : `  HTTP API at http://${options.http}`}`,
    )
  for (const line of taken) say(line)
  if (keptCount > 0) say(`\n  ${keptCount} tasks were kept from the last start`)
  say(`\n  Each task is kept by all three, and fired by one. Kill one, and see:  kill -9 ${nodes[1]?.pid}`)
  if (hasApi) say(`  In another terminal:  npm run carillon -- peers --data ${nodes[0]?.options.dataDir}`)
  say('\n  fired     late     by      what')
  report.release()
  if (until !== undefined) setTimeout(() => void stop(), until)
}

function tookCrontab(node: ExampleNode, fields: Record<string, unknown>): void {
  if (node.number !== 1 || isHeaded) return
  const lines = fields.lines as readonly unknown[]
  const refused = fields.notTaken as ReadonlyArray<{ readonly line: number; readonly reason: string }>
  taken.push(`  ${fields.file}: ${lines.length} lines taken, ${refused.length} not`)
  for (const { line, reason } of refused) taken.push(`  ${fields.file}:${line} is not taken: ${reason}`)
  tookCount++
  if (!isHeaded) head()
}

function tookOver(node: ExampleNode, task: string): void {
  const before = firedBy.get(task)
  firedBy.set(task, node)
  if (before !== undefined && before !== node && before.pid === undefined)
    say(`  ${task}, which node ${before.number} fired, is fired by node ${node.number} now`)
}

function died(node: ExampleNode, pid: number, how: string): void {
  started.delete(node)
  const others = nodes.filter(each => each !== node && each.pid !== undefined)
  say(
    `  node ${node.number} (process ${pid}) has died: ${how}. ${others.length === 0 ? 'None is left' : `${others.map(({ number }) => `node ${number}`).join(' and ')} ${others.length === 1 ? 'goes' : 'go'} on`}; it is started again in ${RESTART_MS / 1000} s`,
  )
  if (!isHeaded) process.exitCode = 1
  if (!isHeaded) return void stop()
  const timer = setTimeout(() => {
    timers.delete(timer)
    node.start()
  }, RESTART_MS)
  timers.add(timer)
}

// --- the start, and the end

async function stop(): Promise<void> {
  const isFirst = !isStopping
  isStopping = true
  for (const timer of timers) clearTimeout(timer)
  await Promise.all(nodes.map(node => node.stop()))
  if (isFirst) say('carillon: closed; what is scheduled stays, and goes on at the next start')
  process.exit()
}

const secret = await secretOf(data).catch((error: unknown) => {
  throw new CarillonError('INVALID', `${data} can't be used: ${(error as Error).message}`)
})
const addresses = (await freePorts(FIRST_PORT)).map(port => `127.0.0.1:${port}`)
const httpPorts = await freePorts(FIRST_HTTP_PORT)
for (const [i, address] of addresses.entries()) {
  const options = {
    number: i + 1,
    address,
    peers: addresses.filter(each => each !== address),
    dataDir: join(data, `node-${i + 1}`),
    secret,
    http: http ? `127.0.0.1:${httpPorts[i]}` : 'off',
    crontabs: crontab,
  }
  nodes.push(
    new ExampleNode(options, {
      told,
      died,
      warned: (node, line) => void process.stderr.write(`node ${node.number}: ${line}\n`),
    }),
  )
}
for (const node of nodes) node.start()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop())
