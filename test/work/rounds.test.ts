/** What one round has of a range is carried out up to one change, and refused from that on. */

import { expect, test } from 'vitest'
import { CarillonError } from '../../src/errors.ts'
import { Rounds } from '../../src/work/rounds.ts'

const NOT_OWNER = new CarillonError('NOT_OWNER', 'another node acts')

test('from a refusal on, all changes and questions of the range are refused up to its round', () => {
  const rounds = new Rounds()
  expect(rounds.at(3).change(7, undefined)).toBeUndefined()
  expect(rounds.at(3).change(7, NOT_OWNER)).toBe(NOT_OWNER)
  for (const number of [0, 2, 3]) {
    expect(rounds.at(number).change(7, undefined)?.code).toBe('NOT_OWNER')
    expect(rounds.at(number).question(7, undefined)?.code).toBe('NOT_OWNER')
  }
  expect(rounds.at(4).change(7, undefined)).toBeUndefined()
  expect(rounds.at(0).change(8, undefined)).toBeUndefined()
})

test('neither an earlier refusal nor one for the sake of order raises it', () => {
  const rounds = new Rounds()
  rounds.at(5).change(7, NOT_OWNER)
  rounds.at(2).change(7, NOT_OWNER)
  rounds.at(4).change(7, undefined)
  expect(rounds.at(6).change(7, undefined)).toBeUndefined()
  expect(rounds.at(5).change(7, undefined)?.code).toBe('NOT_OWNER')
})

test('a question that is refused says nothing of changes', () => {
  const rounds = new Rounds()
  expect(rounds.at(1).question(7, NOT_OWNER)).toBe(NOT_OWNER)
  expect(rounds.at(1).change(7, undefined)).toBeUndefined()
})
