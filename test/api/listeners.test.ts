import { expect, test } from 'vitest'
import { Listeners } from '../../src/api/listeners.ts'

const refused = (line: string) => ({ type: 'refused', code: 'OTHER_MESH', line }) as const

test('what happens before the node is handed out is told to who listens then, in its order', () => {
  const listeners = new Listeners()
  const heard: string[] = []
  listeners.hold()
  listeners.emit(refused('first'))
  listeners.emit(refused('second'))
  listeners.add('refused', ({ line }) => heard.push(line))
  expect(heard).toEqual([])
  listeners.tellHeld()
  listeners.emit(refused('third'))
  expect(heard).toEqual(['first', 'second', 'third'])
})

test('what is held is bounded', () => {
  const listeners = new Listeners()
  let heard = 0
  listeners.hold()
  for (let i = 0; i < 3000; i++) listeners.emit(refused('again'))
  listeners.add('refused', () => heard++)
  listeners.tellHeld()
  expect(heard).toBe(1000)
})
