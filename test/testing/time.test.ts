import { setTimeout as realSleep } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Run } from '../../src/api/run.ts'
import { isCarillonError } from '../../src/errors.ts'
import { createTestMesh, type TestRun } from '../../testing/index.ts'
import { meshOf } from './meshes.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const BEGAN = Date.UTC(2026, 0, 1)

// Before the mesh is closed: the last that was registered goes first.
afterEach(() => {
  vi.useRealTimers()
})

const instants = (runs: readonly TestRun[]): string[] => runs.map(({ at }) => new Date(at).toISOString())

describe('virtual time', () => {
  test('begins where it is told, and stands still until it is advanced', async () => {
    const mesh = await meshOf({ startAt: '2026-03-28T00:00:00Z', handlers: { mail: () => 1 } })
    expect(mesh.now).toBe(Date.UTC(2026, 2, 28))
    await mesh.node.schedule({ id: 'later', name: 'mail', after: '1s' })
    await realSleep(30)
    await mesh.node.status()
    expect(mesh.now).toBe(Date.UTC(2026, 2, 28))
    expect(mesh.runs).toEqual([])
  })

  test.each([1, 3])(
    'a nightly task of %i nodes fires 21 times in three weeks, on the instant',
    async nodes => {
      const mesh = await meshOf({ nodes, handlers: { mail: (run: Run<string>) => `to ${run.payload}` } })
      await mesh.node.schedule({ id: 'nightly', name: 'mail', payload: 'a', cron: '0 3 * * *' })
      await mesh.advance('3 weeks')
      expect(mesh.now).toBe(BEGAN + 21 * DAY)
      const runs = mesh.ran('mail')
      expect(runs).toHaveLength(21)
      expect(runs.map(({ at }) => at)).toEqual(runs.map((_, day) => BEGAN + day * DAY + 3 * HOUR))
      expect(new Set(runs.map(({ lateMs }) => lateMs))).toEqual(new Set([0]))
      const [first] = runs
      expect(first).toEqual({
        task: 'nightly',
        handler: 'mail',
        node: first?.node,
        id: `nightly@${BEGAN + 3 * HOUR}`,
        attempt: 1,
        payload: 'a',
        scheduledAt: BEGAN + 3 * HOUR,
        at: BEGAN + 3 * HOUR,
        lateMs: 0,
        outcome: 'completed',
        endedAt: BEGAN + 3 * HOUR,
        result: 'to a',
      })
    },
  )

  test('includes the instant that it is advanced to, and nothing after it', async () => {
    const mesh = await meshOf({ handlers: { mail: () => 1 } })
    await mesh.node.schedule({ id: 'soon', name: 'mail', after: '10m' })
    await mesh.advance('10 minutes')
    expect(mesh.ran('mail')).toHaveLength(1)
    await mesh.node.schedule({ id: 'next', name: 'mail', after: '10m' })
    await mesh.advance(600_000 - 1)
    expect(mesh.ran({ task: 'next' })).toEqual([])
    await mesh.advance(1)
    expect(mesh.ran({ task: 'next' })).toHaveLength(1)
  })

  test('goes through a night that has no 02:30, and one that has two', async () => {
    const mesh = await meshOf({ startAt: '2026-03-28T12:00:00Z', handlers: { backup: () => 1 } })
    await mesh.node.schedule({ id: 'nightly', name: 'backup', cron: '30 2 * * *', tz: 'Europe/Paris' })
    await mesh.advance('2 days')
    expect(instants(mesh.runs)).toEqual(['2026-03-29T01:30:00.000Z', '2026-03-30T00:30:00.000Z'])
    const dst = { overlap: 'both' } as const
    await mesh.node.schedule({ id: 'both', name: 'backup', cron: '30 2 * * *', tz: 'Europe/Paris', dst })
    await mesh.advanceTo('2026-10-24T12:00:00Z')
    await mesh.advance('1 day')
    expect(instants(mesh.ran({ task: 'both' })).slice(-2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T01:30:00.000Z',
    ])
    expect(instants(mesh.ran({ task: 'nightly' })).slice(-1)).toEqual(['2026-10-25T00:30:00.000Z'])
  })

  test('reaches what is years away', async () => {
    const mesh = await meshOf({ handlers: { mail: () => 1 } })
    await mesh.node.schedule({ id: 'far', name: 'mail', at: '2030-01-31T09:00:00Z' })
    await mesh.advanceTo('2030-01-31T08:59:59.999Z')
    expect(mesh.runs).toEqual([])
    await mesh.advance(1)
    expect(instants(mesh.runs)).toEqual(['2030-01-31T09:00:00.000Z'])
  })

  test('goes on until something comes, and says when it does not', async () => {
    const mesh = await meshOf({ handlers: { mail: () => 'sent' } })
    const task = await mesh.node.schedule({ name: 'mail', after: '2h' })
    expect(await mesh.until(task.result())).toBe('sent')
    expect(mesh.now).toBe(BEGAN + 2 * HOUR)
    await mesh.node.schedule({ id: 'often', name: 'mail', every: '1h' })
    await mesh.until(() => mesh.ran({ task: 'often' }).length === 3)
    expect(mesh.now).toBe(BEGAN + 5 * HOUR)
    const never = mesh.until(() => mesh.ran('none').length > 0, { within: '1h' })
    await expect(never).rejects.toMatchObject({ code: 'STUCK' })
    expect(mesh.now).toBe(BEGAN + 6 * HOUR)
    const failing = await mesh.node.schedule({ name: 'none', after: '1s' })
    await mesh.node.cancel(failing.id)
    await expect(mesh.until(failing.result())).rejects.toMatchObject({ code: 'RUN_CANCELLED' })
  })

  test('who waits without an advance is told so', async () => {
    const mesh = await meshOf({ handlers: { mail: () => 'sent' } })
    const told = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const early = await mesh.node.schedule({ id: 'early', name: 'mail', after: '1h' })
    const later = await mesh.node.schedule({ id: 'later', name: 'mail', after: '2h' })
    const ends = [early.result(), later.result()]
    await mesh.advance('1h')
    await ends[0]
    const third = mesh.node.schedule({ id: 'third', name: 'mail', after: '1h' }).then(task => task.result())
    await realSleep(1100)
    expect(told.mock.calls).toEqual([
      [
        expect.stringMatching(/^the result of third \(mail\) waits.*mesh\.advance/),
        { code: 'CARILLON_TESTING' },
      ],
    ])
    await mesh.advance('2h')
    expect(await Promise.all([...ends, third])).toEqual(['sent', 'sent', 'sent'])
    told.mockRestore()
  })

  test('a task for now is carried out without an advance', async () => {
    for (const nodes of [1, 3]) {
      const mesh = await meshOf({ nodes, handlers: { double: (run: Run<number>) => run.payload * 2 } })
      const task = await mesh.node.schedule({ name: 'double', payload: 21 })
      expect(await task.result()).toBe(42)
      expect(mesh.now).toBe(BEGAN)
      const seen: string[] = []
      for await (const { id } of mesh.node.tasks()) seen.push(id)
      expect(seen).toEqual([])
    }
  })

  test('retries at the instants that the policy says', async () => {
    let tries = 0
    const flaky = (): string => {
      if (++tries < 3) throw new Error('not yet')
      return 'well'
    }
    const mesh = await meshOf({ handlers: { flaky } })
    const retry = { kind: 'fixed', base: '1m', max: 3 } as const
    await mesh.node.schedule({ id: 'job', name: 'flaky', retry })
    await mesh.advance('5m')
    expect(mesh.runs.map(({ attempt, outcome, lateMs }) => [attempt, outcome, lateMs])).toEqual([
      [1, 'failed', 0],
      [2, 'failed', 60_000],
      [3, 'completed', 120_000],
    ])
    expect(mesh.runs[0]?.error).toMatchObject({ message: 'not yet' })
  })

  test('the timers of a test framework may be fakes', async () => {
    vi.useFakeTimers()
    const mesh = await meshOf({ handlers: { mail: async () => 1 } })
    await mesh.node.schedule({ id: 'daily', name: 'mail', cron: '@daily' })
    await mesh.advance('2 days')
    expect(mesh.runs).toHaveLength(2)
  })

  test('Date tells it, if that is asked for, until the mesh is closed', async () => {
    const real = Date
    const today = (): string => new Date().toISOString().slice(0, 10)
    const mesh = await meshOf({ fakeDate: true, startAt: '2030-02-01T00:00:00Z', handlers: { today } })
    await mesh.node.schedule({ id: 'daily', name: 'today', cron: '0 12 * * *' })
    await mesh.advance('2 days')
    expect(mesh.runs.map(({ result }) => result)).toEqual(['2030-02-01', '2030-02-02'])
    expect(Date.now()).toBe(mesh.now)
    expect(new Date(0)).toBeInstanceOf(real)
    await expect(createTestMesh({ fakeDate: true })).rejects.toMatchObject({ code: 'CONFLICT' })
    await mesh.close()
    expect(Date).toBe(real)
  })
})

