/**
 * A mesh that is run: its nodes and its faults for some virtual minutes; then everything is healed, and all have to come
 * to one view within a bound, and to rest; then they stop in an orderly way. run.ts has it judged.
 */

import type { SeededRandom } from '../../src/lib/seeded-random.ts'
import { DEFAULT_MEMBERSHIP_OPTIONS } from '../../src/membership/options.ts'
import { suspicionMsMax, TIMINGS } from '../../src/membership/timings.ts'
import { badness, type View } from '../../src/membership/view.ts'
import type { MeshOptions } from '../../src/mesh/mesh.ts'
import { SimulatedSwitch } from '../network/switch.ts'
import { SimulatedProcess, type StoreHook } from '../process.ts'
import type { Trace } from '../trace.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import { unconverged } from './checkers/convergence.ts'
import { EngineNode, RANGES } from './engine-node.ts'
import type { MeshContext, Strike } from './faults/fault.ts'
import { meshFault } from './faults/index.ts'
import { gauge } from './gauges.ts'
import type { MeshHistory } from './history.ts'
import type { MeshNode } from './node.ts'
import { NodeStates } from './node-states.ts'
import { GONE_AFTER_MS, type MeshPlan, type NodePlan, shapeOf } from './planner.ts'
import { MeshTasks } from './tasks/mesh-tasks.ts'
import type { PlannedCall } from './tasks/planned-calls.ts'
import { type Inspection, TaskHistory } from './tasks/task-history.ts'
import { MeshTruth } from './truth.ts'

const FOUNDING_MS_MAX = 120_000
const REST_MS = 60_000
const STOP_MS_MAX = 30_000
/** After healing the views of a mesh with tasks come to rest within this: who is away is gone by then. */
const SETTLE_MS_MAX = 120_000
/** No view has changed for so long: ranges are where they belong, or on their way. */
const QUIET_MS = 5000
/** Then each range has one acting store and equal records within this. */
const CONVERGE_MS_MAX = 10_000
/** Who was cut off has caught up within this of one view, while users go on. */
const CATCH_UP_MS_MAX = 15_000
/** And by then nobody else has anything of it. */
const CUSTODY_MS_MAX = 45_000
/** What is due in the end is carried out within this. */
const TAIL_MS = 32_000
/** A crowd need not agree: it is only given the time to do something wrong. */
const CROWD_MS = 20_000

export interface WorldPorts {
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly history: MeshHistory
  readonly random: SeededRandom
  readonly storeHook: StoreHook | undefined
}

export class MeshWorld {
  readonly #plan: MeshPlan
  readonly #ports: WorldPorts
  readonly #switch: SimulatedSwitch
  readonly #nodes: readonly EngineNode[]
  readonly #truth: MeshTruth
  readonly #states: NodeStates
  readonly #context: MeshContext
  readonly #ends = new Set<() => void>()
  readonly #tasks: MeshTasks | undefined
  readonly #latest = new Map<number, View>()
  /** How long a member must have been healthy, so that an alarm about it is false: the longest trial, and its news. */
  readonly windowMs: number
  /** Within this after healing there is one view: who died last is found out, dials and backoffs run out, news spread. */
  readonly #agreeMsMax: number
  #isHealed = false

