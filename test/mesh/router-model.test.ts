/**
 * Clients ask at random while ranges move, links are lost and nodes fall silent: each call is answered once and each item
 * of it, what one client changes in one range is carried out in its order, and nothing is left at the end.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TaskRequest } from '../../src/mesh/routed-call.ts'
import { runs } from '../support/tasks.ts'
import { DEADLINE_MS, definition, RouterBed, StubClient } from './router-bed.ts'

const RANGES = 4
const NODES = ['here', 'a', 'b', 'c'] as const
const FAR = ['a', 'b', 'c'] as const

/** Mostly one, so that much happens to it at once. */
const range = fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, { weight: 2, arbitrary: fc.nat(RANGES - 1) })
const client = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(2) })
/** As often as to any other, it goes back to the node that is asked about it first. */
const node = fc.oneof(fc.constant(NODES[1]), fc.constantFrom(...NODES))
const far = fc.constantFrom(...FAR)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('schedule' as const),
      client,
      ranges: fc.array(range, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('cancel' as const, 'task' as const, 'result' as const),
      client,
      range,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('move' as const),
      range,
      to: fc.option(node, { nil: undefined, freq: 2 }),
      isKnown: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('lose' as const, 'open' as const, 'mute' as const, 'speak' as const),
      node: far,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('view' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('gone' as const, 'forget' as const), client }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(0, 1, 2, 3, 4, 11, 60, 400),
    }),
  },
)

type Step =
  | { do: 'schedule'; client: number; ranges: number[] }
  | { do: 'cancel' | 'task' | 'result'; client: number; range: number }
  | { do: 'move'; range: number; to: string | undefined; isKnown: boolean }
  | { do: 'lose' | 'open' | 'mute' | 'speak'; node: string }
  | { do: 'view' }
  | { do: 'gone' | 'forget'; client: number }
  | { do: 'pass'; ms: number }

interface Made {
  readonly client: StubClient
  readonly number: number
  readonly items: readonly string[]
  readonly waits: boolean
}

test('each call is answered once, in order, and nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, lies) => {
      const bed = new RouterBed(RANGES)
      for (const node of FAR) bed.open(node)
      for (let r = 0; r < RANGES; r++) bed.owners[r] = NODES[r]
      // A node acts before others know, and acts no longer while they still ask it.
      const known = [...bed.owners]
      bed.known = r => known[r]
      // Who is asked may know less, or say what is not so.
      if (lies) bed.hint = r => FAR[(r + Math.floor(bed.clock.monotonic())) % FAR.length]
      const clients = [0, 1, 2].map(() => new StubClient())
      const gone = new Set<StubClient>()
      const made: Made[] = []
      const wait = new Map<StubClient, number>()
      for (const each of steps) {
        if (each.do === 'pass') await bed.clock.advanceBy(each.ms)
        else if (each.do === 'move') {
          bed.owners[each.range] = each.to
          if (each.isKnown) known[each.range] = each.to
        } else if ('node' in each) disturb(bed, each)
        else if (each.do === 'view') {
          bed.owners.forEach((owner, r) => {
            known[r] = owner
          })
          bed.router.viewChanged()
        } else {
          const who = clients[each.client] as StubClient
          const number = made.length
          if (each.do === 'gone') {
            bed.router.gone(who)
            gone.add(who)
            clients[each.client] = new StubClient()
          } else if (each.do === 'forget') bed.router.forget(who, wait.get(who) ?? -1)
          else if (each.do === 'schedule') {
            const items = each.ranges.map((r, i) => `${r}-${clients.indexOf(who)}-${number}-${i}`)
            made.push({ client: who, number, items, waits: false })
            bed.router.schedule(who, number, items.map(definition), 0)
          } else if ('range' in each) {
            const id = `${each.range}-${clients.indexOf(who)}-${number}-0`
            const isChange = each.do === 'cancel'
            made.push({
              client: who,
              number,
              items: isChange ? [id] : [`${id}?`],
              waits: each.do === 'result',
            })
            if (each.do === 'result') wait.set(who, number)
            bed.router.call(who, number, { method: each.do, id } as TaskRequest)
          }
        }
      }
      bed.mute.clear()
      for (const node of FAR) {
        bed.lose(node)
        bed.open(node)
      }
      for (let r = 0; r < RANGES; r++) bed.owners[r] ??= 'a'
      bed.known = r => bed.owners[r]
      bed.hint = bed.known
      await bed.clock.advanceBy(2 * DEADLINE_MS)

      for (const { client: who, number, items, waits } of made) {
        const answers = who.answers.get(number) ?? []
        // What was forgotten is a wait.
        if (gone.has(who) || waits) expect(answers.length).toBeLessThanOrEqual(1)
        else expect([number, answers.length]).toEqual([number, 1])
        for (const results of answers) {
          expect(results.length).toBe(items.length)
          items.forEach((item, i) => {
            const code = results[i]?.code
            if (code === undefined && !item.endsWith('?')) expect(bed.done).toContain(item)
            // A refusal that says that nothing was done does not lie.
            if (code === 'NOT_OWNER' || code === 'TOO_MANY') expect(bed.done).not.toContain(item)
          })
        }
      }
      judgeOrder(bed, made)
      expect(bed.router.pending).toBe(0)
      for (const link of bed.links.values()) expect(link.pending.size).toBe(0)
      bed.router.stop()
      expect(bed.clock.pending).toBe(0)
    }),
    runs(3000),
  )
})

function disturb(bed: RouterBed, { do: what, node }: Extract<Step, { node: string }>): void {
  if (what === 'lose') bed.lose(node)
  else if (what === 'mute') bed.mute.add(node)
  else if (what === 'speak') bed.mute.delete(node)
  else if (!bed.links.has(node)) bed.open(node)
}

/** What a caller was told of counts; what was given up may still be under way. */
function judgeOrder(bed: RouterBed, made: readonly Made[]): void {
  const at = new Map(bed.done.map((key, i) => [key, i]))
  const last = new Map<string, number>()
  for (const { client: who, number, items } of made) {
    const results = who.answers.get(number)?.[0]
    items.forEach((item, i) => {
      const place = at.get(item)
      if (place === undefined || results === undefined || results[i] !== undefined) return
      const lane = item.split('-').slice(0, 2).join()
      expect(place, `${item} keeps its place`).toBeGreaterThan(last.get(lane) ?? -1)
      last.set(lane, place)
    })
  }
}
