/** The process that is killed: schedules all kinds of tasks, runs them, and writes down what it was told and what it saw. */

import { openSync, writeSync } from 'node:fs'
import { createNode, type Run, type TaskOptions } from '../../src/index.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { sumOf } from './crash.ts'

interface Payload {
  readonly kind: string
  readonly text: string
  readonly sum: string
}

const [data, story, name, mode] = process.argv.slice(2) as [string, string, string, 'load' | 'drain']
const file = openSync(story, 'a')
const note = (line: string): void => void writeSync(file, `${line}\n`)
const random = new SeededRandom(name)
const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

async function work(run: Run<Payload>): Promise<{ sum: string }> {
  const { kind, text, sum } = run.payload
  if (sumOf(text) !== sum) note(`X ${kind} ${run.idempotencyKey}`)
  note(`S ${kind} ${run.idempotencyKey} ${run.attempt}`)
  if (kind === 'slow') await sleep(20 + random.float() * 100)
  if (kind === 'flaky' && run.attempt < 3) throw new Error('not yet')
  if (kind === 'parent') run.schedule({ name: 'work', payload: payloadOf('child') })
  note(`E ${kind} ${run.idempotencyKey}`)
  return { sum }
}

function payloadOf(kind: string): Payload {
  const text = random
    .float()
    .toString(36)
    .repeat(1 + Math.floor(random.float() * 20))
  return { kind, text, sum: sumOf(text) }
}

let made = 0
function task(): TaskOptions & { kind: string } {
  const kind = KINDS[Math.floor(random.float() * KINDS.length)] as string
  const base = { name: 'work', payload: payloadOf(kind), kind }
  const id = `${name}-${made++}`
  if (kind === 'later') return { ...base, after: Math.floor(random.float() * 2000) }
  if (kind === 'named') return { ...base, id }
  if (kind === 'keyed') return { ...base, key: id }
  if (kind === 'flaky') return { ...base, retry: { kind: 'fixed', base: 50, max: 1000 } }
  if (kind === 'once') return { ...base, guarantee: 'at-most-once' }
  if (kind === 'exactly') return { ...base, guarantee: 'exactly-once', retry: { max: 1000 } }
  return { ...base, retry: { max: 1000 } }
}

const KINDS = ['now', 'now', 'now', 'slow', 'later', 'named', 'keyed', 'flaky', 'once', 'exactly', 'parent']

const node = await createNode({ dataDir: data, concurrency: 200, handlers: { work } })
if (mode === 'load') {
  await node.schedule({ id: 'every-second', name: 'work', payload: payloadOf('tick'), cron: '* * * * * *' })
  note('A tick every-second')
  console.log('ready')
  await Promise.all([singles(), singles(), singles(), bulks()])
} else {
  console.log('ready')
  await node.cancel('every-second')
  for (let quiet = 0; quiet < 5; ) {
    await sleep(200)
    let left = 0
    for await (const { state } of node.tasks()) if (state === 'scheduled' || state === 'running') left++
    quiet = left === 0 ? quiet + 1 : 0
  }
  await node.close()
  console.log('drained')
}

async function singles(): Promise<never> {
  for (;;) {
    const { kind, ...options } = task()
    const { id } = await node.schedule(options)
    note(`A ${kind} ${id}`)
    await sleep(random.float() * 3)
  }
}

async function bulks(): Promise<never> {
  for (;;) {
    const list = Array.from({ length: 1 + Math.floor(random.float() * 300) }, task)
    const tasks = await node.schedule(list.map(({ kind: _, ...options }) => options))
    note(tasks.map(({ id }, i) => `A ${list[i]?.kind} ${id}`).join('\n'))
    await sleep(random.float() * 100)
  }
}
