/**
 * Shrinks a scenario that fails to a small one that still fails by the word of the same judge: fewer strikes, nodes and calls,
 * less time, nothing drawn that need not be. Delta debugging (A. Zeller and R. Hildebrandt, 2002), one kind of part after
 * the other, and again until nothing gets smaller.
 *
 * What is left need not be the smallest there is: each part alone is needed, or the tries were over.
 */

import type { Scenario, ScenarioNode } from './scenario.ts'
import type { PlannedCall, PlannedSpec } from './tasks/planned-calls.ts'

export interface ShrinkPorts {
  /** Runs it; what the judges said. `keepsCalls`: and what users asked for. */
  run(
    scenario: Scenario,
    keepsCalls: boolean,
  ): Promise<{ readonly faults: readonly string[]; readonly calls?: readonly PlannedCall[] }>
  /** A line for who waits. */
  tell(line: string): void
}

export interface ShrinkOptions {
  /** The judge who has to find something: the word before the colon. */
  readonly judge: string
  /** Runs at most. */
  readonly triesMax: number
}

/** Who found something, from its sentence. */
export function judgeOf(fault: string): string {
  return fault.split(':')[0] as string
}

export async function shrink(
  scenario: Scenario,
  ports: ShrinkPorts,
  options: ShrinkOptions,
): Promise<{ scenario: Scenario; tries: number }> {
  const shrinking = new Shrinking(scenario, ports, options)
  await shrinking.run()
  return { scenario: shrinking.best, tries: shrinking.tries }
}

/** Where less than that goes away, a time is short enough. */
const MINUTES_GRAIN = 0.02
const NODES_MIN = 3

class Shrinking {
  readonly #ports: ShrinkPorts
  readonly #options: ShrinkOptions
  readonly #known = new Set<string>()
  best: Scenario
  tries = 0

  constructor(scenario: Scenario, ports: ShrinkPorts, options: ShrinkOptions) {
    this.best = scenario
    this.#ports = ports
    this.#options = options
  }

  async run(): Promise<void> {
    for (let round = 1; ; round++) {
      const before = JSON.stringify(this.best)
      await this.#part('strikes', this.best.strikes, 0, strikes => ({ ...this.best, strikes }))
      await this.#shorter()
      await this.#fewerNodes()
      await this.#plainer()
      await this.#fewerCalls()
      this.#ports.tell(`round ${round}: ${sizeOf(this.best)} after ${this.tries} runs`)
      if (JSON.stringify(this.best) === before || this.#isOver) return
    }
  }

  get #isOver(): boolean {
    return this.tries >= this.#options.triesMax
  }

