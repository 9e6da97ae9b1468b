/** One of the nodes that are killed: schedules what it acts for, runs it, and writes down what it was told and what it saw. */

import { openSync, writeSync } from 'node:fs'
import { createNode, isCarillonError, type Run } from '../../src/index.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'

const [data, story, name, ...addresses] = process.argv.slice(2) as [string, string, string, ...string[]]
const [listen, ...join] = addresses as [string, ...string[]]
const file = openSync(story, 'a')
/** Every line at once, and whole: the processes share the file. */
const note = (...words: readonly (string | number)[]): void => void writeSync(file, `${words.join(' ')}\n`)
const random = new SeededRandom(name)
const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const WORKERS = 4
const NOTHING = { owned: 0, unsure: 0, kept: 0, of: 1, belowReplicas: 1 }

async function work(run: Run<unknown>): Promise<void> {
  note('S', run.idempotencyKey, run.taskId, process.pid, Date.now(), run.scheduledAt)
  await sleep(random.float() * 40)
  note('E', run.idempotencyKey, run.taskId, process.pid, Date.now(), run.scheduledAt)
}

const node = await createNode({
  dataDir: data,
  listen,
  join,
  mesh: { secret: 'what only the soak knows', expect: join.length + 1 },
  network: 'local',
  handlers: { work },
})
let isLoading = true
let made = 0
process.stdin.on('data', () => {
  isLoading = false
})
process.stdin.on('end', () => void node.close({ graceMs: 1000 }).then(() => process.exit(0)))
void settle()
await Promise.all(Array.from({ length: WORKERS }, load))

/** Says so once all are there, it keeps, without doubt, what it should, and no copy is missing. */
async function settle(): Promise<void> {
  for (let turn = 0; ; turn++) {
    const { mesh } = await node.status()
    const live = mesh?.stores.filter(({ state, suspect }) => state === 'live' && !suspect).length
    const { owned, unsure, kept, of, belowReplicas } = mesh?.ranges ?? NOTHING
    const isWhole = kept === of && belowReplicas === 0
    if (live === join.length + 1 && owned > 0 && unsure === 0 && isWhole) break
    if (turn % 200 === 199) console.error(`${name} has not settled: ${JSON.stringify(mesh)}`)
    await sleep(100)
  }
  console.log('settled')
}

async function load(): Promise<void> {
  while (isLoading) {
    const id = `${name}-${made++}`
    try {
      await node.schedule({
        id,
        name: 'work',
        after: Math.floor(random.float() * 3000),
        retry: { max: 1000 },
      })
      note('A', id)
    } catch (error) {
      // Another node acts for it; or too few have confirmed it: nobody was told yes.
      if (isCarillonError(error, 'CLOSED')) return
      if (!isCarillonError(error, 'NOT_OWNER') && !isCarillonError(error, 'NOT_DURABLE')) throw error
    }
    await sleep(random.float() * 10)
  }
}
