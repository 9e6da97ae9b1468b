import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { CarillonError } from '../../src/errors.ts'
import { carillon, FakeNode, NOW, run } from './fake-node.ts'

const folder = mkdtempSync(join(tmpdir(), 'carillon-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

describe('one task', () => {
  test('is scheduled as the flags say', async () => {
    const node = new FakeNode()
    const { code, out, err } = await carillon(
      [
        ...['schedule', 'report', '--id', 'nightly', '--cron', '30 2 * * *', '--tz', 'Europe/Paris'],
        ...['--payload', '{"n":1}', '--retry', '3', '--retry-kind', 'fixed', '--retry-base', '5s'],
        ...['--timeout', '1m', '--overlap', 'skip', '--misfire', 'all', '--tag', 'a', '--tag', 'b'],
        ...['--dst-gap', 'skip', '--priority', '-5', '--precision', 'high', '--jitter', '10s', '--max', '7'],
      ],
      { node },
    )
    expect(err).toBe('')
    expect(code).toBe(0)
    expect(out).toMatch(/^scheduled nightly, next in 13h 30m \(2026-11-28 01:30:0\d\)\n$/)
    expect(node.tasksById.get('nightly')).toMatchObject({
      name: 'report',
      payload: { n: 1 },
      schedule: { kind: 'cron', pattern: '30 2 * * *', tz: 'Europe/Paris', max: 7, jitterMs: 10_000 },
      policy: {
        retry: { kind: 'fixed', baseMs: 5000, max: 3 },
        timeoutMs: 60_000,
        overlap: 'skip',
        misfire: { kind: 'all' },
        tags: ['a', 'b'],
        priority: -5,
        precision: 'high',
      },
    })
  })

  test('reads its payload from a file or from stdin', async () => {
    const node = new FakeNode()
    const path = file('payload.json', '{"from":"file"}')
    await carillon(['schedule', 'report', '--id', 'a', '--payload-file', path], { node })
    await carillon(['schedule', 'report', '--id', 'b', '--payload-file', '-'], { node, stdin: '["stdin"]' })
    expect(node.tasksById.get('a')?.payload).toEqual({ from: 'file' })
    expect(node.tasksById.get('b')?.payload).toEqual(['stdin'])
  })

  test('takes a local time in the zone of this machine, and says so; an offset or --tz needs no word', async () => {
    const node = new FakeNode()
    const local = await carillon(['schedule', 'report', '--id', 'a', '--at', '2026-12-01T09:00'], {
      node,
      zone: 'America/New_York',
    })
    expect(local.out).toContain("times without an offset are in America/New_York, this machine's zone")
    expect(node.tasksById.get('a')?.nextAt).toBe(Date.UTC(2026, 11, 1, 14))
    const zoned = await carillon(
      ['schedule', 'report', '--id', 'b', '--at', '2026-12-01T09:00', '--tz', 'Asia/Tokyo'],
      { node, zone: 'America/New_York' },
    )
    expect(zoned.out).not.toContain('offset')
    expect(node.tasksById.get('b')?.nextAt).toBe(Date.UTC(2026, 11, 1, 0))
    await carillon(['schedule', 'report', '--id', 'c', '--at', '2026-12-01T09:00:00+02:00'], { node })
    expect(node.tasksById.get('c')?.nextAt).toBe(Date.UTC(2026, 11, 1, 7))
    await carillon(['schedule', 'report', '--id', 'd', '--at', String(NOW + 5000)], { node })
    expect(node.tasksById.get('d')?.nextAt).toBe(NOW + 5000)
  })

  test('says whether it was new, changed or there already', async () => {
    const node = new FakeNode()
    const of = (every: string) => carillon(['schedule', 'report', '--id', 'x', '--every', every], { node })
    expect((await of('1h')).out).toContain('scheduled x')
    expect((await of('1h')).out).toContain('exists already, unchanged: x')
    expect((await of('2h')).out).toContain('replaced x')
  })

  test('a shell command is one', async () => {
    const node = new FakeNode()
    const { code } = await carillon(['schedule', '--command', 'uname -s', '--id', 'u'], { node })
    expect(code).toBe(0)
    expect(node.tasksById.get('u')).toMatchObject({ name: 'command', payload: { command: 'uname -s' } })
  })

  test('an unknown handler is refused with the nearest name, and taken with --anyway', async () => {
    const node = new FakeNode()
    const { code, err } = await carillon(['schedule', 'email.sned'], { node })
    expect(code).toBe(1)
    expect(err).toBe(
      "carillon: nobody on this node runs 'email.sned': did you mean email.send? known are command, email.send, report; --anyway schedules it to wait for a worker\n",
    )
    expect(node.tasksById.size).toBe(0)
    expect((await carillon(['schedule', 'email.sned', '--anyway'], { node })).code).toBe(0)
    expect(node.tasksById.size).toBe(1)
    node.handlers = ['report']
    const command = await carillon(['schedule', '--command', 'true'], { node })
    expect(command.code).toBe(1)
    expect(command.err).toContain('runs no shell commands: start it with `carillon up --commands`')
  })

  test.each([
    [['--every', '5 parsecs'], /--every is '5 parsecs'/],
    [['--payload', '{to: 1}'], /--payload is no JSON/],
    [['--payload', '1', '--payload-file', 'x'], /both given/],
    [['--payload-file', '/nowhere/x'], /the payload file \/nowhere\/x is not there/],
    [['--payload-file', tmpdir()], /is a directory: name a file/],
    [['--retry', 'many'], /--retry is 'many'/],
    [['--retry', 'off', '--retry-base', '1s'], /--retry off goes with no other/],
    [['--priority', '200'], /--priority is '200': allowed is a whole number from -100 to 100/],
    [['--cron', '61 * * * *'], /minute '61'/],
    [['--every', '1h', '--cron', '@daily'], /only one of/],
    [['--command', 'ls'], /schedule takes one of/],
    [['--wait-max', 'x'], /--wait-max is 'x'/],
  ])('%j is refused in one line, with exit code 2', async (flags, why) => {
    const { code, out, err } = await carillon(['schedule', 'report', ...flags])
    expect(err).toMatch(why)
    expect(err).toMatch(/^carillon: [^\n]+\n$/)
    expect(out).toBe('')
    expect(code).toBe(2)
  })

  test('--wait prints the result, and fails with the run', async () => {
    const node = new FakeNode()
    node.results = [undefined, run({ result: { sent: true } })]
    const well = await carillon(['schedule', 'report', '--wait'], { node })
    expect(well.out).toMatch(/completed in 1s\n\{"sent":true\}\n$/)
    expect(well.code).toBe(0)
    node.results = [run({ state: 'failed', attempt: 5, error: { name: 'Error', message: 'no\nroute' } })]
    const failed = await carillon(['schedule', 'report', '--wait'], { node })
    expect(failed.out).toMatch(/failed in 1s, 5 attempts\nno\\nroute\n$/)
    expect(failed.code).toBe(1)
    const json = await carillon(['schedule', 'report', '--wait', '--json'], { node })
    expect(JSON.parse(json.out)).toMatchObject({ state: 'failed', attempt: 5 })
  })

  test('--wait-max ends the wait', async () => {
    let now = NOW
    const { code, err } = await carillon(['schedule', 'report', '--wait', '--wait-max', '90s'], {
      node: new FakeNode(),
      now: () => {
        now += 10_000
        return now
      },
    })
    expect(code).toBe(1)
    expect(err).toContain('has not ended within 1m 30s; it goes on')
  })
})

describe('a file of tasks', () => {
  test('is an array, or a task on each line; each refusal is named', async () => {
    const node = new FakeNode()
    const array = file(
      'a.json',
      JSON.stringify([
        { id: 'a', name: 'report' },
        { command: 'true', id: 'b' },
      ]),
    )
    const first = await carillon(['schedule', '--file', array], { node })
    expect(first.out).toBe('2 tasks: 2 scheduled, 0 replaced, 0 unchanged\n')
    const lines = '{"id":"c","name":"report"}\n\n{"id":"d","name":"report","every":"never"}\n'
    const second = await carillon(['schedule', '--file', '-'], { node, stdin: lines })
    expect(second.out).toContain('2 tasks: 1 scheduled, 0 replaced, 0 unchanged, 1 not taken')
    expect(second.err).toMatch(/task 2 of - is not taken: every is 'never'/)
    expect(second.code).toBe(1)
    expect([...node.tasksById.keys()]).toEqual(['a', 'b', 'c'])
  })

  test('of a node that refuses whole lists, each refusal still has its task', async () => {
    const node = new FakeNode()
    const one = node.schedule.bind(node)
    node.schedule = async tasks => {
      const answers = await one(tasks.length === 1 ? tasks : [])
      const bad = tasks.findIndex(task => 'every' in task)
      if (bad >= 0) throw new CarillonError('INVALID', `[${bad}].every is 'never': allowed is a duration`)
      return tasks.length === 1 ? answers : one(tasks)
    }
    const lines =
      '{"id":"c","name":"report"}\n{"id":"d","name":"report","every":"never"}\n{"id":"e","name":"report"}'
    const { out, err, code } = await carillon(['schedule', '--file', '-'], { node, stdin: lines })
    expect(err).toBe("carillon: task 2 of - is not taken: every is 'never': allowed is a duration\n")
    expect(out).toBe('3 tasks: 2 scheduled, 0 replaced, 0 unchanged, 1 not taken\n')
    expect(code).toBe(1)
    expect([...node.tasksById.keys()]).toEqual(['c', 'e'])
  })

  test.each([
    ['', /has no tasks/],
    ['[]', /has no tasks/],
    ['{"name":"report"}\nnope', /:2 is no JSON/],
    ['[1]', /task 1 of .* is no object/],
    ['[{"name":"reprot"}]', /did you mean report/],
  ])('%j is refused', async (text, why) => {
    const { code, err } = await carillon(['schedule', '--file', file('bad.json', text)])
    expect(err).toMatch(why)
    expect(code).toBeGreaterThan(0)
  })

  test('many tasks go in parts, with a bar on a terminal when it takes long', async () => {
    const node = new FakeNode()
    const tasks = Array.from({ length: 1200 }, (_, i) => ({ id: `t${i}`, name: 'report' }))
    let now = NOW
    const { out, err } = await carillon(['schedule', '--file', file('many.json', JSON.stringify(tasks))], {
      node,
      columns: 100,
      env: { CARILLON_URL: 'http://127.0.0.1:1' },
      now: () => {
        now += 700
        return now
      },
    })
    expect(node.calls).toEqual(['schedule 500', 'schedule 500', 'schedule 200'])
    expect(out).toBe('1200 tasks: 1200 scheduled, 0 replaced, 0 unchanged\n')
    expect(err).toMatch(/scheduling \[#+-*\] 1000\/1200, .* left/)
    expect(err.endsWith('\r\x1b[K')).toBe(true)
  })
})