  /** Takes it for the best one if it still fails. */
  async #try(candidate: Scenario): Promise<boolean> {
    const text = JSON.stringify(candidate)
    if (this.#isOver || this.#known.has(text) || text === JSON.stringify(this.best)) return false
    this.#known.add(text)
    this.tries++
    const { faults } = await this.#ports.run(candidate, false)
    if (!faults.some(fault => judgeOf(fault) === this.#options.judge)) return false
    this.best = candidate
    return true
  }

  /** Delta debugging over a list: without halves of it, then quarters, down to one by one. */
  async #part<T>(
    name: string,
    all: readonly T[],
    least: number,
    make: (some: readonly T[]) => Scenario,
  ): Promise<void> {
    let left = all
    if (least === 0 && left.length > 0 && (await this.#try(make([])))) left = []
    for (let size = Math.ceil(left.length / 2); size >= 1 && left.length > 0; ) {
      let isSmaller = false
      for (let at = 0; at < left.length && !this.#isOver; ) {
        const fewer = [...left.slice(0, at), ...left.slice(at + size)]
        if (fewer.length >= least && (await this.#try(make(fewer)))) {
          left = fewer
          isSmaller = true
        } else at += size
      }
      if (this.#isOver || (size === 1 && !isSmaller)) break
      size = size === 1 ? 1 : Math.ceil(size / 2)
    }
    if (left.length < all.length) this.#ports.tell(`${name}: ${left.length} of ${all.length} are left`)
  }

  async #shorter(): Promise<void> {
    const { strikes, tasks } = this.best
    const lastMs = Math.max(
      0,
      ...strikes.map(({ atMs }) => atMs),
      ...(tasks?.calls ?? []).map(({ atMs }) => atMs),
    )
    // Not before the last of them begins: it has to strike.
    const leastMinutes = (lastMs + 1) / 60_000
    for (const share of [0, 0.25, 0.5, 0.75]) {
      const minutes = round(leastMinutes + (this.best.minutes - leastMinutes) * share, 1000)
      if (this.best.minutes - minutes < MINUTES_GRAIN) continue
      if (minutes >= leastMinutes && (await this.#try({ ...this.best, minutes }))) break
    }
    for (const [i, strike] of this.best.strikes.entries()) {
      const lastsMs = Math.ceil(strike.lastsMs / 2)
      if (lastsMs > 1000) await this.#strike(i, { lastsMs })
    }
  }

  /** Each node that can go; the numbers of those behind it move. */
  async #fewerNodes(): Promise<void> {
    for (let node = this.#count() - 1; node >= 0 && this.#count() > NODES_MIN; node--) {
      const fewer = withoutNode(this.best, node)
      if (fewer !== undefined) await this.#try(fewer)
    }
  }

  #count(): number {
    const { nodes } = this.best
    return typeof nodes === 'number' ? nodes : nodes.length
  }

  /** What was drawn, as it is where nothing is said; instants without fractions. */
  async #plainer(): Promise<void> {
    const { best } = this
    await this.#try({ ...best, nodes: this.#count(), isEarly: undefined, isCrowded: undefined })
    if (typeof this.best.nodes !== 'number') {
      const nodes = this.best.nodes.map(({ zone: _, startAtMs: __, ...node }) => node)
      await this.#try({ ...this.best, nodes })
    }
    await this.#try({
      ...this.best,
      replicas: undefined,
      profile: undefined,
      chunkBytes: undefined,
      leftDead: undefined,
    })
    const strikes = this.best.strikes.map(strike => ({
      ...strike,
      atMs: Math.round(strike.atMs),
      lastsMs: Math.ceil(strike.lastsMs),
      ...(strike.amount === undefined ? {} : { amount: round(strike.amount, 100) }),
    }))
    await this.#try({ ...this.best, strikes })
    for (const [i, { nodes, others }] of this.best.strikes.entries()) {
      if (others === undefined && nodes.length > 1)
        for (const node of nodes) {
          const fewer = (this.best.strikes[i]?.nodes ?? []).filter(each => each !== node)
          if (fewer.length > 0) await this.#strike(i, { nodes: fewer })
        }
    }
  }

  async #strike(i: number, changes: Partial<Scenario['strikes'][number]>): Promise<void> {
    const strikes = this.best.strikes.map((strike, at) => (at === i ? { ...strike, ...changes } : strike))
    await this.#try({ ...this.best, strikes })
  }

  /** Users that are drawn get fewer; then their calls are written down one by one, and each that can go goes. */
  async #fewerCalls(): Promise<void> {
    const { tasks } = this.best
    if (tasks === undefined) return
    if (await this.#try({ ...this.best, tasks: undefined })) return
    if (tasks.calls === undefined) {
      await this.#users({ repeatShare: 0 })
      await this.#users({ embeddedShare: 1 })
      await this.#users({ recurringMax: 0 })
      await this.#users({ clients: 1 })
      await this.#written()
    }
    const calls = this.best.tasks?.calls
    if (calls === undefined) return
    const make = (some: readonly PlannedCall[]): Scenario => ({
      ...this.best,
      tasks: { ...this.best.tasks, calls: some },
    })
    // Users that ask for nothing are another fault.
    await this.#part('calls', calls, 1, make)
    const left = (): readonly PlannedCall[] => this.best.tasks?.calls ?? []
    await this.#try(make(left().map(call => ({ ...call, atMs: Math.round(call.atMs) }))))
    for (const field of ['policy', 'payload', 'conduct', 'handler', 'minted'] as const)
      await this.#try(make(left().map(call => without(call, field))))
    for (const [i, { tasks: all }] of left().entries()) {
      const makeOne = (some: PlannedCall['tasks']): Scenario =>
        make(left().map((call, at) => (at === i ? { ...call, tasks: some } : call)))
      if (all.length > 1) await this.#part('tasks of one call', all, 1, makeOne)
    }
  }

