import { beforeEach, expect, test } from 'vitest'
import { DEFAULT_CLIENT_OPTIONS } from '../../src/config.ts'
import { Gateways } from '../../src/mesh/gateways.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Network } from '../../src/ports/network.ts'

let done: string[]
let gateways: Gateways

function make(join: readonly string[]): void {
  done = []
  const note = (what: string) => (name: string) => void done.push(`${what} ${name}`)
  const network = { connect: note('connect'), forget: note('forget'), disconnect: note('disconnect') }
  const ports = { network: network as unknown as Network, clock: { monotonic: () => 0 } as Clock }
  const random = { float: () => 0, bytes: (count: number) => new Uint8Array(count) }
  gateways = new Gateways({ ...ports, random }, { ...DEFAULT_CLIENT_OPTIONS, spares: 1 }, join)
  gateways.dial()
}

beforeEach(() => make(['one', 'two', 'three']))

test('who comes beyond those that are wanted is let go, and dialled no more', () => {
  expect(done.splice(0)).toEqual(['connect one', 'connect two', 'connect three'])
  expect(gateways.connected('a', 'one')).toBe(true)
  expect(gateways.connected('b', 'two')).toBe(true)
  expect(done.splice(0)).toEqual(['forget three'])
  expect(gateways.connected('c', 'three')).toBe(false)
  expect(done).toEqual(['forget three', 'disconnect c'])
})

test('nodes of one name all stay, as the name is dialled as a whole', () => {
  make(['a.name'])
  for (const node of ['a', 'b', 'c']) expect(gateways.connected(node, 'a.name')).toBe(true)
  gateways.dial()
  expect(done).toEqual(['connect a.name'])
  gateways.disconnected('b', 'reset')
  expect(done).toEqual(['connect a.name'])
})

test('nobody is there who would let a client in, once every address has said so and no node is connected', () => {
  for (const address of ['one', 'two']) gateways.dialFailed(address, 'rejected')
  expect(gateways.areClosed).toBe(false)
  gateways.dialFailed('three', 'rejected')
  expect(gateways.areClosed).toBe(true)
  gateways.connected('a', 'one')
  expect(gateways.areClosed).toBe(false)
})
