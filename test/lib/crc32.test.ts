import { expect, test } from 'vitest'
import { crc32 } from '../../src/lib/crc32.ts'

test('gives the check value of CRC-32, whole or in parts', () => {
  const bytes = Buffer.from('123456789')
  expect(crc32(bytes)).toBe(0xcbf43926)
  expect(crc32(bytes.subarray(4), crc32(bytes.subarray(0, 4)))).toBe(0xcbf43926)
  expect(crc32(new Uint8Array())).toBe(0)
})
