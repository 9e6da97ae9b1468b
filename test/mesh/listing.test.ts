/** A node that answers a question about its tasks in any way at all delays the list, and breaks nothing. */

import { beforeEach, expect, test } from 'vitest'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { CarillonError } from '../../src/errors.ts'
import { Listing } from '../../src/mesh/listing.ts'
import type { LinkAsker, PeerLink } from '../../src/mesh/peer-link.ts'
import { rangesText } from '../../src/wire/calls.ts'

let clock: VirtualClock
let answers: Array<(asker: LinkAsker) => void>
let listing: Listing

const ALL = rangesText([0, 1, 2, 3])
const GOOD = JSON.stringify({ tasks: [{ id: 't' }], after: null, ranges: ALL })

beforeEach(() => {
  clock = new VirtualClock()
  answers = []
  const link = {
    isFull: false,
    forget: () => undefined,
    call: (_: unknown, asker: LinkAsker) => {
      clock.defer(() => answers.shift()?.(asker))
      return 1
    },
  } as unknown as PeerLink
  listing = new Listing(
    {
      clock,
      self: 'here',
      ranges: 4,
      rangeOf: () => 2,
      target: () => 'far',
      link: () => link,
      here: () => Promise.reject(new Error('asked here')),
    },
    { callDeadlineMs: 1000, againMsMin: 10, againMsMax: 100 },
  )
})

async function page(after?: string) {
  const promise = listing.page({}, after, 10).catch((error: unknown) => error)
  await clock.advanceBy(2000)
  return promise
}

const says = (json: string) => (asker: LinkAsker) => asker.answered(json)

test.each([
  '{',
  'null',
  '{}',
  '{"tasks":7,"after":null,"ranges":"AA=="}',
  '{"tasks":[null],"after":null,"ranges":"AA=="}',
  '{"tasks":[{"id":1}],"after":null,"ranges":"AA=="}',
  '{"tasks":[],"after":7,"ranges":"AA=="}',
  '{"tasks":[],"after":"nowhere","ranges":"AA=="}',
  '{"tasks":[],"after":null,"ranges":{}}',
  '{"tasks":[],"after":null}',
])('asks again after %s', async json => {
  answers.push(says(json), says(GOOD))
  expect(await page()).toEqual({ tasks: [{ id: 't' }], after: null })
  answers.push(...Array.from({ length: 100 }, () => says(json)))
  expect(await page()).toMatchObject({ code: 'NOT_OWNER' })
})

test('asks again after the disk of a node failed: it is not that of this one', async () => {
  answers.push(asker => asker.refused(new CarillonError('STORE_FAILED', 'a disk')), says(GOOD))
  expect(await page()).toEqual({ tasks: [{ id: 't' }], after: null })
})

test('a page that is large from its first answer on has what it was told, and ends behind it', async () => {
  const large = { id: 't', payload: 'x'.repeat(9 * 1024 * 1024) }
  answers.push(says(JSON.stringify({ tasks: [large], after: '2/t', ranges: ALL })))
  expect(await page()).toEqual({ tasks: [large], after: '2/t' })
  answers.push(says(JSON.stringify({ tasks: [large], after: '2/t', ranges: rangesText([2]) })))
  expect(await page('2/a')).toEqual({ tasks: [large], after: '2/t' })
})
