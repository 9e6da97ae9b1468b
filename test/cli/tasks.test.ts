import { describe, expect, test } from 'vitest'
import { widthOf } from '../../src/cli/text-width.ts'
import { CarillonError } from '../../src/errors.ts'
import { carillon, FakeNode, NOW, run } from './fake-node.ts'

async function nodeWith(...tasks: object[]): Promise<FakeNode> {
  const node = new FakeNode()
  for (const answer of await node.schedule(tasks))
    if ('error' in answer) throw new Error(answer.error.message)
  return node
}

const LONG = 'x'.repeat(200)

describe('ls', () => {
  test('shows id, name, state, next and schedule', async () => {
    const node = await nodeWith(
      { id: 'nightly', name: 'report', cron: '30 2 * * *', tz: 'Europe/Paris', tags: ['a'] },
      { id: 'often', name: 'email.send', every: '90s' },
    )
    const { code, out } = await carillon(['ls'], { node })
    expect(code).toBe(0)
    expect(out.split('\n')).toEqual([
      'ID       NAME        STATE      NEXT                              SCHEDULE',
      'nightly  report      scheduled  in 13h 30m (2026-11-28 01:30:00)  cron 30 2 * * * (Europe/Paris)',
      'often    email.send  scheduled  in 1m 30s (2026-11-27 12:01:30)   every 1m30s',
      '',
    ])
  })

  test('filters, and says when nothing fits', async () => {
    const node = await nodeWith({ id: 'a', name: 'report', tags: ['x'] }, { id: 'b', name: 'email.send' })
    expect((await carillon(['ls', '--tag', 'x'], { node })).out).toMatch(/^ID .*\na /s)
    expect((await carillon(['ls', '--name', 'email.send'], { node })).out).not.toContain('\na ')
    expect((await carillon(['ls', '--state', 'dead'], { node })).out).toBe('no such tasks\n')
    expect((await carillon(['ls', '-n', '1'], { node })).out.trim().split('\n')).toHaveLength(2)
    expect((await carillon(['ls'], { node: new FakeNode() })).out).toContain('carillon schedule --help')
  })

  test('never cuts an id where there is no terminal, and never passes its width where there is one', async () => {
    const node = await nodeWith({ id: LONG, name: LONG, every: '1h' }, { id: 'b', name: 'report', at: NOW })
    expect((await carillon(['ls'], { node })).out).toContain(LONG)
    for (const columns of [40, 60, 80, 109, 110, 200]) {
      const { out } = await carillon(['ls'], { node, columns })
      for (const line of out.split('\n'))
        expect(widthOf(line), `${columns}: ${line}`).toBeLessThanOrEqual(columns)
    }
  })

  test('gives ten thousand tasks as one JSON array, a task on each line', async () => {
    const node = new FakeNode()
    await node.schedule(Array.from({ length: 10_000 }, (_, i) => ({ id: `t${i}`, name: 'report' })))
    const { out } = await carillon(['ls', '--json'], { node })
    expect(JSON.parse(out)).toHaveLength(10_000)
    expect(out.split('\n')).toHaveLength(10_003)
    expect((await carillon(['ls', '--json'], { node: new FakeNode() })).out).toBe('[]\n')
    expect((await carillon(['ls'], { node, columns: 80 })).out.split('\n')).toHaveLength(10_002)
  })

  test('has colour in a terminal only, and none with NO_COLOR', async () => {
    const node = await nodeWith({ id: 'a', name: 'report' })
    const url = { CARILLON_URL: 'http://127.0.0.1:1' }
    const csi = '\x1b['
    expect((await carillon(['ls'], { node, columns: 100, env: url })).out).toContain(csi)
    expect((await carillon(['ls'], { node, env: url })).out).not.toContain(csi)
    expect(
      (await carillon(['ls'], { node, columns: 100, env: { ...url, NO_COLOR: '1' } })).out,
    ).not.toContain(csi)
    expect((await carillon(['ls'], { node, env: { ...url, FORCE_COLOR: '1' } })).out).toContain(csi)
    expect((await carillon(['ls'], { node, columns: 100, env: { ...url, TERM: 'dumb' } })).out).not.toContain(
      escape,
    )
  })
})

