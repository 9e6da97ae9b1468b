/** Commands with `--join`: as clients of a mesh, without the HTTP API of any node. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runComplete } from '../../src/cli/complete.ts'
import { SYSTEM_NODES } from '../../src/cli/nodes.ts'
import { freePort } from '../support/libp2p-nodes.ts'
import { LoopbackNodes, type Made, SECRET } from '../support/loopback-nodes.ts'
import { carillon, FakeNode, type Ran, worldOf } from './fake-node.ts'

const ENTRY = ['--join', '10.0.0.1:7400', '--join', 'b.example']

describe('with --join', () => {
  test('a command comes into the mesh with the secret of the environment, and leaves it at its end', async () => {
    let closed = 0
    const node = Object.assign(new FakeNode(), { close: async () => void closed++ })
    const env = { CARILLON_SECRET: SECRET, CARILLON_URL: 'http://127.0.0.1:1' }
    const { code, entries, addresses } = await carillon(['ls', ...ENTRY, '--mesh', 'night'], { node, env })
    expect([code, addresses]).toEqual([0, []])
    expect(entries).toEqual([
      { join: ['10.0.0.1:7400', 'b.example'], mesh: { name: 'night', secret: SECRET } },
    ])
    expect(closed).toBe(1)
    await carillon(['show', 'none', ...ENTRY], { node, env })
    expect(closed).toBe(2)
  })

  test.each([
    ['--url', 'http://127.0.0.1:7410'],
    ['--data', 'x'],
    ['--token-file', 'x'],
  ])('%s is wrong use', async (...other) => {
    const { code, err } = await carillon(['ls', ...ENTRY, ...other])
    expect([code, err]).toEqual([2, 'carillon: --join goes with none of --url, --token-file and --data\n'])
  })

  test('a file of tasks is scheduled as well', async () => {
    const stdin = '{"name":"report"}\n'
    const { out } = await carillon(['schedule', '--file', '-', ...ENTRY], { stdin })
    expect(out).toBe('1 tasks: 1 scheduled, 0 replaced, 0 unchanged\n')
  })

  test('nothing is completed, as that would take too long', async () => {
    const { world, ran } = worldOf()
    await runComplete(['carillon', 'show', ...ENTRY, ''], world)
    expect([ran.addresses, ran.entries]).toEqual([[], []])
  })
})

test('--mesh without --join is wrong use', async () => {
  const { code, err } = await carillon(['ls', '--mesh', 'night'])
  expect([code, err]).toEqual([2, 'carillon: --mesh is given without --join: give both, or neither\n'])
})

describe('a real mesh', { timeout: 60_000 }, () => {
  let all: LoopbackNodes
  let node: Made

  beforeAll(async () => {
    all = await LoopbackNodes.make()
    node = await all.start({ name: 'a' })
  }, 60_000)

  afterAll(() => all.close())

  function cli(
    argv: readonly string[],
    env: Record<string, string> = { CARILLON_SECRET: SECRET },
  ): Promise<Ran> {
    return carillon([...argv, '--join', node.address], {
      env,
      nodes: SYSTEM_NODES,
      now: Date.now,
      sleep: ms => new Promise(resolve => setTimeout(resolve, ms)),
    })
  }

  test('takes tasks, shows them, and gives results', async () => {
    const done = await cli(['schedule', 'work', '--id', 'one', '--wait'])
    expect(done.err).toBe('')
    expect(done.out).toMatch(/^scheduled one.*\ncompleted in .*\n"a"\n$/)
    const late = await cli(['schedule', 'work', '--id', 'late', '--after', '1h'])
    expect(late.out).toMatch(/^scheduled late, next in /)
    expect((await cli(['ls'])).out).toMatch(/\nlate +work +scheduled/)
    expect((await cli(['cancel', 'late'])).out).toBe('cancelled late\n')
    expect((await cli(['peers'])).out).toContain(node.address)
    expect((await cli(['schedule', 'wrok'])).err).toContain('did you mean work?')
  })

  test('lets a command in with a token, which takes no secret', async () => {
    const token = (await cli(['token', '--ttl', '1m'])).out.trim()
    const options = { env: { CARILLON_SECRET: 'of another mesh, perhaps' }, nodes: SYSTEM_NODES }
    const { code, out } = await carillon(['status', '--json', '--join', token], options)
    expect([code, JSON.parse(out).store]).toEqual([0, (await node.node.status()).store])
    const { code: again, err } = await carillon(['ls', '--join', token], options)
    expect([again, err]).toEqual([3, expect.stringContaining('the join token was used before')])
  })

  test('says what is wrong in one line', async () => {
    const without = await cli(['ls'], {})
    expect([without.code, without.err]).toEqual([2, expect.stringContaining('set CARILLON_SECRET')])
    const other = await cli(['ls'], { CARILLON_SECRET: 'what nobody else knows' })
    expect([other.code, other.err]).toEqual([3, expect.stringContaining('the secrets for the mesh')])
    const options = { env: { CARILLON_SECRET: SECRET }, nodes: SYSTEM_NODES }
    const nowhere = await carillon(['ls', '--join', 'a b'], options)
    expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringContaining('join[0] is "a b"')])
    const nobody = await carillon(['ls', '--join', `127.0.0.1:${await freePort()}`], options)
    expect([nobody.code, nobody.err]).toEqual([3, expect.stringContaining('(nobody listens there)')])
  })
})
