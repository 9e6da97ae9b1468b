import { expect, test } from 'vitest'
import { meshOptions } from '../../src/cli/up-mesh.ts'

test('a node that is alone is told nothing of a mesh', () => {
  expect(meshOptions({}, { CARILLON_SECRET: 'what only nodes know' })).toEqual({})
})

test('who joins listens on every address, with the secret of the environment', () => {
  const options = meshOptions({ join: ['10.0.0.1:7400'] }, { CARILLON_SECRET: 'what only nodes know' })
  expect(options).toEqual({
    listen: '0.0.0.0:7400',
    join: ['10.0.0.1:7400'],
    mesh: { secret: 'what only nodes know' },
  })
})

test('without a secret, or with an empty one, the data directory has it', () => {
  for (const env of [{}, { CARILLON_SECRET: '' }])
    expect(meshOptions({ listen: '127.0.0.1:7400' }, env)).toEqual({ listen: '127.0.0.1:7400', mesh: {} })
})

test('every flag says its own', () => {
  const values = { listen: ':7400', advertise: 'a.example:7400', mesh: 'night', expect: '3', zone: 'north' }
  expect(meshOptions(values, {})).toEqual({
    listen: ':7400',
    advertise: 'a.example:7400',
    mesh: { name: 'night', expect: 3, zone: 'north' },
  })
})

test.each(['advertise', 'mesh', 'expect', 'zone'] as const)('--%s without a mesh is wrong use', flag => {
  expect(() => meshOptions({ [flag]: '3' }, {})).toThrow(`--${flag} is given without --listen or --join`)
})

test('a count of nodes that is none is refused', () => {
  expect(() => meshOptions({ listen: ':7400', expect: 'three' }, {})).toThrow('--expect')
})
