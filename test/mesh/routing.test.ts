/** Any node takes any call: it is carried out at the node that acts, in order, once, and whoever asked is told. */

import { afterEach, expect, test } from 'vitest'
import type { Task } from '../../src/api/types.ts'
import { ByteWriter } from '../../src/lib/bytes.ts'
import type { WorkerChannelEvents } from '../../src/ports/worker-channel.ts'
import { MESSAGE } from '../../src/wire/frame.ts'
import { BEGAN_AT, type BedNode, MeshBed } from './bed.ts'

let bed: MeshBed

afterEach(async () => {
  bed.switch.heal()
  await bed.stop()
})

async function founded(size = 3): Promise<void> {
  bed = new MeshBed(size, { routed: true })
  bed.handle('work', (_, node: BedNode) => node.number)
  bed.handle('slow', (_, node: BedNode) => node.sleep(3000))
  await bed.found()
}

function strangerTo(id: string): BedNode {
  return bed.nodes.find(node => node.isUp && node !== bed.ownerOf(id)) as BedNode
}

function cutOff(...nodes: BedNode[]): void {
  const others = bed.nodes.filter(node => !nodes.includes(node))
  bed.switch.partition(
    nodes.map(({ host }) => host),
    others.map(({ host }) => host),
  )
}

test('a batch is cut by ranges, and answered as one', async () => {
  await founded()
  const [first] = bed.nodes as [BedNode]
  const batch = Array.from({ length: 200 }, (_, i) => ({ id: `t${i}`, name: 'work', at: BEGAN_AT + 60_000 }))
  const tasks = await bed.done(first.api.schedule(batch))
  expect(tasks.map(({ id, status }) => [id, status])).toEqual(batch.map(({ id }) => [id, 'created']))
  expect(tasks.every(({ copies }) => copies >= 2)).toBe(true)
  const again = await bed.done(
    first.api.schedule(batch.map((task, i) => (i % 2 === 0 ? task : { ...task, at: BEGAN_AT + 61_000 }))),
  )
  expect(again.map(({ status }) => status)).toEqual(
    batch.map((_, i) => (i % 2 === 0 ? 'exists' : 'replaced')),
  )
  await bed.advance(65_000)
  expect(bed.entered.map(({ task }) => task).toSorted()).toEqual(batch.map(({ id }) => id).toSorted())
})

test('calls of one client about one task keep their order, whoever acts', async () => {
  await founded()
  for (let i = 0; i < 40; i++) {
    const id = `order-${i}`
    const { api } = strangerTo(id)
    const calls = [
      api.schedule({ id, name: 'work', after: 60_000 }),
      api.pause(id),
      api.resume(id),
      api.cancel(id),
    ] as const
    const [task, , resumed, cancelled] = await bed.done(Promise.all(calls))
    expect([task.status, resumed, cancelled]).toEqual(['created', true, true])
  }
})

test('a result is waited for at a node that neither owns nor runs the task', async () => {
  await founded()
  const { api } = strangerTo('t')
  const owner = bed.ownerOf('t')
  const task: Task = await bed.done(api.schedule({ id: 't', name: 'work', after: 1000 }))
  expect(await bed.done(task.result())).toBe(owner.number)
})

test('a waiting result survives the crash of the node that acted', async () => {
  await founded()
  const owner = bed.ownerOf('t')
  const { api } = strangerTo('t')
  const task = await bed.done(
    api.schedule({ id: 't', name: 'slow', after: 100, retry: { max: 3, base: 100 } }),
  )
  const result = task.result().then(() => 'ended')
  await bed.advance(1000)
  owner.crash()
  expect(await bed.done(result, 30_000)).toBe('ended')
  expect(new Set(bed.entered.map(({ node }) => node)).size).toBe(2)
})

test('what was sent to a node that dies is sent to the next one, and done once', async () => {
  await founded()
  const owner = bed.ownerOf('t')
  const { api } = strangerTo('t')
  const call = api.schedule({ id: 't', name: 'work', after: 5000 })
  await bed.clock.advanceBy(1)
  owner.crash()
  expect((await bed.done(call, 15_000)).status).toMatch(/created|exists/)
  await bed.settled()
  await bed.advance(10_000)
  expect(bed.entered.filter(({ task }) => task === 't')).toHaveLength(1)
})

test('who is cut off tells the caller what is known, and that in time', async () => {
  await founded()
  const lonely = strangerTo('t')
  cutOff(lonely)
  await bed.advance(3000)
  const began = bed.now
  const call = bed.done(lonely.api.schedule({ id: 't', name: 'work', after: 60_000 }), 30_000)
  await expect(call).rejects.toMatchObject({ code: expect.stringMatching(/NOT_DURABLE|NOT_OWNER/) })
  expect(bed.now - began).toBeLessThan(16_000)
})