  async #users(changes: Scenario['tasks']): Promise<void> {
    await this.#try({ ...this.best, tasks: { ...this.best.tasks, ...changes } })
  }

  /** The calls that the users of the best one made, instead of their draw. */
  async #written(): Promise<void> {
    if (this.#isOver) return
    this.tries++
    const { calls } = await this.#ports.run(this.best, true)
    if (calls === undefined) return
    const { gapMs: _, recurringMax: __, ...rest } = this.best.tasks ?? {}
    const isSame = await this.#try({ ...this.best, tasks: { ...rest, calls } })
    if (!isSame) this.#ports.tell('the calls, written down one by one, do not fail: they stay a draw')
  }
}

/** As where nothing is said of it. */
function without(call: PlannedCall, field: keyof PlannedSpec): PlannedCall {
  const tasks = call.tasks.map(task => {
    if (task.spec === undefined) return task
    const { [field]: _, ...spec } = task.spec
    return { ...task, spec }
  })
  return { ...call, tasks }
}

/** Undefined: somebody needs it. */
function withoutNode(scenario: Scenario, node: number): Scenario | undefined {
  const { nodes, strikes, leftDead } = scenario
  const list: readonly ScenarioNode[] =
    typeof nodes === 'number' ? Array.from({ length: nodes }, (_, i) => ({ isFounder: i === 0 })) : nodes
  const gone = list[node]
  if (gone?.isFounder === true) return undefined
  const renumbered = (numbers: readonly number[]): number[] =>
    numbers.filter(each => each !== node).map(each => (each > node ? each - 1 : each))
  // Who founds with others expects one less.
  const less = gone?.expect === undefined ? 0 : 1
  const left = list
    .filter((_, i) => i !== node)
    .map(each => (each.expect === undefined ? each : { ...each, expect: each.expect - less }))
  if (left.some(({ expect }) => expect !== undefined && expect < NODES_MIN)) return undefined
  const kept = strikes.flatMap(strike => {
    const shape = {
      ...strike,
      nodes: renumbered(strike.nodes),
      ...(strike.others === undefined ? {} : { others: renumbered(strike.others) }),
    }
    const isEmpty =
      (strike.nodes.length > 0 && shape.nodes.length === 0) ||
      (strike.others !== undefined && strike.others.length > 0 && shape.others?.length === 0)
    return isEmpty ? [] : [shape]
  })
  return {
    ...scenario,
    nodes: typeof nodes === 'number' ? nodes - 1 : left,
    strikes: kept,
    ...(leftDead === undefined ? {} : { leftDead: renumbered(leftDead) }),
  }
}

/** How large it is, in a few words. */
export function sizeOf({ nodes, strikes, minutes, tasks }: Scenario): string {
  const count = typeof nodes === 'number' ? nodes : nodes.length
  const calls =
    tasks === undefined
      ? 'no tasks'
      : tasks.calls === undefined
        ? 'drawn calls'
        : `${tasks.calls.length} calls`
  return `${count} nodes, ${strikes.length} strikes, ${calls}, ${minutes} minutes`
}

function round(value: number, grain: number): number {
  return Math.ceil(value * grain) / grain
}
