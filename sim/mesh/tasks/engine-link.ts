/**
 * EngineLink: the channel of a client to one engine of a mesh, for as long as that engine's process lives. It numbers
 * calls and brings each its answer, or the word that the channel is lost; what comes after the patience of who asked is
 * brought all the same.
 */

import type { WorkerChannel } from '../../../src/ports/worker-channel.ts'
import type { CallFailed } from '../../frames.ts'
import { readFrame } from '../../frames.ts'
import type { SimulatedProcess } from '../../process.ts'

/** What clients and workers know of a node. */
export interface TaskNode {
  readonly number: number
  readonly name: string
  /** Which life of its process takes calls now; undefined: none does. */
  readonly life: number | undefined
  /** A channel between its engine and this process; undefined: nobody listens there. */
  attach(process: SimulatedProcess, direct: boolean): WorkerChannel | undefined
  /** What the clock on its wall shows. */
  wallNow(): number
  /** The number of the node that it holds for the one that acts for the id. */
  ownerOf(id: string): number | undefined
}

export interface Reply {
  /** One for each item. */
  readonly results: ReadonlyArray<string | CallFailed>
  readonly answer: Record<string, unknown> | undefined
}

interface Waiting {
  readonly answered: (reply: Reply) => void
  readonly lost: () => void
}

export class EngineLink {
  readonly node: TaskNode
  readonly life: number
  readonly #channel: WorkerChannel
  readonly #waiting = new Map<number, Waiting>()
  #nextCall = 1
  #isOpen = true

  constructor(node: TaskNode, channel: WorkerChannel, fault: (text: string) => void) {
    this.node = node
    this.life = node.life as number
    this.#channel = channel
    const stray = (what: string) => (): void => fault(`a client of ${node.name} got ${what}`)
    channel.start({
      frame: bytes =>
        readFrame(bytes, {
          scheduled: (call, results) => this.#bring(call, { results, answer: undefined }, fault),
          answered: (call, answer) => {
            const failed = answer instanceof Error
            this.#bring(
              call,
              { results: [failed ? answer : 'done'], answer: failed ? undefined : answer },
              fault,
            )
          },
          run: stray('a run'),
          abort: stray('an abort'),
          event: () => {},
          unknown: type => fault(`a client of ${node.name} got an unknown message ${type}`),
        }),
      closed: () => this.#closed(),
    })
  }

  /** It leads to the process that lives there now. */
  get isOpen(): boolean {
    return this.#isOpen && this.node.life === this.life
  }

  send(bytes: (call: number) => Uint8Array, waiting: Waiting): void {
    const call = this.#nextCall++
    this.#waiting.set(call, waiting)
    this.#channel.send(bytes(call))
  }

  /** Nobody asks there any more; answers under way are still taken. */
  abandon(): void {
    this.#isOpen = false
  }

  #bring(call: number, reply: Reply, fault: (text: string) => void): void {
    const waiting = this.#waiting.get(call)
    if (waiting === undefined) return fault(`an answer to call ${call}, which nobody made`)
    this.#waiting.delete(call)
    waiting.answered(reply)
  }

  #closed(): void {
    this.#isOpen = false
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { lost } of waiting) lost()
  }
}
