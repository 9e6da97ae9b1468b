/**
 * Who is there, by the number of nodes: bytes per node and second at rest and under loss, false alarms, and how long a
 * death takes to be known everywhere. All in virtual time over the simulated network: the figures are the protocol's,
 * not this machine's. Only real seconds and memory tell what the run cost.
 *
 * Bytes are what a node sends on the liveness plane, each frame as if it travelled alone, with 82 bytes around it (IP,
 * TCP, Noise, yamux). Loss drops single frames both ways on all links, which no TCP would do to it.
 *
 * A thousand nodes have half a million connections: twenty minutes and gigabytes before anything is measured. They are
 * no part of it; 300 take some minutes, 500 a quarter of an hour.
 */

import type { Benchmark, BenchmarkResult } from './benchmark.ts'
import { percentiles } from './measure.ts'
import { type SeededMember, SeededMesh } from './membership-mesh.ts'

/** What is run with so many nodes: virtual seconds without loss, with 10 % and with 30 %, and deaths of each kind. */
interface Plan {
  readonly nodes: number
  readonly seconds: readonly [number, number, number]
  readonly deaths: number
  /** The dead start again, and all agree, before the next one dies; otherwise the mesh gets smaller. */
  readonly again: boolean
}

const PLANS: readonly Plan[] = [
  { nodes: 10, seconds: [600, 600, 600], deaths: 20, again: true },
  { nodes: 100, seconds: [300, 300, 300], deaths: 10, again: true },
  { nodes: 300, seconds: [60, 60, 60], deaths: 3, again: false },
]
const QUICK: readonly Plan[] = [
  { nodes: 10, seconds: [60, 60, 60], deaths: 3, again: true },
  { nodes: 30, seconds: [60, 30, 30], deaths: 2, again: true },
]
const LOSSES = [0, 0.1, 0.3] as const
/** A span is cut short after this in real time; the virtual seconds that are told are those that were run. */
const SPAN_REAL_MS_MAX = 180_000
/** Between two deaths, and before the bytes at rest are counted: news that are on their way. */
const REST_MS = 5000

const WEATHER_COLUMNS = [
  'nodes',
  'loss',
  'virtual s',
  'bytes/node/s, mean',
  'largest node',
  'accusations/node/h',
  'trials/node/h',
  'healthy away',
]
const DEATH_COLUMNS = [
  'nodes',
  'death',
  'deaths',
  'first knows, median s',
  'max s',
  'last knows, median s',
  'max s',
]

interface Weather {
  readonly seconds: number
  readonly meanBytes: number
  readonly mostBytes: number
  readonly accusationsPerHour: number
  readonly trialsPerHour: number
  readonly healthyAway: number
}

interface Deaths {
  readonly firstMs: readonly number[]
  readonly lastMs: readonly number[]
}

export const membership: Benchmark = {
  name: 'membership',
  about:
    'virtual time, simulated network: bytes sent per node and second with all headers; deaths; false alarms',
  async run({ quick, say }) {
    const results: BenchmarkResult[] = []
    for (const plan of quick ? QUICK : PLANS) results.push(...(await measure(plan, say)))
    return results
  },
}

