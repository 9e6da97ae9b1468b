/**
 * The users of a mesh that is cut into parts: one at each node, and it asks the others in turn when its own refuses. What they
 * were told is what the judge holds the mesh to; what got no answer may run or not.
 */

import { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { Acknowledged } from './partition-judge.ts'
import type { Answer, Machines, Request } from './partition-machines.ts'

const PAUSE_MS = 70
/** A user that waits does not keep from calling. */
const CALLS_MAX = 40
const DUE_MS_MAX = 4000
/** Of the tasks so many are for much later: they have to be armed, and not to have run. */
const LATER_SHARE = 0.1
const LATER_MS = 3_600_000
const EVERY_MS = 1000
/** Nobody else acts for it, or too few have it: another node may know better. */
const AGAIN = ['NOT_OWNER', 'NOT_DURABLE']

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

  /** A task that comes again and again until then, through each node. */
  async recurring(end: number): Promise<void> {
    const start = Math.ceil(Date.now() / EVERY_MS + 3) * EVERY_MS
    await Promise.all(
      this.#machines.all.map(machine => {
        const instants: number[] = []
        for (let at = start; at <= end; at += EVERY_MS) instants.push(at)
        const task = { id: `every-${machine}`, every: EVERY_MS, anchor: start, start, end }
        return this.#schedule(machine, task, instants)
      }),
    )
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
        const isLater = this.#random.float() < LATER_SHARE
        const at = Date.now() + (isLater ? LATER_MS : Math.floor(this.#random.float() * DUE_MS_MAX))
        const task = { id: `${this.#name}-${machine}-${this.#made++}`, at }
        const call = this.#schedule(machine, task, isLater ? [] : [at]).finally(() => {
          calls--
          this.#underWay.delete(call)
        })
        this.#underWay.add(call)
      }
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS * (0.5 + this.#random.float())))
    }
  }

  /** `instants`: those that have to run. */
  async #schedule(
    machine: number,
    task: Request['task'] & { at?: number },
    instants: number[],
  ): Promise<void> {
    let answer: Answer | undefined
    for (let turn = 0; turn < this.#machines.count; turn++) {
      answer = await this.#machines.ask((machine + turn) % this.#machines.count, task)
      if (answer !== undefined && answer.code === undefined) {
        const armedFor = instants.length === 0 ? task.at : undefined
        this.acknowledged.push({ id: task.id, at: Date.now(), instants, armedFor })
        return
      }
      if (answer?.code !== undefined && !AGAIN.includes(answer.code)) break
    }
    const why = answer?.code ?? 'no answer'
    this.failed.set(why, (this.failed.get(why) ?? 0) + 1)
  }
}
