import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { importName, planImport, wantedOf } from '../../src/cli/import-crontab.ts'
import { parseCrontab } from '../../src/task/crontab.ts'
import type { TaskView } from '../../src/task/views.ts'
import { carillon, FakeNode, NOW } from './fake-node.ts'

const CORPUS = join(import.meta.dirname, '..', 'task', 'corpus')
const files = readdirSync(CORPUS).filter(name => name.endsWith('.crontab'))

const importing = (node: FakeNode, text: string, ...flags: string[]) =>
  carillon(['import', 'crontab', '-', ...flags], { node, stdin: text })
const verdicts = (out: string) =>
  (JSON.parse(out) as { lines: { line: number; verdict: string }[] }).lines.map(({ verdict }) => verdict)

describe('import crontab', () => {
  test('adds, changes, leaves alone and, with --prune, removes', async () => {
    const node = new FakeNode()
    const first = await importing(node, '0 1 * * * backup\n0 2 * * * rotate\n61 * * * * no\n')
    expect(first.code).toBe(0)
    expect(first.out).toContain('2 added, 0 changed, 0 unchanged, 1 not taken')
    expect(first.err).toMatch(/^-:3 is not taken: .*61/)
    expect(node.tasksById.size).toBe(2)

    const edited = '5 1 * * * backup\n0 3 * * * new\n'
    const second = await importing(node, edited)
    expect(second.out).toContain(
      '1 added, 1 changed, 0 unchanged, 1 no longer in the file, kept: --prune removes them',
    )
    expect(node.tasksById.size).toBe(3)

    const third = await importing(node, edited, '--prune')
    expect(third.out).toContain('0 added, 0 changed, 2 unchanged, 1 removed')
    expect(
      [...node.tasksById.values()].map(({ payload }) => (payload as { command: string }).command).sort(),
    ).toEqual(['backup', 'new'])
  })

  test('a dry run says the same and changes nothing', async () => {
    const node = new FakeNode()
    await importing(node, '0 1 * * * backup\n0 2 * * * rotate\n')
    const before = JSON.stringify([...node.tasksById])
    const text = '5 1 * * * backup\n0 3 * * * new\n'
    const dry = await importing(node, text, '--dry-run', '--prune', '--json')
    expect(JSON.stringify([...node.tasksById])).toBe(before)
    const real = await importing(node, text, '--prune', '--json')
    expect(JSON.parse(real.out)).toEqual({ ...(JSON.parse(dry.out) as object), dryRun: false })
    expect(node.tasksById.size).toBe(2)
  })

  test('keeps what stands beside the time: input, variables, shell, zone, delay, overlap', async () => {
    const node = new FakeNode()
    await importing(
      node,
      'SHELL=/bin/bash\nA=b\nRANDOM_DELAY=5\nCRON_TZ=Asia/Tokyo\n0 9 * * * -s cat%one%two\n@60 poll\n',
    )
    const [cat, poll] = [...node.tasksById.values()]
    expect(cat).toMatchObject({
      payload: { command: 'cat', stdin: 'one\ntwo\n', shell: '/bin/bash', env: { A: 'b' } },
      schedule: { kind: 'cron', tz: 'Asia/Tokyo', jitterMs: 300_000 },
      policy: { overlap: 'skip', retry: { max: 1 }, tags: ['crontab:stdin'] },
    })
    expect(poll).toMatchObject({ schedule: { kind: 'every', everyMs: 60_000, from: 'completion' } })
  })

  test('names @reboot, users, and what the node refuses', async () => {
    const node = new FakeNode()
    const { err, out, code } = await importing(
      node,
      '@reboot root start\n* * * * * root tick\n',
      '--form',
      'system',
    )
    expect(err).toMatch(/-:1 is not taken: @reboot runs at the start of a node: `carillon up --crontab`/)
    expect(err).toMatch(/names users \(root\): all commands run as the user of the node/)
    expect(out).toContain('1 added, 0 changed, 0 unchanged, 1 not taken')
    expect(code).toBe(0)
    const strict = await importing(node, '@reboot root start\n', '--form', 'system', '--strict')
    expect(strict.code).toBe(1)
    node.schedule = async tasks => tasks.map(() => ({ error: { code: 'CONFLICT', message: 'it lives' } }))
    const refused = await importing(node, '0 * * * * tock\n', '--name', 'other')
    expect(refused.err).toContain('-:1 is not taken by the node: it lives')
    expect(refused.out).toContain('0 added, 0 changed, 0 unchanged, 1 not taken')
    expect(refused.code).toBe(1)
  })

  test('two imports of different names do not touch each other', async () => {
    const node = new FakeNode()
    await importing(node, '* * * * * same\n', '--name', 'a')
    const { out } = await importing(node, '* * * * * same\n', '--name', 'b', '--prune')
    expect(out).toContain('1 added, 0 changed, 0 unchanged')
    expect(node.tasksById.size).toBe(2)
  })

  test.each([
    [['/nowhere/crontab'], /the crontab \/nowhere\/crontab is not there/],
    [['/tmp'], /is a directory/],
    [['-', '--tz', 'Nowhere'], /Nowhere/],
    [['-', '--name', 'a b'], /--name is 'a b'/],
    [[], /missing required argument 'file'/],
  ])('refuses %j with one line', async (argv, why) => {
    const { code, err } = await carillon(['import', 'crontab', ...argv])
    expect(err).toMatch(why)
    expect(err.split('\n')).toHaveLength(2)
    expect(code).toBe(2)
  })

  test('refuses a node that runs no commands', async () => {
    const node = new FakeNode()
    node.handlers = []
    const { code, err } = await importing(node, '* * * * * x\n')
    expect(code).toBe(1)
    expect(err).toContain('start it with `carillon up --commands`')
  })

  test.each(files)('takes %s twice without a change', async file => {
    const node = new FakeNode()
    const path = join(CORPUS, file)
    const first = await carillon(['import', 'crontab', path, '--json'], { node })
    expect(first.code).toBe(0)
    expect(new Set(verdicts(first.out)).size).toBeLessThanOrEqual(1)
    expect(node.tasksById.size).toBe(verdicts(first.out).length)
    const dry = await carillon(['import', 'crontab', path, '--json', '--dry-run', '--prune'], { node })
    const second = await carillon(['import', 'crontab', path, '--json', '--prune'], { node })
    for (const { out } of [dry, second]) {
      expect(verdicts(out).every(verdict => verdict === 'unchanged')).toBe(true)
      expect(JSON.parse(out)).toMatchObject({ gone: [] })
    }
    // Each line of the file is accounted for.
    const parsed = parseCrontab(readFileSync(path, 'utf8'), { form: 'auto' })
    const { lines, notTaken } = JSON.parse(first.out) as { lines: object[]; notTaken: object[] }
    expect(lines.length + notTaken.length).toBe(parsed.entries.length + parsed.refused.length)
  })
})

