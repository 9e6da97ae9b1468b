import { expect, test } from 'vitest'
import { meshOptions, movedPort, nodeText } from '../../src/cli/up-mesh.ts'

test('a node that is alone is told nothing of a mesh', () => {
  expect(meshOptions({}, { CARILLON_SECRET: 'what only nodes know' })).toEqual({})
})

test('who joins listens on every address, at the default port or another, with the secret of the environment', () => {
  const options = meshOptions({ join: ['10.0.0.1:7400'] }, { CARILLON_SECRET: 'what only nodes know' })
  expect(options).toEqual({
    listen: '0.0.0.0',
    join: ['10.0.0.1:7400'],
    mesh: { secret: 'what only nodes know' },
  })
})

test('without a secret, or with an empty one, the data directory has it', () => {
  for (const env of [{}, { CARILLON_SECRET: '' }])
    expect(meshOptions({ listen: '127.0.0.1:7400' }, env)).toEqual({ listen: '127.0.0.1:7400', mesh: {} })
})

test('who joins on this host alone leaves it to createNode where it listens', () => {
  expect(meshOptions({ join: ['local'] }, {})).toEqual({ join: ['local'], mesh: {} })
  for (const join of [['mdns'], ['local', 'mdns']])
    expect(meshOptions({ join }, {})).toEqual({ listen: '0.0.0.0', join, mesh: {} })
  const moved = movedPort({ address: '127.0.0.1:41233', slot: undefined }, { join: ['local'] })
  expect(moved).toMatch(/^port 7400 is taken/)
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

test('a node says where it is, and in which slot', () => {
  expect(nodeText({ address: undefined, slot: undefined })).toBe('one node')
  expect(nodeText({ address: '0.0.0.0:7400', slot: undefined })).toBe('a node of a mesh, at 0.0.0.0:7400')
  const inSlot = { address: '0.0.0.0:7402', slot: 3 }
  expect(nodeText(inSlot, 'a.example')).toBe('a node of a mesh, at a.example:7402, in slot 3')
})

test('a port that was taken is named, with the one in its place', () => {
  const at = (address: string, listen: string, slot?: number): string | undefined =>
    movedPort({ address, slot }, { listen })
  expect(at('0.0.0.0:41233', '0.0.0.0')).toMatch(/^port 7400 is taken .* listens at port 41233;/)
  expect(at('[::]:41233', '::', 2)).toMatch(/^port 7401 is taken/)
  for (const [address, listen] of [
    ['0.0.0.0:7400', '0.0.0.0'],
    ['127.0.0.1:41233', '127.0.0.1:0'],
    ['127.0.0.1:9000', '127.0.0.1:9000'],
  ] as const)
    expect(at(address, listen)).toBeUndefined()
  expect(movedPort({ address: undefined, slot: undefined }, {})).toBeUndefined()
})