test('a result that is not wanted any more leaves nothing behind', async () => {
  await founded()
  const { api, engine } = strangerTo('t')
  const task = await bed.done(api.schedule({ id: 't', name: 'work', after: 600_000 }))
  const signal = new AbortController()
  const result = task.result({ signal: signal.signal })
  result.catch(() => undefined)
  await bed.advance(100)
  expect(engine.mesh?.routing.status().pending).toBe(1)
  signal.abort()
  await expect(bed.done(result)).rejects.toThrow()
  await bed.advance(100)
  expect(engine.mesh?.routing.status().pending).toBe(0)
})

test('the tasks of all are listed at any node, a page at a time, each once', async () => {
  await founded()
  const ids = Array.from({ length: 2500 }, (_, i) => `list-${String(i).padStart(4, '0')}`)
  const [first] = bed.nodes as [BedNode]
  await bed.done(first.api.schedule(ids.map(id => ({ id, name: 'work', after: 60_000 }))))
  for (const { api } of bed.nodes) {
    const seen: string[] = []
    const all = (async () => {
      for await (const { id } of api.tasks()) seen.push(id)
    })()
    await bed.done(all)
    expect(seen.toSorted()).toEqual(ids)
  }
})

test('runs and logs are told by whoever acts', async () => {
  bed = new MeshBed(3, { routed: true })
  bed.handle('work', run => run.log('said'))
  await bed.found()
  const { api } = strangerTo('t')
  await bed.done(api.schedule({ id: 't', name: 'work', after: 10 }))
  await bed.advance(1000)
  expect(await bed.done(api.runs('t'))).toMatchObject([{ state: 'completed' }])
  expect(await bed.done(api.logs('t'))).toMatchObject([{ line: 'said' }])
})

test('runs go to the node that has their handler, and their results to whoever waits', async () => {
  bed = new MeshBed(3, { routed: true })
  bed.handle('rare', (run, node) => `${run.taskId} at ${node.number}`, [2])
  await bed.found()
  const tasks = await bed.done(
    (bed.nodes[0] as BedNode).api.schedule(
      Array.from({ length: 30 }, (_, i) => ({ id: `rare-${i}`, name: 'rare', after: 100 + i })),
    ),
  )
  const results = await bed.done(Promise.all(tasks.map(task => task.result())))
  expect(results).toEqual(tasks.map(({ id }) => `${id} at 2`))
  expect(bed.entered.map(({ node }) => node)).toEqual(tasks.map(() => 2))
  for (const { attempt } of bed.entered) expect(attempt).toBe(1)
})

test('a run whose far worker dies is begun again by its owner', async () => {
  bed = new MeshBed(3, { routed: true })
  bed.handle('rare', (_, node) => node.sleep(2000), [1, 2])
  await bed.found()
  const [first, , third] = bed.nodes as [BedNode, BedNode, BedNode]
  const mine = Array.from({ length: 60 }, (_, i) => `rare-${i}`).filter(id => bed.ownerOf(id) === first)
  expect(mine.length).toBeGreaterThan(5)
  await bed.done(first.api.schedule(mine.map(id => ({ id, name: 'rare', after: 100 }))))
  await bed.advance(1000)
  expect(bed.entered.map(({ task }) => task).toSorted()).toEqual(mine.toSorted())
  const lost = bed.entered.filter(({ node }) => node === 2).map(({ task }) => task)
  expect(lost.length).toBeGreaterThan(0)
  third.crash()
  await bed.advance(10_000)
  for (const id of mine) {
    const [run] = await bed.done(first.api.runs(id))
    expect(run).toMatchObject({ state: 'completed', attempt: lost.includes(id) ? 2 : 1 })
  }
})

test('a handler that no node has is told of', async () => {
  await founded()
  const { api } = strangerTo('t')
  await bed.done(api.schedule({ id: 't', name: 'nobody', after: 10 }))
  await bed.advance(1000)
  const owner = bed.ownerOf('t')
  expect((await bed.done(owner.api.status())).withoutWorker).toMatchObject([{ name: 'nobody', waiting: 1 }])
})

test('a call that is about no task is not sent on, whatever fields it has', async () => {
  await founded()
  const { engine } = bed.nodes[0] as BedNode
  const answers: string[] = []
  const sessions: WorkerChannelEvents[] = []
  const channel = {
    start: (events: WorkerChannelEvents) => sessions.push(events),
    send: (bytes: Uint8Array) => answers.push(Buffer.from(bytes).toString('latin1')),
    close: () => undefined,
  }
  engine.attach(channel, { far: true })
  for (const request of [
    { method: 'status', id: 7 },
    { method: 'nonsense', id: [] },
  ]) {
    const out = new ByteWriter()
    out.u8(MESSAGE.call)
    out.varuint(1)
    out.utf8(JSON.stringify(request))
    sessions[0]?.frame(out.take())
  }
  await bed.advance(100)
  expect(answers.join()).toContain('"status":{')
  expect(answers.join()).toContain('unknown method')
})

test('nodes compare their clocks', async () => {
  await founded()
  await bed.advance(100)
  for (const { api } of bed.nodes) {
    const { mesh } = await bed.done(api.status())
    for (const { skewMs } of mesh?.stores ?? []) expect(Math.abs(skewMs ?? Number.NaN)).toBeLessThanOrEqual(5)
  }
})
