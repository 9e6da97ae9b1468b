/** What is done to the network, or to a node, of a mesh that is cut into parts: plans made from a seed before anything runs. */

import type { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { Loss } from '../support/namespaces.ts'

export interface Scenario {
  readonly machines: number
  /** The first ones found the mesh. */
  readonly founders: number
  readonly network: 'local' | 'lan'
  /** In order. After the last all is well. */
  readonly steps: readonly Step[]
}

export interface Step {
  /** From when it was done; `isNoticed`: from when both sides of the cut have the other for away. */
  readonly forMs: number
  readonly isNoticed: boolean
  readonly losses: readonly Loss[]
  /** These stand still. */
  readonly stopped: readonly number[]
  /** These are closed and started again, one after the other, each when all is well. */
  readonly restarted: readonly number[]
  /** So many more come at once. */
  readonly joining: number
}

const MACHINES = 5
const CUT_MS = 20_000

type Plan = (random: SeededRandom) => Scenario

export const SCENARIOS: Readonly<Record<string, Plan>> = {
  /** Nothing happens: nothing may run twice. */
  calm: () => scenario([step(10_000)]),
  isolated: random => scenario([noticed(CUT_MS, between([pick(random, MACHINES)], MACHINES))]),
  halves: random => scenario([noticed(CUT_MS, between(half(random), MACHINES))]),
  /** All hear of one another, but for what one of them says. */
  'one-way-out': random => scenario([step(CUT_MS, from(pick(random, MACHINES)))]),
  /** One hears nothing, and is heard. */
  'one-way-in': random => scenario([step(CUT_MS, from(pick(random, MACHINES)).map(turned))]),
  /** One does not hear one other. */
  'one-way-pair': random => scenario([step(CUT_MS, from(pick(random, MACHINES)).slice(0, 1))]),
  loss: () => scenario([step(30_000, everywhere(MACHINES, 30))]),
  /** The same halves part and meet again, for a moment each time. */
  'flip-flop': random => {
    const cut = between(half(random), MACHINES)
    const steps: Step[] = []
    for (let ms = 0; ms < CUT_MS; ms += steps.at(-1)?.forMs ?? 0)
      steps.push(step(500 + Math.floor(random.float() * 2500), steps.length % 2 === 0 ? cut : []))
    return scenario(steps)
  },
  /** Other halves each time, long enough for both to go on alone, and too short to settle. */
  'flip-flop-slow': random =>
    scenario(
      [0, 1, 2].flatMap(() => [step(CUT_MS, between(half(random), MACHINES)), step(4000)]).slice(0, -1),
    ),
  stopped: random => scenario([{ ...step(30_000), stopped: [pick(random, MACHINES)] }]),
  /** As a new version is rolled out. */
  rolling: () => ({
    machines: 3,
    founders: 3,
    network: 'lan',
    steps: [{ ...step(0), restarted: [0, 1, 2, 0, 1, 2] }],
  }),
  joins: () => ({ machines: 13, founders: 3, network: 'lan', steps: [{ ...step(0), joining: 10 }] }),
  /** What `npm test` has the time for. */
  short: random => ({
    machines: 3,
    founders: 3,
    network: 'local',
    steps: [noticed(4000, between([pick(random, 3)], 3))],
  }),
}

/** Those of a whole soak. */
export const LONG = Object.keys(SCENARIOS).filter(name => name !== 'short')

function scenario(steps: readonly Step[]): Scenario {
  return { machines: MACHINES, founders: MACHINES, network: 'lan', steps }
}

function step(forMs: number, losses: readonly Loss[] = []): Step {
  return { forMs, isNoticed: false, losses, stopped: [], restarted: [], joining: 0 }
}

function noticed(forMs: number, losses: readonly Loss[]): Step {
  return { ...step(forMs, losses), isNoticed: true }
}

function pick(random: SeededRandom, count: number): number {
  return Math.floor(random.float() * count)
}

function half(random: SeededRandom): number[] {
  const first = pick(random, MACHINES)
  return [first, (first + 1 + pick(random, MACHINES - 1)) % MACHINES]
}

function everywhere(machines: number, percent: number): Loss[] {
  const all = Array.from({ length: machines }, (_, i) => i)
  return all.flatMap(from => all.filter(to => to !== from).map(to => ({ from, to, percent })))
}

function between(some: readonly number[], machines: number): Loss[] {
  return everywhere(machines, 100).filter(({ from, to }) => some.includes(from) !== some.includes(to))
}

function from(machine: number): Loss[] {
  return everywhere(MACHINES, 100).filter(loss => loss.from === machine)
}

function turned({ from, to, percent }: Loss): Loss {
  return { from: to, to: from, percent }
}
