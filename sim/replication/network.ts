/** Links between stores: late, lossy, doubled, out of order, and cut, each way for itself. */

import type { Message } from '../../src/replication/messages.ts'
import type { World } from './world.ts'

export class LossyNetwork {
  readonly #world: World
  /** `from to` */
  readonly #cut = new Set<string>()
  lossOf = 0
  doubleOf = 0
  slowOf = 0
  sent = 0

  constructor(world: World) {
    this.#world = world
  }

  cut(from: string, to: string): void {
    this.#cut.add(`${from} ${to}`)
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from} ${to}`)
  }

  heal(): void {
    this.#cut.clear()
  }

  calm(): void {
    this.lossOf = 0
    this.doubleOf = 0
    this.slowOf = 0
  }

  send(from: string, to: string, message: Message): void {
    this.sent++
    const { random } = this.#world
    this.#world.saw(from, to, message)
    const copies = random.float() < this.doubleOf ? 2 : 1
    for (let i = 0; i < copies; i++) if (random.float() >= this.lossOf) this.#deliver(from, to, message)
  }

  #deliver(from: string, to: string, message: Message): void {
    const { agenda, random } = this.#world
    const receiver = this.#world.process(to)
    const delay = random.float() < this.slowOf ? 20 + 400 * random.float() : 0.3 + 2 * random.float()
    agenda.after(delay, () => {
      const now = this.#world.process(to)
      // A connection ends with the process.
      if (now === undefined || now !== receiver || !now.isUp || this.isCut(from, to)) return
      now.receive(from, message)
    })
  }
}
