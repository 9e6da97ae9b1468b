import { VirtualClock } from '../../sim/virtual-clock.ts'
import { SystemClock } from '../../src/adapters/system-clock.ts'
import { clockConformance } from './clock.ts'

clockConformance('SystemClock', () => ({
  clock: new SystemClock(),
  pass: ms => new Promise(resolve => setTimeout(resolve, ms)),
}))

clockConformance('VirtualClock', () => {
  const clock = new VirtualClock({ monotonicMs: 12.5 })
  return { clock, pass: ms => clock.advanceBy(ms) }
})
