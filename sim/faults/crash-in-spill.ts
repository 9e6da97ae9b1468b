/**
 * The node dies between the first chunk of a spill and its last: the index is newer than what it says of itself, and
 * replay meets records that have already what it is about to apply. By chance that span is hardly ever hit.
 */

import type { SimulatedDisk } from '../simulated-store.ts'
import type { Fault } from './fault.ts'

/** A first byte of a key: a record of the index. */
const RECORD = 0x74
const ARMED_MS = 4000

export const crashInSpill: Fault = {
  name: 'crash-in-spill',
  meanMs: 12_000,
  strike({ disk, node, random, clock }) {
    if (Object.hasOwn(disk, 'carryOut')) return undefined // still armed
    const { carryOut } = disk
    const end = (): void => {
      Reflect.deleteProperty(disk, 'carryOut')
    }
    disk.carryOut = (...args) => {
      const failed = carryOut.apply(disk, args)
      if (failed === undefined && isSpill(...args)) {
        end()
        const powerCut = random.float() < 0.5
        clock.defer(() => node.crash({ powerCut }))
      }
      return failed
    }
    return { lastsMs: ARMED_MS, end }
  },
}

function isSpill(...[parts]: Parameters<SimulatedDisk['carryOut']>): boolean {
  return parts.some(part => part.some(op => op.type === 'put' && op.key[0] === RECORD))
}