describe('show and runs', () => {
  test('show all of a task, its runs and its last error', async () => {
    const node = await nodeWith({
      id: 't',
      name: 'report',
      every: '1h',
      payload: { to: '日本 \x1b[31m\u202e' },
      tags: ['x'],
      timeout: '5s',
    })
    node.runsById.set('t', [
      run({
        state: 'failed',
        attempt: 5,
        error: { name: 'TypeError', message: 'no route', stack: 'TypeError: no route\n    at f' },
      }),
      run({ result: { stdout: 'one\ntwo\n' } }),
    ])
    const { out, code } = await carillon(['show', 't'], { node })
    expect(code).toBe(0)
    expect(out).toMatch(/^id +t$/m)
    expect(out).toMatch(/^schedule +every 1h$/m)
    expect(out).toMatch(/^timeout +5s$/m)
    expect(out).toMatch(/^next +in 1h \(2026-11-27 13:00:00\)$/m)
    expect(out).toContain('日本')
    expect(out).toContain('one | two')
    expect(out).toMatch(/last error.*\n {2}TypeError: no route\n {6}at f/)
    for (const char of ['\x1b', '\u202e']) expect(out).not.toContain(char)
    expect(JSON.parse((await carillon(['show', 't', '--json'], { node })).out)).toMatchObject({
      task: { id: 't' },
      runs: [{ state: 'failed' }, { state: 'completed' }],
    })
  })

  test('show still the runs of a task that has ended, and refuse an id that never was', async () => {
    const node = new FakeNode()
    node.runsById.set('over', [run({})])
    expect((await carillon(['show', 'over'], { node })).out).toContain(
      'over has ended; its runs are still kept',
    )
    const { code, err } = await carillon(['show', 'never'], { node })
    expect(code).toBe(1)
    expect(err).toContain("no task 'never'")
  })

  test('fit the terminal', async () => {
    const node = await nodeWith({ id: LONG, name: 'report', every: '1h' })
    node.runsById.set(
      LONG,
      ['🙂'.repeat(300), '漢字'.repeat(300), 'a\x07b\n'.repeat(100)].map(text =>
        run({ id: `${LONG}@1`, result: text }),
      ),
    )
    for (const columns of [40, 80, 120]) {
      const { out } = await carillon(['runs', LONG], { node, columns })
      for (const line of out.split('\n')) expect(widthOf(line)).toBeLessThanOrEqual(columns)
      expect(out).not.toContain('\x07')
    }
  })
})

describe('logs', () => {
  test('print lines with their time, harmless to a terminal', async () => {
    const node = await nodeWith({ id: 't', name: 'report' })
    node.logLines.push({ run: 't@1', at: NOW, line: 'hello \x1b]0;title\x07' })
    const { out } = await carillon(['logs', 't'], { node })
    expect(out).toBe('2026-11-27 12:00:00  hello \\u001b]0;title\\u0007\n')
    await node.schedule([{ id: 'silent', name: 'report' }])
    expect((await carillon(['logs', 'silent'], { node })).out).toContain('run.log() writes them')
    expect((await carillon(['logs', 'silent@1'], { node })).code).toBe(0)
  })

  test.each([['none'], ['none@17'], ['none', '--follow']])(
    'of a task that never was end with 1: %j',
    async (...argv) => {
      const { code, out, err } = await carillon(['logs', ...argv], {
        node: await nodeWith({ id: 't', name: 'report' }),
      })
      expect([code, out]).toEqual([1, ''])
      expect(err).toMatch(/^carillon: no task "none"/)
    },
  )

  test('--follow prints each line once, also equal ones, until the task has ended', async () => {
    const node = await nodeWith({ id: 't', name: 'report', every: '1h' })
    const line = { run: 't@1', at: NOW, line: 'again' }
    node.logLines.push(line)
    let turn = 0
    const { out } = await carillon(['logs', 't', '--follow', '--json'], {
      node,
      sleep: async () => {
        turn++
        if (turn === 1) node.logLines.push(line, { ...line, line: 'more' })
        if (turn === 2) node.logLines.shift()
        if (turn === 3) node.tasksById.clear()
      },
    })
    const lines = out
      .trim()
      .split('\n')
      .map(each => (JSON.parse(each) as { line: string }).line)
    expect(lines).toEqual(['again', 'again', 'more'])
  })
})

