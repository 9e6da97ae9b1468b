/** Members of tests, by number. */

import type { MemberRecord, StoreId } from '../../src/membership/view.ts'

export function storeId(number: number): StoreId {
  return number.toString(16).padStart(32, '0') as StoreId
}

export function startIdOf(number: number): string {
  return number.toString(16).padStart(16, '0')
}

export function recordOf(number: number, more: Partial<MemberRecord> = {}): MemberRecord {
  return {
    store: storeId(number),
    node: `n${number}`,
    zone: '',
    weight: 1,
    addresses: [`n${number}:7400`],
    boot: 1,
    startId: startIdOf(number),
    incarnation: 0,
    state: 'live',
    ...more,
  }
}
