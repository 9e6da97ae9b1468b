/**
 * The users of a mesh that is cut into parts: one at each node, and it asks the others in turn when its own refuses. What they
 * were told is what the judge holds the mesh to; what got no answer may run or not.
 */

import { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { Acknowledged } from './partition-judge.ts'
import type { Answer, Machines, Planned } from './partition-machines.ts'

const PAUSE_MS = 70
/** A user that waits does not keep from calling. */
const CALLS_MAX = 40
const DUE_MS_MAX = 4000
/** Of the tasks so many are for much later: they have to be armed, and not to have run. */
const LATER_SHARE = 0.1
/** And so many come more than once, until what is due last. */
const RECURRING_SHARE = 0.1
const LATER_MS = 3_600_000
const EVERY_MS = 800
const TIMES = 4
/** Nobody else acts for it, too few have it, or it closes: another node may know better. */
const AGAIN = ['NOT_OWNER', 'NOT_DURABLE', 'CLOSED', 'ENGINE_STOPPED']

export class Clients {
  readonly acknowledged: Acknowledged[] = []
  /** Calls that were refused, or not answered, by every node, by code. */
  readonly failed = new Map<string, number>()
  readonly #machines: Machines
  readonly #random: SeededRandom
  readonly #name: string
  readonly #underWay = new Set<Promise<void>>()
  #made = 0
  #isOver = false

  constructor(machines: Machines, { seed, name }: { readonly seed: string; readonly name: string }) {
    this.#machines = machines
    this.#random = new SeededRandom(seed)
    this.#name = name
  }

  start(): void {
    for (const machine of this.#machines.all) void this.#load(machine)
  }

  /** No more new calls; resolves when all have been answered. */
  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#underWay)
  }

  async #load(machine: number): Promise<void> {
    let calls = 0
    while (!this.#isOver) {
      if (calls < CALLS_MAX) {
        calls++
        const call = this.#schedule(machine, ...this.#next(machine)).finally(() => {
          calls--
          this.#underWay.delete(call)
        })
        this.#underWay.add(call)
      }
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS * (0.5 + this.#random.float())))
    }
  }

  #next(machine: number): [Planned, readonly number[]] {
    const id = `${this.#name}-${machine}-${this.#made++}`
    const kind = this.#random.float()
    const now = Date.now()
    if (kind < LATER_SHARE) return [{ id, at: now + LATER_MS }, []]
    if (kind < LATER_SHARE + RECURRING_SHARE) {
      const instants = Array.from({ length: TIMES }, (_, i) => now + (i + 1) * EVERY_MS)
      return [{ id, every: EVERY_MS, start: now + EVERY_MS, end: instants.at(-1) }, instants]
    }
    const at = now + Math.floor(this.#random.float() * DUE_MS_MAX)
    return [{ id, at }, [at]]
  }

  /** `instants`: those that have to run. */
  async #schedule(machine: number, task: Planned, instants: readonly number[]): Promise<void> {
    let answer: Answer | undefined
    const { all } = this.#machines
    for (const turn of all.keys()) {
      const calledAt = Date.now()
      answer = await this.#machines.ask(all[(machine + turn) % all.length] as number, task)
      if (answer !== undefined && answer.code === undefined) {
        const armedFor = instants.length === 0 ? Number(task.at) : undefined
        this.acknowledged.push({ id: task.id, calledAt, at: Date.now(), instants, armedFor })
        return
      }
      if (answer?.code !== undefined && !AGAIN.includes(answer.code)) break
      // Nobody takes a schedule that is over already.
      if (task.end !== undefined && Date.now() >= Number(task.end)) break
    }
    const why = answer?.code ?? 'no answer'
    this.failed.set(why, (this.failed.get(why) ?? 0) + 1)
  }
}
