import { afterAll, beforeAll } from 'vitest'
import { LoopbackNodes, type Made } from './loopback-nodes.ts'

/** One mesh of three for all tests of a describe block, which may stop its nodes in the last of them. */
export class SharedMesh {
  #all: LoopbackNodes | undefined
  #nodes: readonly [Made, Made, Made] | undefined

  constructor() {
    beforeAll(async () => {
      this.#all = await LoopbackNodes.make()
      this.#nodes = await this.#all.three()
    }, 60_000)
    afterAll(() => this.#all?.close())
  }

  get all(): LoopbackNodes {
    return this.#all as LoopbackNodes
  }

  get nodes(): readonly [Made, Made, Made] {
    return this.#nodes as readonly [Made, Made, Made]
  }
}
