/**
 * MeshWorker: the worker of one node. It announces all handlers to each life of the node's engine. It lives in the
 * engine's own process, as an application's does that embeds Carillon, or in one beside it on the same machine.
 */

import { ByteWriter } from '../../../src/lib/bytes.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { WorkerChannel } from '../../../src/ports/worker-channel.ts'
import { callerOf } from '../../../src/task/follow-up.ts'
import { definitionBytes, readFrame, writeHello } from '../../frames.ts'
import { SimulatedProcess } from '../../process.ts'
import type { Trace } from '../../trace.ts'
import type { VirtualClock } from '../../virtual-clock.ts'
import { SimulatedWorker } from '../../worker.ts'
import type { MeshHistory } from '../history.ts'
import type { TaskNode } from './engine-link.ts'
import type { TaskHistory } from './task-history.ts'

export interface MeshWorkerPorts {
  readonly clock: VirtualClock
  readonly random: Random
  readonly trace: Trace
  readonly history: MeshHistory
  readonly tasks: TaskHistory
}

const WINDOW = 400
export const MESH_HANDLERS = ['quick', 'slow', 'flaky'].map(name => ({
  name,
  window: 120,
  concurrency: 100,
}))

export class MeshWorker {
  readonly isEmbedded: boolean
  readonly #node: TaskNode
  readonly #ports: MeshWorkerPorts
  readonly #worker: SimulatedWorker
  readonly #out = new ByteWriter(1024)
  #process: SimulatedProcess
  #channel: WorkerChannel | undefined
  #nextWorker = 1
  /** Lost, and not to come back yet. */
  #isHeld = false
  #isFlushing = false
  #lagMs = 0

  constructor(node: TaskNode, ports: MeshWorkerPorts, isEmbedded: boolean) {
    this.isEmbedded = isEmbedded
    this.#node = node
    this.#ports = ports
    const { clock, random, trace, history, tasks } = ports
    this.#process = new SimulatedProcess(clock, trace)
    this.#worker = new SimulatedWorker(
      {
        clock: { now: () => node.wallNow(), monotonic: () => clock.monotonic() },
        random,
        trace,
        history: {
          get healedAt() {
            return history.healedAt
          },
          get boot() {
            return { number: node.life ?? 0 }
          },
          story: id => tasks.story(id),
          count: what => history.count(what),
          fault: text => history.fault(text),
        },
      },
      { number: node.number, handlers: MESH_HANDLERS, window: WINDOW },
      {
        out: this.#out,
        process: () => this.#process,
        stir: () => this.#stir(),
        followUp: (id, spec, runId, index) => definitionBytes(id, spec, callerOf(runId), index + 1),
      },
    )
  }

  /** The node's engine takes connections, or the worker may come back. */
  connect(): void {
    if (this.#isHeld || this.#channel !== undefined) return
    const channel = this.#node.attach(this.#process, true)
    if (channel === undefined) return
    this.#channel = channel
    channel.start({
      frame: bytes => this.#frame(bytes),
      closed: () => {
        if (this.#channel === channel) this.#disconnected()
      },
    })
    writeHello(this.#out, {
      worker: `worker-${this.#node.number}-${this.#nextWorker++}`,
      window: WINDOW,
      handlers: MESH_HANDLERS.map(({ name, window }) => ({ name, window })),
      running: [],
      events: false,
    })
    this.#stir()
  }

  /** The node's process has ended; with `powerCut` its machine has. */
  nodeEnded(powerCut: boolean): void {
    if (this.isEmbedded || powerCut) this.#die()
    this.#disconnected()
  }

  pause(paused: boolean): void {
    if (this.isEmbedded) this.#process.stop(paused)
  }

  /** It is on the same machine, which has too much to do. */
  lag(ms: number): void {
    this.#lagMs = ms
    this.#process.lag(ms)
  }

  /** Its session closes while attempts run, and with `dies` its process ends, too. The returned function ends that. */
  lose(dies: boolean): () => void {
    this.#ports.tasks.workerLosses.push({ at: this.#ports.clock.monotonic(), node: this.#node.number })
    this.#isHeld = true
    const channel = this.#channel
    if (dies) this.#die()
    this.#disconnected()
    channel?.close()
    return () => {
      this.#isHeld = false
      this.connect()
    }
  }

  #die(): void {
    this.#process.die()
    this.#process = new SimulatedProcess(this.#ports.clock, this.#ports.trace)
    this.#process.lag(this.#lagMs)
    this.#worker.die()
  }

  #disconnected(): void {
    this.#channel = undefined
    this.#worker.disconnected()
  }

  #frame(bytes: Uint8Array): void {
    const { history } = this.#ports
    const { name } = this.#node
    readFrame(bytes, {
      run: message => this.#worker.run(message),
      abort: (handle, reason) => this.#worker.abort(handle, reason),
      event: () => {},
      scheduled: () => history.fault(`the worker of ${name} got an answer to nothing`),
      answered: () => history.fault(`the worker of ${name} got an answer to nothing`),
      unknown: type => history.fault(`the worker of ${name} got an unknown message ${type}`),
    })
  }

  #stir(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    queueMicrotask(() => {
      this.#isFlushing = false
      if (this.#out.position === 0) return
      const bytes = this.#out.take()
      this.#out.reset()
      this.#channel?.send(bytes)
    })
  }
}
