/** Hunts for known bugs: how they are counted, and that each kind has its judges. */

import { describe, expect, test } from 'vitest'
import { type Caught, hunted, type Quarry, quarries } from '../../sim/hunts.ts'

const OPTIONS = { minutes: 1, isMesh: false, nodes: undefined, mutant: undefined }

/** It is found in these seeds. */
function quarry(found: readonly number[], asked: number[] = []): Quarry {
  return {
    kind: 'node',
    name: 'a bug',
    breaks: 'what is whole',
    isRare: false,
    async hunt(first, seeds): Promise<Caught> {
      for (let seed = first; seed < first + seeds; seed++) {
        asked.push(seed)
        if (found.includes(seed)) return { seeds: seed - first + 1, by: `a judge in seed ${seed}` }
      }
      return { seeds, by: undefined }
    },
  }
}

describe('several hunts for one bug', () => {
  test('share no seed, and their median is told', async () => {
    const asked: number[] = []
    const { hunts, median } = await hunted(quarry([3, 11, 25], asked), 1, 10, 3)
    expect(hunts.map(({ seeds }) => seeds)).toEqual([3, 1, 5])
    expect(median).toBe(3)
    expect(new Set(asked).size).toBe(asked.length)
  })

  test('have no median where one of them found nothing', async () => {
    const { hunts, median } = await hunted(quarry([3]), 1, 10, 2)
    expect(hunts.map(({ by }) => by)).toEqual(['a judge in seed 3', undefined])
    expect(median).toBeUndefined()
  })
})

test('there are 25 known bugs and more, of three kinds, and each says what it breaks', () => {
  const all = quarries(OPTIONS)
  expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(['node', 'mesh', 'replication']))
  expect(new Set(all.map(({ name }) => name)).size).toBeGreaterThanOrEqual(25)
  expect(new Set(all.map(({ kind, name }) => `${kind} ${name}`)).size).toBe(all.length)
  for (const { breaks } of all) expect(breaks).not.toBe('')
  expect(all.filter(({ isRare }) => isRare).length).toBeLessThan(4)
  expect(new Set(quarries({ ...OPTIONS, isMesh: true }).map(({ kind }) => kind))).toEqual(new Set(['mesh']))
})

test.each(['early-clock', 'follow-up not relayed'])('%s is hunted by its name alone', async name => {
  const [found, ...more] = quarries({ ...OPTIONS, mutant: name })
  expect(more).toEqual([])
  const { median } = await hunted(found as Quarry, 1, 10, 1)
  expect(median).toBeGreaterThan(0)
})