/** One mesh: at rest, then its deaths, then under loss. What is known is said at once: the largest takes minutes. */
export async function measure(plan: Plan, say: (line: string) => void): Promise<BenchmarkResult[]> {
  const { nodes, seconds, deaths, again } = plan
  const from = performance.now()
  const tell = (what: string): void => {
    const rss = Math.round(process.memoryUsage.rss() / 2 ** 20)
    say(`${nodes} nodes: ${what} (${((performance.now() - from) / 1000).toFixed(0)} s real, ${rss} MiB)`)
  }
  const mesh = await SeededMesh.seeded(1, nodes)
  await mesh.start()
  tell(`all connected and agreed after ${(mesh.clock.monotonic() / 1000).toFixed(1)} virtual s`)
  await mesh.run(REST_MS)

  const results: BenchmarkResult[] = []
  const row = (name: string, figures: object): void => {
    results.push({ name: `${nodes} nodes, ${name}`, ...figures })
  }
  const weatherRow = async (i: 0 | 1 | 2): Promise<void> => {
    const seen = await weather(mesh, LOSSES[i], seconds[i])
    row(`${LOSSES[i] * 100} % loss`, seen)
    const shown = [seen.seconds, Math.round(seen.meanBytes), Math.round(seen.mostBytes)]
    const alarms = [seen.accusationsPerHour.toFixed(2), seen.trialsPerHour.toFixed(2), seen.healthyAway]
    say(`| ${nodes} | ${LOSSES[i] * 100} % | ${[...shown, ...alarms].join(' | ')} |`)
  }

  heading(say, WEATHER_COLUMNS)
  await weatherRow(0)
  say('')
  tell('deaths')
  heading(say, DEATH_COLUMNS)
  for (const powerCut of [false, true]) {
    const name = powerCut ? 'power cut' : 'crash'
    const { firstMs, lastMs } = await dying(mesh, { powerCut, deaths, again })
    const [first, last] = [percentiles([...firstMs]), percentiles([...lastMs])]
    row(`${name}, the first knows`, { p50Ms: first.p50Ms, maxMs: first.maxMs })
    row(`${name}, the last knows`, { p50Ms: last.p50Ms, maxMs: last.maxMs })
    const shown = [first.p50Ms, first.maxMs, last.p50Ms, last.maxMs].map(ms => (ms / 1000).toFixed(2))
    say(`| ${nodes} | ${name} | ${deaths} | ${shown.join(' | ')} |`)
  }
  say('')
  tell('loss')
  heading(say, WEATHER_COLUMNS)
  for (const i of [1, 2] as const) {
    await weatherRow(i)
    if (again) await mesh.settled()
  }
  say('')
  tell(`done; in all of it ${mesh.falseVerdicts} times a healthy member was away at somebody`)
  say('')
  return results
}

function heading(say: (line: string) => void, columns: readonly string[]): void {
  say('')
  say(`| ${columns.join(' | ')} |`)
  say(`|${columns.map(() => '---|').join('')}`)
}

/** A while under so much loss on all links. */
async function weather(mesh: SeededMesh, loss: number, secondsMax: number): Promise<Weather> {
  const { up } = mesh
  const { hosts } = mesh.switch
  const heal = loss === 0 ? () => {} : mesh.switch.disturb(hosts, hosts, { loss })
  const before = up.map(member => member.sentBytes)
  const { accusations, trials } = mesh
  const verdicts = mesh.falseVerdicts
  const from = performance.now()
  let seconds = 0
  while (seconds < secondsMax && performance.now() - from < SPAN_REAL_MS_MAX) {
    await mesh.run(1000)
    seconds++
  }
  heal()
  const perSecond = up.map((member, i) => (member.sentBytes - (before[i] as number)) / seconds)
  const nodeHours = (up.length * seconds) / 3600
  return {
    seconds,
    meanBytes: perSecond.reduce((sum, bytes) => sum + bytes, 0) / up.length,
    mostBytes: Math.max(...perSecond),
    accusationsPerHour: (mesh.accusations - accusations) / nodeHours,
    trialsPerHour: (mesh.trials - trials) / nodeHours,
    healthyAway: mesh.falseVerdicts - verdicts,
  }
}

/** Several deaths, one after the other. */
async function dying(
  mesh: SeededMesh,
  { powerCut, deaths, again }: { powerCut: boolean; deaths: number; again: boolean },
): Promise<Deaths> {
  const random = mesh.random.fork(`deaths ${powerCut}`)
  const [firstMs, lastMs]: [number[], number[]] = [[], []]
  for (let i = 0; i < deaths; i++) {
    await mesh.run(REST_MS + random.float() * 1000)
    const { up } = mesh
    const victim = up[Math.floor(random.float() * up.length)] as SeededMember
    const taken = await mesh.death(victim, powerCut)
    firstMs.push(taken.firstMs)
    lastMs.push(taken.lastMs)
    if (!again) continue
    victim.startAgain()
    await mesh.settled()
    mesh.victims.delete(victim.store)
  }
  return { firstMs, lastMs }
}
