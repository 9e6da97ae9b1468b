/** One of the nodes that are cut off: makes the calls that it is asked to make, runs what is due, and writes down what it saw. */

import { openSync, writeSync } from 'node:fs'
import { createNode, isCarillonError, type Run } from '../../src/index.ts'
import type { Answer, Request } from './partition-machines.ts'

const [data, story, self, network, founders, ...addresses] = process.argv.slice(2) as [
  string,
  string,
  string,
  'local' | 'lan',
  string,
  ...string[],
]
const [listen, ...join] = addresses as [string, ...string[]]
const file = openSync(story, 'a')
/** Every line at once, and whole: the processes share the file. */
const note = (kind: 'S' | 'E', run: Run<unknown>): void =>
  void writeSync(
    file,
    `${kind} ${run.idempotencyKey} ${run.taskId} ${self} ${Date.now()} ${run.scheduledAt}\n`,
  )
const RUN_MS_MAX = 40

async function work(run: Run<unknown>): Promise<void> {
  note('S', run)
  await new Promise(resolve => setTimeout(resolve, Math.random() * RUN_MS_MAX))
  note('E', run)
}

const node = await createNode({
  dataDir: data,
  listen,
  join,
  mesh: { secret: 'what only the soak knows', expect: founders === '0' ? undefined : Number(founders) },
  network,
  handlers: { work },
})
const answer = (to: Answer): void => void process.send?.(to)

process.on('message', (request: Request) => {
  const { number, isLast } = request
  if (isLast) return void node.close().then(() => process.exit(0))
  carryOut(request).then(
    said => answer({ number, ...said }),
    error => {
      if (!isCarillonError(error)) throw error
      answer({ number, code: error.code })
    },
  )
})
process.on('disconnect', () => process.exit(0))
answer({ number: 0 })

async function carryOut(request: Request): Promise<Omit<Answer, 'number'>> {
  if (request.task === undefined) return { mesh: (await node.status()).mesh ?? undefined }
  await node.schedule({ name: 'work', retry: { max: 1000 }, ...request.task })
  return {}
}
