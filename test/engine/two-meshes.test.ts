/** Two meshes on one network, of different secrets, whose addresses got mixed up. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort } from '../support/libp2p-nodes.ts'
import { eventually, LoopbackNodes, liveOf, type Made } from '../support/loopback-nodes.ts'

let all: LoopbackNodes
let doors: CountingDoor[]

beforeEach(async () => {
  all = await LoopbackNodes.make()
  doors = []
})

afterEach(async () => {
  await all.close()
  for (const door of doors) door.close()
})

const OTHER_SECRET = 'what only the other nodes know'
/** Watched for so long: a dial that fails waits longer each time, up to 5 s, so there are some 8 in it. */
const WATCHED_MS = 6000
const DIALS_MAX = 16

test('two meshes of different secrets that name each other in join leave each other alone', async () => {
  const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const [a1, a2, b1, b2] = ports.map(port => `127.0.0.1:${port}`) as [string, string, string, string]
  const [toA1, toB1] = [await door(a1), await door(b1)]
  const mesh = { expect: 2 }
  const other = { expect: 2, secret: OTHER_SECRET }
  const nodes = await Promise.all([
    all.start({ ...mesh, name: 'a1', address: a1, to: [a2, toB1.address] }),
    all.start({ ...mesh, name: 'a2', address: a2, to: [a1, toB1.address] }),
    all.start({ ...other, name: 'b1', address: b1, to: [b2] }),
    all.start({ ...other, name: 'b2', address: b2, to: [b1, toA1.address] }),
  ])
  const [one, two, three, four] = nodes as [Made, Made, Made, Made]
  for (const made of nodes) await eventually(async () => (await liveOf(made)) === 2, 'two live nodes')

  const [left, right] = await Promise.all([storesOf(one), storesOf(three)])
  expect([await storesOf(two), await storesOf(four)]).toEqual([left, right])
  expect(left.filter(store => right.includes(store))).toEqual([])

  const before = doors.map(({ dials }) => dials)
  const until = performance.now() + WATCHED_MS
  for (let round = 0; performance.now() < until; round++) {
    for (const { node, name } of [one, four]) {
      const task = await node.schedule({ id: `${name}-${round}`, name: 'work' })
      expect([one.name, two.name].includes(await task.result())).toBe(name === one.name)
    }
    await new Promise(resolve => setTimeout(resolve, 200))
  }
  for (const [at, { dials, address }] of doors.entries()) {
    // Two nodes dial the first of b, one the first of a.
    const diallers = address === toB1.address ? 2 : 1
    expect(dials, 'it is dialled at all').toBeGreaterThan(0)
    expect(dials - (before[at] as number)).toBeLessThanOrEqual(diallers * DIALS_MAX)
  }
  // Each is told once of the address that it dials, once of the machine that dials it.
  for (const { refusals } of nodes) {
    expect(new Set(refusals)).toEqual(new Set(['SECRET_DIFFERS']))
    expect(refusals.length).toBeLessThanOrEqual(2)
  }
  expect([await storesOf(one), await storesOf(three)]).toEqual([left, right])
}, 60_000)

async function storesOf({ node }: Made): Promise<string[]> {
  const { mesh } = await node.status()
  return (mesh?.stores ?? []).map(({ store }) => store).toSorted()
}

/** Another address of a node, at which each dial is counted. */
class CountingDoor {
  dials = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(port: number) {
    this.#server = createServer(near => {
      this.dials++
      const far = connect(port, '127.0.0.1')
      for (const [socket, opposite] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket)
        socket.pipe(opposite)
        socket.on('error', () => opposite.destroy())
        socket.on('close', () => {
          this.#sockets.delete(socket)
          opposite.destroy()
        })
      }
    })
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async open(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

async function door(to: string): Promise<CountingDoor> {
  const made = new CountingDoor(Number(to.split(':')[1]))
  doors.push(made)
  await made.open()
  return made
}