describe('what changes tasks', () => {
  test('takes several ids, goes on after a refusal, and fails at the end', async () => {
    const node = await nodeWith(
      { id: 'a', name: 'report', every: '1h' },
      { id: 'b', name: 'report', every: '1h' },
    )
    const paused = await carillon(['pause', 'a', 'gone', 'b'], { node })
    expect(paused.out).toMatch(/^paused a;[^\n]*\npaused b;/)
    expect(paused.err).toMatch(/^carillon: no task "gone"[^\n]*\n$/)
    expect(paused.code).toBe(1)
    const resumed = await carillon(['resume', 'a'], { node })
    expect(resumed.out).toBe('resumed a, next in 1h (2026-11-27 13:00:00)\n')
    const again = await carillon(['resume', 'a'], { node })
    expect(again.code).toBe(1)
    expect(again.err).toContain('a was not paused')
    const cancelled = await carillon(['cancel', 'a', 'a', '--json'], { node })
    expect(cancelled.out).toBe(
      '{"id":"a","ok":true,"cancelled":true}\n{"id":"a","ok":false,"cancelled":false}\n',
    )
    expect(cancelled.code).toBe(1)
  })

  test('trigger tells the run, and waits for all with --wait', async () => {
    const node = await nodeWith({ id: 'a', name: 'report', every: '1h' })
    node.results = [run({ result: 5 })]
    const { out, code } = await carillon(['trigger', 'a', '--wait'], { node })
    expect(out).toBe(`triggered a: run a@${NOW}\ncompleted in 1s\n5\n`)
    expect(code).toBe(0)
    node.results = [run({ state: 'failed', error: { name: 'Error', message: 'no' } })]
    expect((await carillon(['trigger', 'a', '--wait'], { node })).code).toBe(1)
  })

  test('retry says why not', async () => {
    const node = await nodeWith({ id: 'a', name: 'report' })
    const { code, err } = await carillon(['retry', 'a'], { node })
    expect(code).toBe(1)
    expect(err).toContain('only a failed run can be retried')
    expect(JSON.parse((await carillon(['retry', 'a', '--json'], { node })).err)).toMatchObject({
      error: { code: 'CONFLICT' },
    })
  })

  test('a node that is gone ends the command at the first id', async () => {
    const node = new FakeNode()
    node.pause = async () => {
      throw new CarillonError('UNREACHABLE' as never, 'nobody answers at http://127.0.0.1:1')
    }
    const { code, err } = await carillon(['pause', 'a', 'b'], { node })
    expect(code).toBe(3)
    expect(err).toBe('carillon: nobody answers at http://127.0.0.1:1\n')
  })
})

test('status is short', async () => {
  const { out, code } = await carillon(['status'])
  expect(code).toBe(0)
  expect(out).toMatch(/^node +up for 1h, since 2026-11-27 11:00:00$/m)
  expect(out).toMatch(/^handlers +command, email.send, report$/m)
  expect(out).toMatch(/^store .*4\.7 GiB free$/m)
  expect(out).toContain("nobody runs 'gone': 2 waiting")
  expect(out.split('\n').length).toBeLessThan(12)
})

describe('preview', () => {
  test('shows a pattern in its zone and in UTC, without a node', async () => {
    const { out, code, addresses } = await carillon([
      'preview',
      '0 9 * * 1-5',
      '--tz',
      'Europe/Paris',
      '--count',
      '2',
    ])
    expect(code).toBe(0)
    expect(out.split('\n')).toEqual([
      '2026-11-30 09:00:00 Europe/Paris  2026-11-30T08:00:00Z  in 2d 20h',
      '2026-12-01 09:00:00 Europe/Paris  2026-12-01T08:00:00Z  in 3d 20h',
      '',
    ])
    expect(addresses).toEqual([])
  })

  test('shows what a DST night does', async () => {
    const now = () => Date.UTC(2026, 2, 28, 12)
    const of = (gap: string) =>
      carillon(['preview', '30 2 * * *', '--tz', 'Europe/Paris', '--count', '1', '--dst-gap', gap], { now })
    expect((await of('skip')).out).toContain('2026-03-30 02:30:00')
    expect((await of('shift')).out).toContain('2026-03-29 03:30:00')
  })

  test('asks the node for a task, and knows intervals', async () => {
    const node = await nodeWith(
      { id: 'a', name: 'report', every: '1h', max: 2 },
      { id: 'b', name: 'report', at: NOW + 5 },
    )
    const a = await carillon(['preview', '--id', 'a', '--json'], { node })
    expect(JSON.parse(a.out)).toMatchObject({ instants: [NOW + 3_600_000, NOW + 7_200_000] })
    expect(JSON.parse((await carillon(['preview', '--id', 'b', '--json'], { node })).out)).toMatchObject({
      instants: [NOW + 5],
    })
    const every = await carillon(['preview', '--every', '6h', '--json', '--count', '1'])
    expect(JSON.parse(every.out)).toMatchObject({ instants: [NOW + 6 * 3_600_000] })
  })

  test.each([
    [[], /preview takes one of/],
    [['* * * * *', '--every', '1h'], /preview takes one of/],
    [['61 * * * *'], /minute '61'/],
    [['* * * * *', '--tz', 'Paris'], /Paris/],
    [['* * * * *', '--count', '0'], /--count is '0'/],
    [['--every', 'x'], /--every is 'x'/],
  ])('refuses %j', async (argv, why) => {
    const { code, err } = await carillon(['preview', ...argv])
    expect(err).toMatch(why)
    expect(err.split('\n')).toHaveLength(2)
    expect(code).toBe(2)
  })
})
