/**
 * One run of a mesh: its nodes and its faults for some virtual minutes; then everything is healed, and all have to come
 * to one view within a bound, and to rest; then they stop in an orderly way, and the checkers read the history. All of
 * it follows from the options.
 */

import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { DEFAULT_MEMBERSHIP_OPTIONS } from '../../src/membership/options.ts'
import { suspicionMsMax, TIMINGS } from '../../src/membership/timings.ts'
import { badness, type View } from '../../src/membership/view.ts'
import type { MeshOptions } from '../../src/mesh/mesh.ts'
import { SimulatedSwitch } from '../network/switch.ts'
import type { SeedResult } from '../seeds.ts'
import { Trace } from '../trace.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { meshCheckers } from './checkers/index.ts'
import { EngineNode } from './engine-node.ts'
import type { MeshContext, Strike } from './faults/fault.ts'
import { meshFault } from './faults/index.ts'
import { MeshHistory } from './history.ts'
import type { MeshNode } from './node.ts'
import { type MeshPlan, type NodePlan, planMesh } from './planner.ts'
import { MeshTruth } from './truth.ts'

export interface MeshRunOptions {
  readonly seed: number
  /** Virtual minutes with faults. */
  readonly minutes: number
  readonly mix: string
  readonly nodes?: number | undefined
  readonly traceFile?: string | undefined
  readonly verbose?: boolean | undefined
}

const FOUNDING_MS_MAX = 120_000
const REST_MS = 60_000
const STOP_MS_MAX = 30_000
/** A crowd need not agree: it is only given the time to do something wrong. */
const CROWD_MS = 20_000

export function runMesh(options: MeshRunOptions): Promise<SeedResult> {
  return runPlan(planMesh(options), options)
}

/** For scenarios: what the plan says, whatever the seed would have drawn. */
export async function runPlan(
  plan: MeshPlan,
  options: Omit<MeshRunOptions, 'mix' | 'nodes'>,
): Promise<SeedResult> {
  const random = new SeededRandom(`mesh ${options.seed}`)
  const clock = new VirtualClock({ monotonicMs: Math.floor(random.float() * 1e6) })
  const startedAt = clock.monotonic()
  const trace = new Trace(clock, { file: options.traceFile, verbose: options.verbose === true })
  const history = new MeshHistory(clock)
  const rejected = (error: unknown): void =>
    history.fault(`unhandled rejection: ${error instanceof Error ? error.stack : error}`)
  process.on('unhandledRejection', rejected)
  const world = new MeshWorld(plan, { clock, trace, history, random })
  try {
    await world.run(options.minutes * 60_000)
  } catch (error) {
    history.fault(`the simulation itself failed: ${error instanceof Error ? error.stack : String(error)}`)
  } finally {
    await new Promise(resolve => setImmediate(resolve))
    process.off('unhandledRejection', rejected)
    trace.close()
  }
  const faults = [...history.faults]
  // A run that did not come to its end has failed already; there is nothing to judge.
  for (const { name, check } of Number.isFinite(history.endedAt) ? meshCheckers(world.windowMs) : []) {
    const found: string[] = []
    check(history, plan, text => found.push(text))
    for (const text of found.slice(0, 5)) faults.push(`${name}: ${text}`)
    if (found.length > 5) faults.push(`${name}: and ${found.length - 5} more`)
  }
  return {
    seed: options.seed,
    hash: trace.hash,
    faults,
    latest: trace.latest,
    counters: history.counters,
    virtualMs: clock.monotonic() - startedAt,
    events: trace.events,
  }
}

interface WorldPorts {
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly history: MeshHistory
  readonly random: SeededRandom
}

class MeshWorld {
  readonly #plan: MeshPlan
  readonly #ports: WorldPorts
  readonly #switch: SimulatedSwitch
  readonly #nodes: readonly EngineNode[]
  readonly #truth: MeshTruth
  readonly #context: MeshContext
  readonly #ends = new Set<() => void>()
  readonly #latest = new Map<number, View>()
  /** How long a member must have been healthy, so that an alarm about it is false: the longest trial, and its news. */
  readonly windowMs: number
  /** Within this after healing there is one view: who died last is found out, dials and backoffs run out, news spread. */
  readonly #agreeMsMax: number
  #isHealed = false

