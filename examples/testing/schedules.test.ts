/** How to test what you schedule, in vitest: one for each part of the README that has to do with time or failure. */

import type { Node, Run } from 'carillon'
import { createTestMesh } from 'carillon/testing'
import { describe, expect, test } from 'vitest'

const HOUR = 3_600_000

/** The code under test: handlers, and what is registered with the node that createNode gives out. */
const handlers = {
  'email.send': async (run: Run<{ to: string }>) => ({ sent: run.payload.to }),
}
async function registerTasks(node: Node<typeof handlers>): Promise<void> {
  await node.schedule([
    { id: 'digest', name: 'email.send', payload: { to: 'd@example.com' }, every: '6h' },
    {
      id: 'monday',
      name: 'email.send',
      payload: { to: 'e@example.com' },
      cron: '0 9 * * 1',
      tz: 'Europe/Paris',
    },
  ])
}

describe('Quick start', () => {
  test('a digest each six hours, and one on Mondays', async () => {
    await using mesh = await createTestMesh({ handlers })
    await registerTasks(mesh.node)
    await mesh.advance('1 week')
    expect(mesh.ran({ task: 'digest' })).toHaveLength(28)
    expect(mesh.ran({ task: 'monday' })).toMatchObject([
      { scheduledAt: Date.parse('2026-01-05T08:00:00Z'), lateMs: 0, result: { sent: 'e@example.com' } },
    ])
  })

  test('registering at each start changes nothing', async () => {
    await using mesh = await createTestMesh({ handlers })
    await registerTasks(mesh.node)
    await mesh.advance('9h')
    mesh.crash(0)
    await registerTasks(await mesh.restart(0))
    await mesh.advance('9h')
    expect(mesh.ran({ task: 'digest' }).map(run => run.at - mesh.now)).toEqual([-12 * HOUR, -6 * HOUR, 0])
  })
})

describe('Schedules and time', () => {
  test('what was missed is made up for once', async () => {
    await using mesh = await createTestMesh({ handlers: { backup: () => 'done' } })
    await mesh.node.schedule({ id: 'nightly', name: 'backup', cron: '0 3 * * *' })
    mesh.crash(0)
    await mesh.advance('3 days')
    await mesh.restart(0)
    await mesh.advance('1 minute')
    expect(mesh.ran('backup')).toMatchObject([{ scheduledAt: Date.parse('2026-01-03T03:00:00Z') }])
  })
})

describe('Retries, timeouts, and what you can do to a task', () => {
  test('an attempt that takes too long is aborted, and tried again', async () => {
    await using mesh = await createTestMesh({
      handlers: {
        fetch: async run => {
          if (run.attempt === 1) await mesh.sleep('1h', { signal: run.signal })
          return run.attempt
        },
      },
    })
    const retry = { kind: 'fixed', base: '1m' } as const
    const task = await mesh.node.schedule({ name: 'fetch', timeout: '30s', retry })
    expect(await mesh.until(task.result())).toBe(2)
    expect(mesh.runs.map(run => run.outcome)).toEqual(['aborted', 'completed'])
    expect(mesh.runs[1]?.lateMs).toBe(90_000)
  })
})

describe('What is promised, on one node', () => {
  test('a run that a crash cut off is run again with the same key, so a payment is made once', async () => {
    const payments = new Map<string, number>()
    await using mesh = await createTestMesh({
      handlers: {
        pay: async (run: Run<number>) => {
          payments.set(run.idempotencyKey, run.payload)
          await mesh.sleep('10s')
        },
      },
    })
    await mesh.node.schedule({ name: 'pay', payload: 100, after: '1m' })
    await mesh.advance('65s')
    mesh.crash(0, { powerCut: true })
    await mesh.restart(0)
    await mesh.advance('1m')
    expect(mesh.runs.map(run => run.outcome)).toEqual(['lost', 'completed'])
    expect([...payments.values()]).toEqual([100])
  })
})

describe('The mesh', () => {
  test('any node takes the call, one fires, and another takes over', async () => {
    await using mesh = await createTestMesh({ nodes: 3, handlers: { report: () => 'built' } })
    await mesh.nodes[2]?.schedule({ id: 'report', name: 'report', cron: '0 * * * *' })
    await mesh.advance('1h')
    const [first] = mesh.runs
    mesh.crash(first?.node as number)
    await mesh.advance('2h')
    expect(mesh.ran('report').map(run => run.at % HOUR)).toEqual([0, 0, 0])
    expect(mesh.ran({ node: first?.node as number })).toHaveLength(1)
  })
})
