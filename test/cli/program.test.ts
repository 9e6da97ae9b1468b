import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { reference } from '../../src/cli/reference.ts'
import {
  exactLength,
  lengthText,
  relativeText,
  scheduleText,
  utcText,
  wallText,
} from '../../src/cli/times.ts'
import { nearest } from '../../src/cli/words.ts'
import { parseDuration } from '../../src/task/duration.ts'
import { carillon, FakeNode, NOW, run } from './fake-node.ts'

const folder = mkdtempSync(join(tmpdir(), 'carillon-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('docs/cli.md is what the program says (else: node scripts/cli-reference.ts)', () => {
  expect(readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'cli.md'), 'utf8')).toBe(reference())
})

describe('help', () => {
  test.each(COMMANDS.map(({ name }) => name))(
    'of %s has examples, --help, and fits 100 columns',
    async name => {
      const { code, out, err } = await carillon([...name.split(' '), '--help'])
      expect(code).toBe(0)
      expect(err).toBe('')
      expect(out).toMatch(/\nExamples:\n {2}\$ .*carillon/)
      expect(out).toContain('--help')
      for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
    },
  )

  test('of the whole names every command', async () => {
    for (const argv of [[], ['--help']]) {
      const { code, out } = await carillon(argv)
      expect(code).toBe(0)
      for (const { name } of COMMANDS) expect(out).toContain(`\n  ${name.split(' ')[0]}`)
    }
    expect((await carillon(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test.each(COMMANDS.flatMap(({ name, examples }) => examples.map(example => [name, example] as const)))(
    'of %s: the example `%s` parses',
    async (_, example) => {
      const part = example.split(' | ').find(each => /(?:^|\bxargs )carillon (?!completion)/.test(each))
      if (part === undefined) return expect(example).toContain('carillon completion')
      const argv = [...part.replace(/^.*?carillon /, '').matchAll(/'([^']*)'|(\S+)/g)].map(
        match => match[1] ?? match[2] ?? '',
      )
      if (argv[0] === 'up') argv.push('--handlers', join(folder, 'none.ts'))
      if (part.includes('xargs')) argv.push('some-id')
      const node = new FakeNode()
      node.results = [run({})]
      const { err } = await carillon(argv, { stdin: '* * * * * x', node })
      expect(err).not.toMatch(/unknown|missing|too many|--help/)
    },
  )
})

describe('what is wrong is one line, with what to do', () => {
  test.each([
    [['lss'], "carillon: unknown command 'lss' (did you mean ls?); see `carillon --help`\n"],
    [
      ['ls', '--stat', 'dead'],
      "carillon: unknown option '--stat' (did you mean --state?); see `carillon ls --help`\n",
    ],
    [
      ['ls', 'x'],
      "carillon: too many arguments for 'ls'. Expected 0 arguments but got 1: x; see `carillon ls --help`\n",
    ],
    [['show'], "carillon: missing required argument 'id'; see `carillon show --help`\n"],
    [['ls', '--limit'], "carillon: option '-n, --limit <n>' argument missing; see `carillon ls --help`\n"],
    [['import'], 'carillon: a command is missing; see `carillon --help`\n'],
    [
      ['completion', 'tcsh'],
      /^carillon: .*'tcsh' is invalid for argument 'shell'\. Allowed choices are bash, zsh, fish; see/,
    ],
    [['ls', '--limit', 'x'], /^carillon: --limit is 'x': allowed is a whole number/],
    [
      ['ls', '--url', 'http://127.0.0.1:7410/?x=1'],
      /^carillon: --url is 'http.*': allowed is the address of a node/,
    ],
    [
      ['ls', '--url', 'http://me:hidden@127.0.0.1:7410'],
      /^carillon: --url has a user or a password in it: (?!.*hidden)/,
    ],
    [['ls', '--url', 'nonsense'], /^carillon: --url is 'nonsense': allowed is the address of a node/],
  ])('%j', async (argv, why) => {
    const { code, out, err } = await carillon(argv)
    expect(code).toBe(2)
    expect(out).toBe('')
    if (typeof why === 'string') expect(err).toBe(why)
    else expect(err).toMatch(why)
    expect(err.split('\n')).toHaveLength(2)
    const json = await carillon([...argv, '--json'])
    if (argv[0] !== 'completion' && argv.at(-1) !== '--limit')
      expect(Object.keys(JSON.parse(json.err) as object)).toEqual(['error'])
  })

  test('a fault of our own has no stack trace, unless it is asked for', async () => {
    const node = new FakeNode()
    node.status = async () => {
      throw new TypeError('x is not\na function')
    }
    const { code, err } = await carillon(['status'], { node })
    expect(code).toBe(1)
    expect(err).toBe(
      'carillon: a fault of Carillon itself: TypeError: x is not a function. With CARILLON_DEBUG=1 it says where\n',
    )
    const debug = await carillon(['status'], {
      node,
      env: { CARILLON_URL: 'http://127.0.0.1:1', CARILLON_DEBUG: '1' },
    })
    expect(debug.err).toMatch(/\n +at /)
  })
})

describe('a command finds its node', () => {
  const api = { url: 'http://127.0.0.1:7410', pid: 1, token: 'from-the-directory' }
  const findApi = async () => api
  const data = join(folder, 'data')
  mkdirSync(data)
  const tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, 'from-a-file\n')

  test.each([
    [
      '--url goes first',
      ['--url', 'http://h:1'],
      { CARILLON_URL: 'http://e:1', CARILLON_TOKEN: 't' },
      'http://h:1',
      't',
    ],
    ['then CARILLON_URL', [], { CARILLON_URL: 'http://e:1' }, 'http://e:1', undefined],
    ['then the data directory', ['--data', data], {}, api.url, api.token],
    ['CARILLON_DATA names it', [], { CARILLON_DATA: data }, api.url, api.token],
    ['a token file goes before all', ['--data', data, '--token-file', tokenFile], {}, api.url, 'from-a-file'],
    [
      'its token serves the same address',
      ['--url', `${api.url}/`, '--data', data],
      {},
      `${api.url}/`,
      api.token,
    ],
    [
      'and no other',
      ['--url', 'http://127.0.0.1:7411', '--data', data],
      {},
      'http://127.0.0.1:7411',
      undefined,
    ],
  ])('%s', async (_, flags, env, url, token) => {
    const { addresses, code, err } = await carillon(['ls', ...flags], { env, nodes: { findApi } })
    expect(err).toBe('')
    expect(code).toBe(0)
    expect(addresses).toMatchObject([{ url, token }])
  })

  test('never sends a token to a process that took the place of the node', async () => {
    const nodes = { findApi, isAlive: () => false }
    const { addresses, code, err } = await carillon(['ls', '--data', data], { env: {}, nodes })
    expect(addresses).toEqual([])
    expect(code).toBe(3)
    expect(err).toBe(
      `carillon: no node runs on ${data}: start one with \`carillon up --data ${data}\`, or name a node with --url\n`,
    )
    const named = await carillon(['ls', '--url', api.url, '--data', data], { env: {}, nodes })
    expect(named.addresses).toMatchObject([{ url: api.url, token: undefined }])
  })

  describe('of a data directory with slots', () => {
    const slotted = (): string => join(folder, 'slotted')
    const slot = (n: number): string => join(slotted(), `slot-${n}`)
    const apiOf = (n: number) => ({
      url: `http://127.0.0.1:${7500 + n}`,
      pid: n,
      token: `token-of-slot-${n}-0000`,
    })
    const nodes = (living: readonly number[]) => ({
      findApi: async (dir: string) => {
        const n = [2, 9, 10].find(each => slot(each) === dir)
        return n === undefined ? undefined : apiOf(n)
      },
      isAlive: (pid: number) => living.includes(pid),
    })
    const ls = (living: readonly number[], ...flags: string[]) =>
      carillon(['ls', ...flags], { env: {}, nodes: nodes(living) })

    for (const n of [2, 9, 10]) mkdirSync(slot(n), { recursive: true })

    test('finds the first that lives, and says which where there are more', async () => {
      const several = await ls([9, 10], '--data', slotted())
      expect(several.addresses).toMatchObject([{ url: apiOf(9).url, token: apiOf(9).token }])
      expect(several.err).toBe(`carillon: asking the node in ${slot(9)}; another is in ${slot(10)}\n`)
      const one = await ls([10], '--data', slotted())
      expect([one.addresses, one.err]).toMatchObject([[{ url: apiOf(10).url }], ''])
      const named = await ls([9, 10], '--data', slot(10))
      expect([named.addresses, named.err]).toMatchObject([[{ url: apiOf(10).url }], ''])
    })

    test('gives an address the token of its slot, and no other', async () => {
      const { addresses } = await ls([9, 10], '--data', slotted(), '--url', apiOf(10).url)
      expect(addresses).toMatchObject([{ url: apiOf(10).url, token: apiOf(10).token }])
      const dead = await ls([9], '--data', slotted(), '--url', apiOf(10).url)
      expect(dead.addresses).toMatchObject([{ url: apiOf(10).url, token: undefined }])
    })

    test('drains none that is not named', async () => {
      const { addresses, code, err } = await carillon(['drain', '--data', slotted()], {
        env: {},
        nodes: nodes([9, 10]),
      })
      expect([addresses, code]).toEqual([[], 2])
      expect(err).toBe(
        `carillon: nodes run in ${slot(9)} and ${slot(10)}: name the one that is meant with --data\n`,
      )
    })

    test('says that none lives', async () => {
      const { code, err } = await ls([], '--data', slotted())
      expect([code, err]).toEqual([
        3,
        `carillon: no node runs in the slots of ${slotted()}: start one with \`carillon up --data ${slotted()}\`, or name a node with --url\n`,
      ])
    })
  })

  test('says what is in the way', async () => {
    const of = (...argv: string[]) => carillon(['ls', ...argv], { env: {} })
    const none = await of('--data', join(folder, 'none'))
    expect(none.code).toBe(3)
    expect(none.err).toMatch(
      /^carillon: no node: there is no data directory .*none; start one with `carillon up --data /,
    )
    const notDirectory = await of('--data', tokenFile)
    expect(notDirectory.code).toBe(2)
    expect(notDirectory.err).toContain('is not a directory')
    const noToken = await of('--url', 'http://h:1', '--token-file', join(folder, 'none'))
    expect(noToken.code).toBe(2)
    expect(noToken.err).toContain('the token file')
    const used = join(folder, 'used')
    mkdirSync(used)
    writeFileSync(join(used, 'OWNER'), JSON.stringify({ pid: 4711, host: hostname() }))
    const noApi = await of('--data', used)
    expect(noApi.code).toBe(3)
    expect(noApi.err).toContain(
      `${used} is in use by process 4711, which opened no HTTP API: start it with http:`,
    )
    const denied = await carillon(['ls', '--data', data], {
      env: {},
      nodes: {
        findApi: async () => {
          throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
        },
      },
    })
    expect(denied.code).toBe(3)
    expect(denied.err).toMatch(
      /^carillon: no permission to read the data directory .*\(EACCES\): run this as the user/,
    )
  })
})

describe('times', () => {
  test('are short for people', () => {
    expect([0, 999, 1000, 61_000, 3_600_000, 93_784_000].map(lengthText)).toEqual([
      '0ms',
      '999ms',
      '1s',
      '1m 1s',
      '1h',
      '1d 2h',
    ])
    expect(relativeText(NOW - 90_000, NOW)).toBe('1m 30s ago')
    expect(relativeText(NOW + 10, NOW)).toBe('now')
    expect(wallText(NOW, 'Asia/Kolkata')).toBe('2026-11-27 17:30:00')
    expect(utcText(NOW + 5)).toBe('2026-11-27T12:00:00.005Z')
    expect(
      scheduleText(
        { kind: 'every', everyMs: 5_400_000, from: 'completion', anchor: 0, jitterMs: 500 },
        'UTC',
      ),
    ).toBe('every 1h30m after each end, up to 500ms later')
  })

  test('an exact length is read back as the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e12 }), ms => {
        expect(parseDuration(exactLength(ms), 'x')).toBe(ms)
      }),
    )
  })

  test('the nearest name is found, and no far one', () => {
    expect(nearest('hartbeat', ['report', 'heartbeat'])).toBe('heartbeat')
    expect(nearest('Report', ['report'])).toBe('report')
    expect(nearest('xyz', ['report', 'heartbeat'])).toBeUndefined()
  })
})