  constructor(plan: MeshPlan, ports: WorldPorts) {
    const { clock, random, trace, history } = ports
    this.#plan = plan
    this.#ports = ports
    const timings = TIMINGS[plan.profile]
    const trialMs = suspicionMsMax(timings, plan.nodes.length)
    this.windowMs = trialMs + 20 * timings.probeMs
    this.#agreeMsMax = this.windowMs + 2 * plan.nodes.length * timings.probeMs + 20_000
    this.#switch = new SimulatedSwitch(
      { clock, random: random.fork('switch') },
      { conditions: plan.conditions },
    )
    const hosts = plan.nodes.map((_, number) => this.#switch.host(`n${number}`))
    const addresses = hosts.map(host => host.address)
    this.#nodes = hosts.map(
      (host, number) =>
        new EngineNode(
          number,
          { clock, trace, history, host, random: random.fork(`node ${number}`) },
          isFirstStore => this.#optionsOf(plan.nodes[number] as NodePlan, number, addresses, isFirstStore),
          {
            changed: (node, isNew) => this.#nodeChanged(node, isNew),
            viewChanged: (node, view) => this.#viewChanged(node, view),
          },
        ),
    )
    this.#truth = new MeshTruth(this.#switch, this.#nodes, this.windowMs, timings.ackMs / 3)
    this.#context = {
      clock,
      trace,
      history,
      random: random.fork('faults'),
      nodes: this.#nodes,
      disturb: (from, to, disturbance) => {
        const end = this.#switch.disturb(hostsOf(from), hostsOf(to), disturbance)
        this.#truth.update()
        return () => {
          end()
          this.#truth.update()
        }
      },
      nodesOf: numbers => (numbers ?? []).map(number => this.#nodes[number] as MeshNode),
    }
  }

  async run(faultsMs: number): Promise<void> {
    const { clock, trace, history } = this.#ports
    const { nodes, strikes, faults, isEarly, profile } = this.#plan
    trace.note(
      `${nodes.length} nodes, ${profile}, ${strikes.length} strikes of ${faults.join(' ') || 'nothing'}`,
    )
    for (const [number, { startAtMs }] of nodes.entries()) {
      clock.setTimer(startAtMs, () => this.#nodes[number]?.start())
    }
    if (!isEarly) await this.#until('the mesh is founded', () => this.#agree(), FOUNDING_MS_MAX)
    for (const strike of strikes) clock.setTimer(strike.atMs, () => this.#strike(strike))
    await clock.runUntil(() => history.faults.length > 0, faultsMs)
    if (history.faults.length > 0) return
    this.#heal()
    const met = await this.#runUntilAgreed()
    if (met) history.most('agreement max, ms', Math.ceil((history.agreedAt as number) - history.healedAt))
    else history.disagreement = this.#report()
    history.restsAt = clock.monotonic() + 10_000
    await clock.runUntil(() => history.faults.length > 0, REST_MS)
    history.count('nodes', this.#nodes.length)
    for (const { code } of history.refusals) history.count(`refused ${code}`)
    history.count('alarms', history.alarms.length)
    history.count('suspicions', history.suspicions.length)
    history.count('views', history.views.length)
    history.endedAt = clock.monotonic()
    await this.#stop()
  }

  #strike(strike: Strike): void {
    if (this.#isHealed) return
    const { clock, history } = this.#ports
    history.count(`fault ${strike.fault}`)
    const lasting = meshFault(strike.fault).strike(this.#context, strike)
    const end = (): void => {
      if (this.#ends.delete(end)) lasting()
    }
    this.#ends.add(end)
    clock.setTimer(strike.lastsMs, end)
  }

  /** Everything ends that lasts, all are up, and then some die for good. */
  #heal(): void {
    const { trace, history, random } = this.#ports
    trace.note('healing')
    this.#isHealed = true
    for (const end of [...this.#ends]) end()
    this.#switch.heal()
    const dead = this.#plan.leftDead.map(number => this.#nodes[number] as EngineNode)
    for (const node of this.#nodes) {
      node.pause(false)
      if (!dead.includes(node)) node.start()
      else if (random.float() < 0.5) node.kill()
      else node.powerCut()
    }
    this.#truth.update()
    history.healedAt = history.now
  }

  async #runUntilAgreed(): Promise<boolean> {
    const { clock, history, trace } = this.#ports
    // Who dies without a word is found out by a trial; that is in the bound.
    const limitMs = this.#plan.isCrowded ? CROWD_MS : this.#agreeMsMax
    const met = await this.#runUntil(() => this.#agree(), limitMs)
    if (met) history.agreedAt = clock.monotonic()
    trace.note(met ? 'all agree' : 'they do not agree')
    return met
  }

  async #stop(): Promise<void> {
    let left = 0
    for (const node of this.#nodes.filter(each => each.isUp)) {
      left++
      void node.stop().then(() => left--)
    }
    await this.#until('an orderly stop', () => left === 0, STOP_MS_MAX)
  }

  /** All that are up have one view: they are live in it, and nobody else is. */
  #agree(): boolean {
    const up = this.#nodes.filter(node => node.isUp)
    if (up.length < this.#nodes.length && !this.#isHealed) return false
    const id = up[0]?.membership?.viewId
    const stores = new Set(up.map(node => node.store))
    return up.every(({ membership }) => {
      if (membership === undefined || !membership.isAdmitted || membership.viewId !== id) return false
      const live = membership.view.stores.filter(({ state }) => state === 'live')
      return live.length === up.length && live.every(({ store }) => stores.has(store))
    })
  }

  #nodeChanged(node: EngineNode, isNewProcess: boolean): void {
    if (!isNewProcess) return this.#truth.update()
    this.#latest.delete(node.number)
    this.#truth.restarted(node)
  }

  #viewChanged(node: EngineNode, view: View): void {
    const { history } = this.#ports
    const latest = this.#latest.get(node.number)
    const before = new Map(latest?.stores.map(each => [each.store, each]))
    this.#latest.set(node.number, view)
    history.views.push({ at: history.now, node: node.number, view })
    // The first view of a process is what its disk knew, from before.
    if (latest === undefined) return
    for (const { store, boot, state } of view.stores) {
      const about = this.#nodes.find(each => each.store === store && each.boot === boot)
      const was = before.get(store)
      const isWorse = state !== 'live' && (was?.boot !== boot || badness(was.state) < badness(state))
      if (about === undefined || about === node || !isWorse) continue
      history.alarms.push({
        at: history.now,
        node: node.number,
        about: about.number,
        state,
        healthyMs: this.#truth.healthyMs(about.number),
        excuse: this.#truth.misled(),
      })
    }
  }

  #optionsOf(
    { expect, isFounder, zone }: NodePlan,
    number: number,
    addresses: readonly string[],
    isFirstStore: boolean,
  ): Partial<MeshOptions> {
    // Who lost its disk joins: a founding that it has forgotten is none of its business.
    const isFounding = isFirstStore && !isFounder
    return {
      zone,
      profile: this.#plan.profile,
      goneAfterMs: DEFAULT_MEMBERSHIP_OPTIONS.goneAfterMs,
      join: isFounder && isFirstStore ? [] : addresses.filter((_, each) => each !== number),
      ...(isFounding && expect !== undefined ? { expect } : {}),
    }
  }

  async #until(what: string, predicate: () => boolean, limitMs: number): Promise<void> {
    if (!(await this.#runUntil(predicate, limitMs))) {
      throw new Error(`${what}: not within ${limitMs} virtual ms\n${this.#report()}`)
    }
  }

  /** The predicate is dear: it is asked 20 times a second only. */
  async #runUntil(predicate: () => boolean, limitMs: number): Promise<boolean> {
    const { clock } = this.#ports
    let nextAt = 0
    const met = await clock.runUntil(() => {
      if (clock.monotonic() < nextAt) return false
      nextAt = clock.monotonic() + 50
      return predicate()
    }, limitMs)
    return met || predicate()
  }

  #report(): string {
    return this.#nodes
      .map(({ name, isUp, membership, store }) => {
        const states = membership?.view.stores.map(each => `${each.node}.${each.boot}${each.state[0]}`)
        const id = membership?.viewId.slice(0, 6)
        return `    ${name} ${isUp ? 'up' : 'down'} ${store?.slice(0, 6)} ${membership?.isAdmitted ? 'admitted' : 'apart'} ${id} ${states?.join(' ')}`
      })
      .join('\n')
  }
}

function hostsOf(nodes: readonly MeshNode[]) {
  return nodes.map(node => node.host)
}
