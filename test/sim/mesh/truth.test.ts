/** Who is healthy, as it follows from what was done. */

import { beforeEach, describe, expect, test } from 'vitest'
import type { MeshNode } from '../../../sim/mesh/node.ts'
import { MeshTruth } from '../../../sim/mesh/truth.ts'
import { SimulatedSwitch } from '../../../sim/network/switch.ts'
import { VirtualClock } from '../../../sim/virtual-clock.ts'
import { SeededRandom } from '../../../src/lib/seeded-random.ts'

const WINDOW_MS = 30_000

type Standing = Omit<MeshNode, 'isUp' | 'isPaused' | 'isBusy'> & {
  isUp: boolean
  isPaused: boolean
  isBusy: boolean
}

let clock: VirtualClock
let theSwitch: SimulatedSwitch
let nodes: Standing[]
let truth: MeshTruth

function bed(size: number): void {
  clock = new VirtualClock()
  theSwitch = new SimulatedSwitch({ clock, random: new SeededRandom(1) })
  const never = (): never => {
    throw new Error('the truth only looks')
  }
  nodes = Array.from({ length: size }, (_, number) => ({
    number,
    name: `n${number}`,
    host: theSwitch.host(`n${number}`),
    isUp: true,
    isPaused: false,
    isBusy: false,
    isRetired: false,
    store: undefined,
    wire: 1,
    start: never,
    kill: never,
    powerCut: never,
    stop: never,
    pause: never,
    lag: never,
    wipe: never,
    image: never,
    restore: never,
    stepClock: never,
    leave: never,
    retire: never,
    forget: never,
    slowDisk: never,
    fillDisk: never,
    flipBit: never,
    failSync: never,
  }))
  truth = new MeshTruth(theSwitch, nodes, WINDOW_MS, 100)
  truth.update()
}

const hosts = (...numbers: number[]) => numbers.map(number => nodes[number]!.host)
const healthy = () => nodes.filter(({ number }) => truth.healthyMs(number) !== undefined).map(n => n.number)

async function disturb(act: () => void): Promise<void> {
  act()
  truth.update()
  await clock.advanceBy(1000)
}

beforeEach(() => bed(5))

test('a node is healthy for as long as nothing has been done to it', async () => {
  await clock.advanceBy(7000)
  expect(healthy()).toEqual([0, 1, 2, 3, 4])
  expect(truth.healthyMs(3)).toBe(7000)
  expect(truth.misled()).toBeUndefined()
})

test('a node that is down or stands still is not healthy, and begins anew', async () => {
  await disturb(() => {
    nodes[1]!.isUp = false
    nodes[2]!.isPaused = true
  })
  expect(healthy()).toEqual([0, 3, 4])
  // Neither has reason to think others dead.
  expect(truth.misled()).toBeUndefined()
  await disturb(() => {
    nodes[1]!.isUp = true
    nodes[2]!.isPaused = false
  })
  expect([truth.healthyMs(0), truth.healthyMs(1), truth.healthyMs(2)]).toEqual([2000, 1000, 1000])
  truth.restarted(nodes[0]!)
  expect(truth.healthyMs(0)).toBe(0)
})

describe('of five', () => {
  test.each([
    [500, true],
    [2000, false],
  ])(
    'one whose links are %i times slower is healthy as long as answers come in time: %s',
    async (slower, isGood) => {
      await disturb(() => theSwitch.disturb(hosts(0), hosts(1, 2, 3, 4), { slower }))
      expect(healthy().includes(0)).toBe(isGood)
    },
  )

  test('those that stand still are counted, and are of no help', async () => {
    await disturb(() => theSwitch.partition(hosts(0), hosts(1)))
    await disturb(() => {
      nodes[2]!.isPaused = true
    })
    expect(healthy()).toEqual([0, 1, 3, 4])
    await disturb(() => {
      nodes[3]!.isPaused = true
    })
    expect(healthy()).toEqual([4])
  })

  test('one that is cut off from two is healthy, from three it is not', async () => {
    await disturb(() => theSwitch.partition(hosts(0), hosts(1, 2)))
    expect(healthy()).toEqual([0, 1, 2, 3, 4])
    await disturb(() => theSwitch.disturb(hosts(3), hosts(0), { cut: true }))
    expect(healthy()).toEqual([1, 2, 3, 4])
    expect(truth.misled()).toBe('n0')
  })

  test('those that are down are not counted', async () => {
    await disturb(() => theSwitch.partition(hosts(0, 1), hosts(2, 3, 4)))
    expect(healthy()).toEqual([2, 3, 4])
    await disturb(() => {
      nodes[3]!.isUp = false
      nodes[4]!.isUp = false
    })
    expect(healthy()).toEqual([0, 1])
  })

  test('a clog is a cut; a third of the packets lost is not, and more is', async () => {
    const rest = hosts(1, 2, 3, 4)
    await disturb(() => theSwitch.disturb(hosts(0), rest, { loss: 0.3 }))
    expect(healthy()).toContain(0)
    await disturb(() => theSwitch.disturb(hosts(0), rest, { loss: 0.1 }))
    expect(healthy()).not.toContain(0)
    theSwitch.heal()
    await disturb(() => theSwitch.disturb(hosts(0), rest, { clog: true }))
    expect(healthy()).not.toContain(0)
  })
})

test('who was cut off is misled until it was healthy for the window, also over a restart', async () => {
  await disturb(() => theSwitch.partition(hosts(0), hosts(1, 2, 3, 4)))
  await disturb(() => theSwitch.heal())
  await clock.advanceBy(WINDOW_MS - 2000)
  expect(truth.misled()).toBe('n0')
  await disturb(() => truth.restarted(nodes[0]!))
  await clock.advanceBy(WINDOW_MS - 2000)
  expect(truth.misled()).toBe('n0')
  await clock.advanceBy(1000)
  expect(truth.misled()).toBeUndefined()
})

test('who is down says nothing once its last words have died away, and is misled still when it is back', async () => {
  await disturb(() => theSwitch.partition(hosts(0), hosts(1, 2, 3, 4)))
  await disturb(() => {
    theSwitch.heal()
    nodes[0]!.isUp = false
  })
  expect(truth.misled()).toBe('n0')
  await clock.advanceBy(WINDOW_MS)
  expect(truth.misled()).toBeUndefined()
  await disturb(() => {
    nodes[0]!.isUp = true
  })
  expect(truth.misled()).toBe('n0')
})

test('who is late is not healthy, and may think the others dead', async () => {
  bed(3)
  await disturb(() => Object.assign(nodes[1] as Standing, { isBusy: true }))
  expect(healthy()).toEqual([0, 2])
  expect(truth.misled()).toBe('n1')
  await disturb(() => Object.assign(nodes[1] as Standing, { isBusy: false }))
  expect(healthy()).toEqual([0, 1, 2])
  await clock.advanceBy(WINDOW_MS)
  expect(truth.misled()).toBeUndefined()
})
