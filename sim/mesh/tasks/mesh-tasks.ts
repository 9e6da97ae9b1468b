/**
 * MeshTasks: the users of a mesh and its workers, put together. It follows the nodes: who starts gets its worker's
 * session, who ends loses it.
 */

import type { SeededRandom } from '../../../src/lib/seeded-random.ts'
import type { Trace } from '../../trace.ts'
import type { VirtualClock } from '../../virtual-clock.ts'
import type { MeshHistory } from '../history.ts'
import type { TaskNode } from './engine-link.ts'
import { MeshClient } from './mesh-client.ts'
import { MeshWorker } from './mesh-worker.ts'
import { callsOf, type PlannedCall, PlannedCalls } from './planned-calls.ts'
import type { TaskHistory } from './task-history.ts'
import { type TaskPlan, TaskWorkload } from './task-workload.ts'

export interface MeshTasksPorts {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly trace: Trace
  readonly history: MeshHistory
  readonly tasks: TaskHistory
  readonly nodes: readonly TaskNode[]
}

export class MeshTasks {
  readonly #workload: { start(): void; stop(): void }
  readonly #clients: readonly MeshClient[]
  readonly #workers: readonly MeshWorker[]
  readonly #tasks: TaskHistory
  readonly #now: () => number

  constructor(plan: TaskPlan, { clock, random, trace, history, tasks, nodes }: MeshTasksPorts) {
    this.#tasks = tasks
    this.#now = () => clock.monotonic()
    this.#clients = Array.from({ length: plan.clients }, (_, number) => {
      const ports = { clock, random: random.fork(`client ${number}`), trace, history, nodes }
      return new MeshClient(number, ports, plan.repeatShare)
    })
    this.#workers = nodes.map(node => {
      const own = random.fork(`worker ${node.number}`)
      const isEmbedded = own.float() < plan.embeddedShare
      return new MeshWorker(node, { clock, random: own, trace, history, tasks }, isEmbedded)
    })
    const ports = { clock, random: random.fork('workload'), tasks }
    this.#workload =
      plan.calls === undefined
        ? new TaskWorkload(ports, this.#clients, plan)
        : new PlannedCalls(ports, this.#clients, plan.calls)
  }

  /** What users asked for so far, to be asked for again. */
  get calls(): PlannedCall[] {
    return callsOf(
      this.#tasks,
      this.#clients.map(({ caller }) => caller),
    )
  }

  /** Calls that nobody has answered for good. */
  get openCount(): number {
    return this.#clients.reduce((sum, client) => sum + client.openCount, 0)
  }

  start(): void {
    this.#tasks.beganAt = this.#now()
    this.#workload.start()
  }

  /** No new calls; those that were made are repeated until they are answered. */
  calm(): void {
    this.#workload.stop()
  }

  /** Nobody asks for anything any more. */
  end(): void {
    for (const client of this.#clients) client.isOver = true
  }

  nodeReady(number: number): void {
    this.#workers[number]?.connect()
  }

  nodeEnded(number: number, powerCut: boolean): void {
    this.#workers[number]?.nodeEnded(powerCut)
  }

  nodePaused(number: number, paused: boolean): void {
    this.#workers[number]?.pause(paused)
  }

  nodeLagged(number: number, ms: number): void {
    this.#workers[number]?.lag(ms)
  }

  loseWorker(number: number, dies: boolean): () => void {
    return this.#workers[number]?.lose(dies) ?? (() => {})
  }
}
