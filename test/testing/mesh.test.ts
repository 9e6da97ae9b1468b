/** Crashes, partitions and skewed clocks of a test mesh; and that a seed replays. */

import { setTimeout as realSleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Run } from '../../src/api/run.ts'
import type { TestRun } from '../../testing/index.ts'
import { meshOf } from './meshes.ts'

const SECOND = 1000
const BEGAN = Date.UTC(2026, 0, 1)

test('another node goes on when one crashes, and it comes back', async () => {
  const mesh = await meshOf({ nodes: 3, handlers: { tick: () => 1 } })
  await mesh.node.schedule({ id: 'often', name: 'tick', every: '10s' })
  await mesh.advance('1m')
  const owner = mesh.runs[0]?.node as number
  const before = mesh.nodes[owner]
  mesh.crash(owner)
  await expect(before?.status()).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
  await mesh.advance('1m')
  const taken = mesh.runs.filter(({ at }) => at > BEGAN + 60 * SECOND)
  expect(new Set(taken.map(({ scheduledAt }) => scheduledAt)).size).toBe(6)
  expect(taken.every(({ node }) => node !== owner)).toBe(true)
  const again = await mesh.restart(owner)
  expect(mesh.nodes[owner]).toBe(again)
  await mesh.advance('30s')
  expect((await again.status()).mesh?.stores.map(({ state }) => state)).toEqual(['live', 'live', 'live'])
  expect(mesh.runs).toHaveLength(15)
})

test('a run that was cut off by a crash is begun again elsewhere, with the same id', async () => {
  const mesh = await meshOf({ nodes: 3, handlers: { slow: () => mesh.sleep('30s') } })
  await mesh.node.schedule({ id: 'job', name: 'slow', after: '10s' })
  await mesh.advance('20s')
  const [first] = mesh.runs
  mesh.crash(first?.node as number)
  await mesh.advance('2m')
  expect(mesh.runs.map(({ attempt, outcome, id }) => [attempt, outcome, id])).toEqual([
    [1, 'lost', first?.id],
    [2, 'completed', first?.id],
  ])
  expect(mesh.runs[1]?.node).not.toBe(first?.node)
})

test('one node keeps its tasks over a crash, unless its disk goes', async () => {
  const mesh = await meshOf({ handlers: { mail: () => 1 } })
  await mesh.node.schedule({ id: 'later', name: 'mail', after: '1h' })
  mesh.crash(0, { powerCut: true })
  await mesh.advance('10m')
  const node = await mesh.restart(0)
  expect(await node.task('later')).toMatchObject({ state: 'scheduled' })
  mesh.crash(0)
  const fresh = await mesh.restart(0, { wipe: true })
  expect(await fresh.task('later')).toBeNull()
  await mesh.advance('2h')
  expect(mesh.runs).toEqual([])
})

test('a node that was closed may be started again, and misfires are made up for', async () => {
  const mesh = await meshOf({ handlers: { mail: () => 1 } })
  await mesh.node.schedule({ id: 'hourly', name: 'mail', cron: '0 * * * *' })
  await mesh.node.close()
  await mesh.advance('1 day 30 minutes')
  await mesh.restart(0)
  await mesh.advance('1h')
  expect(mesh.runs.map(({ lateMs }) => lateMs)).toEqual([30 * 60_000, 0])
})

test('both sides of a partition go on, and their ends are merged at the heal', {
  timeout: 120_000,
}, async () => {
  const mesh = await meshOf({ nodes: 3, handlers: { tick: () => 1 } })
  await mesh.node.schedule({ id: 'often', name: 'tick', every: '1m' })
  await mesh.advance('1m')
  const owner = mesh.runs[0]?.node as number
  const heal = mesh.partition([owner])
  await mesh.advance('10m')
  const during = mesh.runs.filter(({ at }) => at > BEGAN + 120 * SECOND)
  expect(new Set(during.map(({ node }) => node)).size).toBe(2)
  heal()
  await mesh.advance('2m')
  const from = mesh.runs.length
  await mesh.advance('5m')
  expect(mesh.runs.slice(from)).toHaveLength(5)
})

test('a skewed clock fires early, and is told; jumps over idle time are not', async () => {
  const mesh = await meshOf({ handlers: { mail: () => 1 } })
  const steps: number[] = []
  mesh.node.on('clock-jump', ({ byMs }) => steps.push(byMs))
  await mesh.node.schedule({ id: 'daily', name: 'mail', cron: '0 12 * * *' })
  await mesh.advance('1 day')
  mesh.skew(0, '10m')
  await mesh.advance('1 day')
  mesh.skew(0, '-10m')
  await mesh.advance('1 day')
  expect(mesh.runs.map(({ lateMs }) => lateMs)).toEqual([0, -600_000, 600_000])
  expect(steps).toEqual([600_000, -1_200_000])
})

describe('the same seed', () => {
  /** With everything that could differ: three nodes, handlers in real time, a crash, a cut, retries with jitter. */
  async function story(seed: number): Promise<readonly TestRun[]> {
    let calls = 0
    const mesh = await meshOf({
      nodes: 3,
      seed,
      handlers: {
        quick: () => 1,
        real: async (run: Run<number>) => {
          await realSleep(Math.random() * 4)
          return run.payload
        },
        flaky: () => {
          if (++calls % 3 !== 0) throw new TypeError('flaky')
        },
      },
    })
    await mesh.node.schedule([
      { id: 'a', name: 'quick', every: '7s' },
      { id: 'b', name: 'real', payload: 5, every: '5s' },
      { id: 'c', name: 'flaky', every: '20s' },
      { name: 'real', payload: 6, after: '3s' },
      { name: 'real', payload: 7, after: '3s' },
      { name: 'real', payload: 8, after: '3s' },
    ])
    await mesh.advance('1m')
    mesh.crash(1)
    await mesh.advance('30s')
    await mesh.restart(1)
    const heal = mesh.partition([2])
    await mesh.advance('30s')
    heal()
    await mesh.advance('1m')
    const { runs } = mesh
    await mesh.close()
    return runs.map(({ error, ...run }) => ({
      ...run,
      error: error === undefined ? undefined : String(error),
    }))
  }

  test('gives the same runs in the same order, and another seed gives others', {
    timeout: 120_000,
  }, async () => {
    const [one, two, other] = [await story(5), await story(5), await story(6)]
    expect(one.length).toBeGreaterThan(60)
    expect(two).toEqual(one)
    expect(other).not.toEqual(one)
  })
})
