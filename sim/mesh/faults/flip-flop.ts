/** The links between one node and some others are cut and mended, each 20 s. */

import { between, type MeshFault, namesOf, oneAndMinority, shuffled } from './fault.ts'

const FLIP_MS = 20_000

export const flipFlop: MeshFault = {
  name: 'flip-flop',
  meanMs: 60_000,
  takesNodes: false,
  plan({ random, size, isGentle }) {
    const { one, few } = oneAndMinority(random, size)
    const others =
      isGentle || random.float() < 0.5 ? few : shuffled(random, size).filter(each => each !== one)
    return { nodes: [one], others, lastsMs: between(random, 2 * FLIP_MS, 8 * FLIP_MS) }
  },
  strike({ nodesOf, disturb, clock, trace }, { nodes, others }) {
    const [one, rest] = [nodesOf(nodes), nodesOf(others)]
    let ends: Array<() => void> = []
    let isOver = false
    const flip = (): void => {
      if (isOver) return
      if (ends.length > 0) for (const end of ends.splice(0)) end()
      else ends = [disturb(one, rest, { cut: true }), disturb(rest, one, { cut: true })]
      const how = ends.length > 0 ? 'cut off from' : 'with'
      trace.note(`flip: ${namesOf(one)} is ${how} ${namesOf(rest)}`)
      clock.setTimer(FLIP_MS, flip)
    }
    flip()
    return () => {
      isOver = true
      for (const end of ends) end()
    }
  },
}