describe('a line that can not be taken any more', () => {
  test.each([
    ['* * * * * echo a', '99 * * * * echo a'],
    ['* * * * * date +\\%H%input', '* * * * * * * date +\\%H%input'],
    ['@hourly\techo a  ', '@hourli\techo a'],
  ])('keeps its task: %j became %j', async (before, after) => {
    const node = new FakeNode()
    await importing(node, `${before}\n0 1 * * * echo b\n`)
    const [kept] = [...node.tasksById.keys()]
    const { out, code } = await importing(node, `${after}\n0 2 * * * echo b\n`, '--prune')
    expect(out).toContain(
      '0 added, 1 changed, 0 unchanged, 1 kept as it was, as its line is not taken, 1 not taken',
    )
    expect(code).toBe(0)
    expect([...node.tasksById.keys()]).toContain(kept)
  })

  test('keeps no other one', async () => {
    const node = new FakeNode()
    await importing(node, '* * * * * echo a\n* * * * * a\n')
    const { out } = await importing(node, '99 * * * * xecho a\n', '--prune')
    expect(out).toContain('1 removed')
    expect(out).toContain('1 kept as it was')
    expect(node.tasksById.size).toBe(1)
  })
})

const line = fc.record({
  minute: fc.integer({ min: 0, max: 59 }),
  command: fc.constantFrom('a', 'b', 'c', 'a b', 'x%y', 'x%z'),
  skip: fc.boolean(),
})
const crontab = fc
  .array(line, { maxLength: 8 })
  .map(lines =>
    lines.map(({ minute, command, skip }) => `${minute} * * * * ${skip ? '-s ' : ''}${command}`).join('\n'),
  )

test('whatever was imported before: a plan is what the answers say, and carried out leaves nothing to do', async () => {
  await fc.assert(
    fc.asyncProperty(crontab, crontab, fc.boolean(), async (before, after, economy) => {
      const node = new FakeNode()
      if (economy) node.profile = { precision: 'low', guarantee: 'at-most-once' }
      const wanted = (text: string) => wantedOf(parseCrontab(text, { form: 'user' }).entries, 'f', NOW).lines
      const existing = async () => {
        const tasks: TaskView[] = []
        for await (const task of node.tasks({ tag: 'crontab:f' })) tasks.push(task)
        return tasks
      }
      await node.schedule(wanted(before).map(({ options }) => options))
      const lines = wanted(after)
      expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length)
      const plan = planImport(lines, await existing())
      const ids = new Set([...wanted(before), ...lines].map(({ id }) => id))
      expect(plan.lines.length + plan.gone.length).toBe(ids.size)
      const answers = await node.schedule(plan.lines.map(({ options }) => options))
      const words = { created: 'added', replaced: 'changed', exists: 'unchanged' }
      expect(answers.map(answer => ('error' in answer ? answer : words[answer.status]))).toEqual(
        plan.lines.map(({ verdict }) => verdict),
      )
      for (const { id } of plan.gone) await node.cancel(id)
      const again = planImport(lines, await existing())
      expect(again.gone).toEqual([])
      expect(again.lines.every(({ verdict }) => verdict === 'unchanged')).toBe(true)
      expect(node.tasksById.size).toBe(lines.length)
    }),
    { numRuns: 150 },
  )
})

test('a name is made of the letters that an id may have', () => {
  expect(importName('/etc/cron.d/my jobs')).toBe('my-jobs')
  expect(importName('-')).toBe('stdin')
  expect(importName('C:\\x\\crontab')).toBe('crontab')
  expect(importName('日本')).toBe('-')
  expect(importName('a'.repeat(500))).toHaveLength(60)
})
