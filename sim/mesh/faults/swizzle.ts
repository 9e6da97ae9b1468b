/**
 * The links of some nodes clog, one node after the other, and are free again in another order: what each hears last, and first
 * again, differs (FoundationDB's swizzled clogging).
 */

import { between, type MeshFault, namesOf, pick, shuffled } from './fault.ts'

export const swizzle: MeshFault = {
  name: 'swizzle',
  meanMs: 45_000,
  takesNodes: false,
  plan({ random, size, isGentle }) {
    if (isGentle || size < 3) return undefined
    const nodes = shuffled(random, size).slice(0, 1 + pick(random, size))
    return { nodes, lastsMs: between(random, 1000, 40_000) }
  },
  strike({ nodesOf, nodes: all, disturb, clock, random, trace }, { nodes, lastsMs }) {
    const clogged = nodesOf(nodes)
    trace.note(`one after the other is clogged: ${namesOf(clogged)}`)
    const ends = new Set<() => void>()
    let isOver = false
    const order = shuffled(random, clogged.length)
    for (const [at, node] of clogged.entries()) {
      const others = all.filter(each => each !== node)
      clock.setTimer((lastsMs / 2) * (at / clogged.length), () => {
        if (isOver) return
        const [there, back] = [
          disturb([node], others, { clog: true }),
          disturb(others, [node], { clog: true }),
        ]
        const end = (): void => {
          if (!ends.delete(end)) return
          there()
          back()
        }
        ends.add(end)
        clock.setTimer(
          (lastsMs / 2) * (1 - at / clogged.length + (order[at] as number) / clogged.length),
          end,
        )
      })
    }
    return () => {
      isOver = true
      for (const end of [...ends]) end()
    }
  },
}