describe('what is wrong is said', () => {
  test.each([
    [{ nodes: 0 }, 'nodes'],
    [{ nodes: 21 }, 'nodes'],
    [{ seed: {} as never }, 'seed'],
    [{ startAt: '2026-03-28' }, 'startAt'],
    [{ handlers: { 'no name': () => 1 } }, 'handlers["no name"]'],
    [{ dataDir: 'x' } as never, 'dataDir'],
    [{ profile: 'quick' as never }, 'profile'],
    [{ handlerMs: -1 }, 'handlerMs'],
  ])('%o', async (options, field) => {
    await expect(createTestMesh(options)).rejects.toMatchObject({ code: 'INVALID', field })
  })

  test('of calls', async () => {
    const mesh = await meshOf({ nodes: 2 })
    await expect(mesh.advance('soon')).rejects.toMatchObject({ code: 'INVALID', field: 'duration' })
    await expect(mesh.advanceTo(mesh.now - 1)).rejects.toMatchObject({ code: 'INVALID', field: 'instant' })
    const first = mesh.advance('1s')
    await expect(mesh.advance('1s')).rejects.toMatchObject({ code: 'CONFLICT' })
    await first
    expect(() => mesh.crash(2)).toThrow('the number of a node, 0 to 1')
    expect(() => mesh.partition([0], [0, 1])).toThrow('no node in common')
    await expect(mesh.restart(0)).rejects.toMatchObject({ code: 'CONFLICT' })
    mesh.crash(0)
    expect(() => mesh.crash(0)).toThrow('down already')
    await mesh.close()
    await mesh.close()
    const late = mesh.nodes[1]?.schedule({ name: 'x' })
    await expect(late).rejects.toSatisfy(error => isCarillonError(error))
  })
})
