/** One node of a mesh that is measured, in a process of its own. It does what its parent asks, one request at a time. */

import { existsSync, readdirSync } from 'node:fs'
import { createNode, type Run } from '../src/index.ts'
import { PAYLOAD, sleep } from './measure.ts'
import type { Answer, Fire, Request } from './mesh-nodes.ts'

const BULK = 1000
/** Bulks under way at a time. */
const DEPTH = 6

const [dataDir, listen, ...join] = process.argv.slice(2) as [string, string, ...string[]]
const late: number[] = []
let fires: Fire[] = []

function note(run: Run<unknown>): void {
  fires.push({ task: run.taskId, at: Date.now(), attempt: run.attempt })
}

const node = await createNode({
  dataDir,
  listen,
  join,
  mesh: { secret: 'what only the benchmark knows', expect: join.length + 1 },
  network: 'local',
  concurrency: 2000,
  handlers: {
    work: () => undefined,
    timed: (run: Run<unknown>) => void late.push(Date.now() - run.scheduledAt),
    tick: (run: Run<unknown>) => note(run),
    long: async (run: Run<unknown>) => {
      note(run)
      await sleep(60_000)
    },
  },
})

function handles(): number {
  return existsSync('/proc/self/fd')
    ? readdirSync('/proc/self/fd').length
    : process.getActiveResourcesInfo().length
}

async function bulk(count: number): Promise<void> {
  let left = count / BULK
  const one = async (): Promise<void> => {
    while (left-- > 0)
      await node.schedule(Array.from({ length: BULK }, () => ({ name: 'work' as const, payload: PAYLOAD })))
  }
  await Promise.all(Array.from({ length: DEPTH }, one))
}

async function callers(count: number, parallel: number): Promise<number[]> {
  const times: number[] = []
  let left = count
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const from = performance.now()
      await node.schedule({ name: 'work', payload: PAYLOAD })
      times.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: parallel }, one))
  return times
}

async function oneShots(count: number, from: number, overMs: number): Promise<void> {
  for (let i = 0; i < count; i += BULK) {
    const tasks = Array.from({ length: Math.min(BULK, count - i) }, (_, j) => ({
      name: 'timed' as const,
      payload: PAYLOAD,
      at: from + Math.floor(((i + j) * overMs) / count),
    }))
    await node.schedule(tasks)
  }
}

async function answer(request: Request): Promise<Answer> {
  switch (request.do) {
    case 'status': {
      const { user, system } = process.cpuUsage()
      const { rss: rssBytes } = process.memoryUsage()
      return { status: await node.status(), cpuUs: user + system, rssBytes, handles: handles() }
    }
    case 'bulk':
      await bulk(request.count)
      return {}
    case 'callers':
      return { times: await callers(request.count, request.parallel) }
    case 'one-shots':
      await oneShots(request.count, request.from, request.overMs)
      return {}
    case 'late':
      return { times: late.splice(0) }
    case 'schedule':
      await node.schedule([...request.tasks] as never)
      return {}
    case 'fires': {
      const told = fires
      fires = []
      return { fires: told }
    }
    case 'close':
      await node.close({ graceMs: 0 })
      return {}
  }
}

process.on('message', (request: Request & { readonly id: number }) => {
  const { id } = request
  answer(request).then(
    reply => process.send?.({ id, ...reply }),
    (error: Error) => process.send?.({ id, error: error.message }),
  )
})
process.on('disconnect', () => process.exit())
process.send?.({ id: 0 })
