/**
 * Nodes that find each other by mdns, each on a machine of its own on one LAN (namespaces.ts): what lan.test.ts runs. It
 * prints a line for each step, and ends with an error at the first that fails.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { eventually } from '../support/loopback-nodes.ts'
import { againInNamespaces, ownNamespaces, Switch } from '../support/namespaces.ts'
import { NODE_PROGRAM, type Report, reportsOf } from '../support/node-process.ts'

const MESH = { name: 'night', secret: 'what only these machines know' }

const scratch = ownNamespaces()
if (scratch === undefined) process.exit(await againInNamespaces([]))

const lan = new Switch('IPv4')

class Machine {
  said: Report = {}
  readonly #kill: () => void

  constructor(number: number, options: object) {
    const all = {
      dataDir: join(scratch as string, `${number}`),
      listen: '0.0.0.0',
      join: ['mdns'],
      mesh: { ...MESH, expect: 3 },
      ...options,
    }
    const { child, placed } = lan.start(number, NODE_PROGRAM, [JSON.stringify(all)])
    reportsOf(child, report => {
      this.said = report
    })
    placed.catch((error: unknown) => {
      throw error
    })
    this.#kill = () => void child.kill('SIGKILL')
  }

  kill(): void {
    this.#kill()
  }
}

async function allLive(machines: readonly Machine[], what: string): Promise<string | undefined> {
  const isSo = (): boolean => machines.every(({ said }) => said.live === machines.length)
  await eventually(isSo, `${what}: ${JSON.stringify(machines.map(({ said }) => said))}`, 90_000)
  const meshes = new Set(machines.map(({ said }) => said.mesh))
  assert.equal(meshes.size, 1)
  console.log(what)
  return [...meshes][0]
}

const other = { mesh: { name: 'day', secret: 'what only the others know', expect: 2 } }
const night = [0, 1, 2].map(number => new Machine(number, {}))
const day = [3, 4].map(number => new Machine(number, other))
const mesh = await allLive(night, 'three found a mesh')
assert.notEqual(await allLive(day, 'two others found one of their own'), mesh)
for (const { said } of [...night, ...day]) assert.deepEqual(said.refused, [])
console.log('the two know nothing of each other')

// In place of the one that is killed another comes, twice: so it finds one that was never told an address itself.
let live = night
for (const number of [5, 6]) {
  live[0]?.kill()
  live = [...live.slice(1), new Machine(number, { mesh: MESH })]
  assert.equal(await allLive(live, `a newcomer finds those that live, ${number - 4} were killed`), mesh)
}

const stranger = new Machine(8, { mesh: { ...MESH, secret: 'what nobody else knows' } })
const isTold = (): boolean => (stranger.said.refused ?? []).some(line => line.startsWith('SECRET_DIFFERS'))
await eventually(isTold, 'it is told', 90_000)
assert.equal(stranger.said.mesh, undefined)
console.log('who has another secret is found, told so, and not let in')
process.exit(0)