  constructor(plan: MeshPlan, ports: WorldPorts) {
    const { clock, random, trace, history, storeHook } = ports
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
          { clock, trace, history, host, random: random.fork(`node ${number}`), storeHook },
          isFirstStore => this.#optionsOf(plan.nodes[number] as NodePlan, number, addresses, isFirstStore),
          {
            changed: (node, isNew) => this.#nodeChanged(node, isNew),
            viewChanged: (node, view) => this.#viewChanged(node, view),
            ready: ({ number }) => {
              this.#states.update()
              this.#tasks?.nodeReady(number)
            },
            ended: ({ number }, powerCut) => this.#tasks?.nodeEnded(number, powerCut),
            paused: ({ number }, paused) => this.#tasks?.nodePaused(number, paused),
            lagged: ({ number }, ms) => this.#tasks?.nodeLagged(number, ms),
          },
        ),
    )
    for (const [number, { isReserve }] of plan.nodes.entries())
      if (isReserve === true) this.#nodes[number]?.retire(true)
    if (plan.tasks !== undefined) {
      const tasks = new TaskHistory(clock.wallOffset)
      history.tasks = tasks
      const own = { clock, trace, history, tasks, random: random.fork('tasks'), nodes: this.#nodes }
      this.#tasks = new MeshTasks(plan.tasks, own)
    }
    this.#truth = new MeshTruth(this.#switch, this.#nodes, this.windowMs, timings.ackMs / 3)
    this.#states = new NodeStates(this.#nodes, this.#truth, history)
    this.#context = {
      clock,
      trace,
      history,
      random: random.fork('faults'),
      nodes: this.#nodes,
      disturb: (from, to, disturbance) => {
        const end = this.#switch.disturb(hostsOf(from), hostsOf(to), disturbance)
        this.#update()
        return () => {
          end()
          this.#update()
        }
      },
      loseWorker: (node, dies) => this.#tasks?.loseWorker(node.number, dies) ?? (() => {}),
      nodesOf: numbers => (numbers ?? []).map(number => this.#nodes[number] as MeshNode),
    }
  }

  /** What users asked for so far. */
  get calls(): readonly PlannedCall[] {
    return this.#tasks?.calls ?? []
  }

  async run(faultsMs: number): Promise<void> {
    const { clock, trace, history } = this.#ports
    const { nodes, strikes, isEarly } = this.#plan
    const startedAt = clock.monotonic()
    const faults = new Set(strikes.map(({ fault }) => fault))
    trace.note(`${shapeOf(this.#plan)}, ${strikes.length} strikes of ${[...faults].join(' ') || 'nothing'}`)
    for (const [number, { startAtMs, isReserve }] of nodes.entries()) {
      if (isReserve !== true) clock.setTimer(startAtMs, () => this.#nodes[number]?.start())
    }
    if (!isEarly) await this.#until('the mesh is founded', () => this.#agree(), FOUNDING_MS_MAX)
    this.#tasks?.start()
    for (const strike of strikes) clock.setTimer(strike.atMs, () => this.#strike(strike))
    await clock.runUntil(() => history.faults.length > 0, faultsMs)
    if (history.faults.length > 0) return
    this.#heal()
    const met = await this.#runUntilAgreed()
    if (met) history.most('agreement max, ms', Math.ceil((history.agreedAt as number) - history.healedAt))
    else history.disagreement = this.#report()
    history.restsAt = clock.monotonic() + 10_000
    if (history.tasks === undefined) await clock.runUntil(() => history.faults.length > 0, REST_MS)
    else await this.#settleTasks(history.tasks)
    history.count('nodes', this.#nodes.length)
    history.count(
      'virtual node-minutes',
      Math.round((this.#nodes.length * (history.now - startedAt)) / 60_000),
    )
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
    const { fault, nodes, others = [] } = strike
    const report = { fault, nodes, others, from: history.now, to: Number.POSITIVE_INFINITY }
    history.strikes.push(report)
    const lasting = meshFault(fault).strike(this.#context, strike)
    const end = (): void => {
      if (!this.#ends.delete(end)) return
      report.to = history.now
      lasting()
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
      node.lag(0)
      if (this.#tasks !== undefined) node.setClock()
      if (!dead.includes(node)) node.start()
      else if (random.float() < 0.5) node.kill()
      else node.powerCut()
    }
    this.#update()
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

  /**
   * What users asked for is answered, the ranges come to where they belong, and what is due is carried out. Nothing of
   * this is demanded here: the checkers do that.
   */
  async #settleTasks(tasks: TaskHistory): Promise<void> {
    const { clock, history, trace } = this.#ports
    if (this.#plan.isRush) {
      const { apart, tookMs } = await this.#converge(tasks, CATCH_UP_MS_MAX)
      tasks.behind = apart
      history.most('catching up max, ms', Math.ceil(tookMs))
    }
    this.#tasks?.calm()
    const isAnswered = await this.#runUntil(() => this.#tasks?.openCount === 0, REST_MS)
    if (!isAnswered) history.count('calls never answered', this.#tasks?.openCount)
    const quietFor = (): number => clock.monotonic() - (history.views.at(-1)?.at ?? 0)
    // A member that is away stays in its lists, and those who kept them for it wait, until it is gone.
    const isAnybodyAway = (): boolean => {
      const seen = this.#nodes.find(node => node.isUp)?.membership?.view.stores ?? []
      return seen.some(({ state }) => state === 'away')
    }
    await this.#runUntil(() => quietFor() >= QUIET_MS && !isAnybodyAway(), SETTLE_MS_MAX)
    tasks.settledAt = clock.monotonic()
    trace.note('the views are at rest')
    const { apart, tookMs } = await this.#converge(tasks, CONVERGE_MS_MAX)
    tasks.apart = apart
    if (apart.size === 0 && tasks.inspections.length > 0) {
      tasks.convergedAt = clock.monotonic()
      history.most('convergence max, ms', Math.ceil(tookMs))
    }
    await this.#gauge(tasks)
    await clock.runUntil(() => history.faults.length > 0, TAIL_MS)
    await this.#gauge(tasks)
    this.#tasks?.end()
    const until = tasks.settledAt + CUSTODY_MS_MAX
    for (;;) {
      tasks.inspections = await this.#look()
      if (unconverged(tasks.inspections, true).size === 0 || clock.monotonic() >= until) break
      await clock.advanceBy(2000)
    }
  }

  /** Until each range has been as it should be at one look. What is left: the ranges that never were, and why. */
  async #converge(
    tasks: TaskHistory,
    limitMs: number,
  ): Promise<{ readonly apart: Map<number, string>; readonly tookMs: number }> {
    const { clock, history } = this.#ports
    const from = clock.monotonic()
    const converged = new Set<number>()
    let apart = new Map<number, string>()
    for (;;) {
      tasks.inspections = await this.#look()
      const now = unconverged(tasks.inspections)
      for (let range = 0; range < RANGES; range++) if (!now.has(range)) converged.add(range)
      apart = new Map([...now].filter(([range]) => !converged.has(range)))
      const tookMs = clock.monotonic() - from
      const isOver = tasks.inspections.length === 0 || history.faults.length > 0 || tookMs >= limitMs
      if (converged.size === RANGES || isOver) return { apart, tookMs }
      await clock.advanceBy(500)
    }
  }

  /** Each range as each node that is up has it. */
  async #look(): Promise<Inspection[]> {
    const found: Inspection[] = []
    let left = 0
    for (const node of this.#nodes.filter(each => each.isUp)) {
      for (let range = 0; range < RANGES; range++) {
        left++
        node
          .inspect(range)
          .then(each => {
            if (each !== undefined) found.push({ node: node.number, range, ...each })
          })
          .finally(() => left--)
      }
    }
    await this.#until('a look at all ranges', () => left === 0, REST_MS)
    return found
  }

  /** Nobody asks for anything new: what each node has under way now. */
  async #gauge(tasks: TaskHistory): Promise<void> {
    const { clock, trace, history } = this.#ports
    const asker = new SimulatedProcess(clock, trace)
    let left = 0
    for (const node of this.#nodes.filter(each => each.isUp)) {
      left++
      gauge(node, asker, text => history.fault(text))
        .then(each => each !== undefined && tasks.gauges.push(each))
        .finally(() => left--)
    }
    await this.#until('the state of all nodes', () => left === 0, REST_MS)
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
    const there = this.#nodes.filter(node => !node.isRetired)
    if (up.length < there.length && !this.#isHealed) return false
    const id = up[0]?.membership?.viewId
    const stores = new Set(up.map(node => node.store))
    return up.every(({ membership }) => {
      if (membership === undefined || !membership.isAdmitted || membership.viewId !== id) return false
      const live = membership.view.stores.filter(({ state }) => state === 'live')
      return live.length === up.length && live.every(({ store }) => stores.has(store))
    })
  }

  #nodeChanged(node: EngineNode, isNewProcess: boolean): void {
    if (isNewProcess) {
      this.#latest.delete(node.number)
      this.#truth.restarted(node)
    }
    this.#update()
  }

  /** Something was done to a node or a link. */
  #update(): void {
    this.#truth.update()
    this.#states.update()
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
      replicas: this.#plan.replicas,
      limits: {
        ...DEFAULT_MEMBERSHIP_OPTIONS.limits,
        chunkBytes: this.#plan.chunkBytes ?? DEFAULT_MEMBERSHIP_OPTIONS.limits.chunkBytes,
      },
      goneAfterMs: this.#plan.tasks === undefined ? DEFAULT_MEMBERSHIP_OPTIONS.goneAfterMs : GONE_AFTER_MS,
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
