/** Handlers in real time: what virtual time does while they work. */

import { readFile } from 'node:fs/promises'
import { setTimeout as realSleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Run } from '../../src/api/run.ts'
import { meshOf } from './meshes.ts'

const HOUR = 3_600_000
const BEGAN = Date.UTC(2026, 0, 1)

test('virtual time stands still while a handler does real work', async () => {
  const mesh = await meshOf({
    handlers: {
      read: async () => {
        await realSleep(20)
        return (await readFile(import.meta.filename)).length > 0
      },
    },
  })
  await mesh.node.schedule({ id: 'hourly', name: 'read', every: '1h' })
  await mesh.advance('3h')
  expect(mesh.runs.map(({ at, endedAt, result }) => [at, endedAt, result])).toEqual(
    [1, 2, 3].map(hour => [BEGAN + hour * HOUR, BEGAN + hour * HOUR, true]),
  )
})

test('handlers that work side by side are reported in the order in which they began, however long each takes', async () => {
  const order: string[] = []
  const slow = (ms: number) => async (run: Run) => {
    await realSleep(ms)
    return run.name
  }
  const mesh = await meshOf({ handlers: { a: slow(30), b: slow(1), c: slow(15) } })
  mesh.node.on('run', ({ run }) => order.push(run.task))
  await mesh.node.schedule(['a', 'b', 'c'].map(name => ({ id: name, name, after: '1m' })))
  await mesh.advance('2m')
  expect(mesh.runs.map(({ task }) => task)).toEqual(order)
  expect(order).toHaveLength(3)
})

test('a handler that hangs is named, with what to do', async () => {
  const mesh = await meshOf({ handlerMs: 50, handlers: { hang: () => new Promise(() => {}) } })
  await mesh.node.schedule({ id: 'job', name: 'hang', after: '1m' })
  await expect(mesh.advance('2m')).rejects.toMatchObject({
    code: 'STUCK',
    message: expect.stringMatching(/handler hang \(task job, node 0\).*50 ms.*mesh\.sleep\(\)/),
  })
  expect(mesh.ran({ outcome: 'running' })).toHaveLength(1)
})

test('a handler that hangs while nobody advances fails what waits', async () => {
  const mesh = await meshOf({ handlerMs: 50, handlers: { hang: () => new Promise(() => {}) } })
  const task = await mesh.node.schedule({ id: 'job', name: 'hang' })
  await expect(task.result()).rejects.toMatchObject({ code: 'STUCK' })
  await expect(mesh.advance('1m')).rejects.toMatchObject({ code: 'STUCK' })
})

test('a handler may wait in virtual time, and its timeout runs', async () => {
  const mesh = await meshOf({
    handlers: {
      slow: async (run: Run<string>) => {
        await mesh.sleep(run.payload, { signal: run.signal })
        return 'done'
      },
    },
  })
  await mesh.node.schedule([
    { id: 'well', name: 'slow', payload: '10m', after: '1h' },
    { id: 'late', name: 'slow', payload: '10m', after: '1h', timeout: '5m', retry: false },
  ])
  await mesh.advance('2h')
  const [well] = mesh.ran({ task: 'well' })
  expect(well).toMatchObject({ outcome: 'completed', at: BEGAN + HOUR, endedAt: BEGAN + HOUR + 600_000 })
  const [late] = mesh.ran({ task: 'late' })
  expect(late).toMatchObject({ outcome: 'aborted', endedAt: BEGAN + HOUR + 300_000 })
  expect(late?.error).toMatchObject({ code: 'ABORTED' })
})

test('time goes on while a handler waits for something that the test decides', async () => {
  const gate = Promise.withResolvers<string>()
  const mesh = await meshOf({ handlers: { gated: () => mesh.meanwhile(gate.promise) } })
  const task = await mesh.node.schedule({ name: 'gated' })
  await mesh.advance('10m')
  expect(mesh.ran('gated')).toMatchObject([{ outcome: 'running', endedAt: null }])
  gate.resolve('open')
  expect(await task.result()).toBe('open')
  expect(mesh.now).toBe(BEGAN + 600_000)
})

test('a handler may call the node, and wait for what it scheduled', async () => {
  const mesh = await meshOf({
    nodes: 3,
    handlers: {
      parent: async () => {
        const child = await mesh.node.schedule({ name: 'child', after: '1m' })
        return `child said ${await child.result()}`
      },
      child: () => 'hello',
    },
  })
  const task = await mesh.node.schedule({ name: 'parent' })
  expect(await mesh.until(task.result())).toBe('child said hello')
})

test('a handler does not move time', async () => {
  const mesh = await meshOf({ handlers: { wrong: () => mesh.advance('1m') } })
  const task = await mesh.node.schedule({ name: 'wrong', retry: false })
  await expect(task.result()).rejects.toMatchObject({
    code: 'RUN_FAILED',
    message: expect.stringContaining('mesh.sleep()'),
  })
})

test('what is added with handle() is recorded, too', async () => {
  const mesh = await meshOf({})
  mesh.node.handle('added', async () => 7)
  const task = await mesh.node.schedule({ name: 'added' })
  expect(await task.result()).toBe(7)
  expect(mesh.ran('added')).toMatchObject([{ outcome: 'completed', result: 7 }])
})
