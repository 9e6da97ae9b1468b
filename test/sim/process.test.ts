import { expect, test } from 'vitest'
import { SimulatedProcess } from '../../sim/process.ts'
import { Trace } from '../../sim/trace.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'

function started(): { clock: VirtualClock; process: SimulatedProcess; told: string[]; from: number } {
  const clock = new VirtualClock()
  return {
    clock,
    process: new SimulatedProcess(clock, new Trace(clock, {})),
    told: [],
    from: clock.monotonic(),
  }
}

test('what reaches a process on a busy machine comes late, in order, also once it is busy no more', async () => {
  const { clock, process, told, from } = started()
  const tell = (what: string) => (): void => void told.push(`${what} ${clock.monotonic() - from}`)
  process.lag(3000)
  process.clock.setTimer(1000, tell('timer'))
  process.deliver(tell('frame'))
  await clock.advanceBy(500)
  process.lag(0)
  process.deliver(tell('behind it'))
  void process.seen(Promise.resolve()).then(tell('write'))
  await clock.advanceBy(2400)
  expect(told).toEqual([])
  await clock.advanceBy(5000)
  expect(told).toEqual(['frame 3000', 'behind it 3000', 'write 3000', 'timer 3000'])
  process.deliver(tell('at once'))
  expect(told.at(-1)).toBe(`at once ${clock.monotonic() - from}`)
})

test('a timer that is cancelled while it is late does not fire, and nothing reaches the dead', async () => {
  const { clock, process, told } = started()
  process.lag(2000)
  const timer = process.clock.setTimer(100, () => told.push('timer'))
  await clock.advanceBy(1000)
  timer.cancel()
  process.deliver(() => told.push('frame'))
  await clock.advanceBy(2500)
  expect(told).toEqual(['frame'])
  process.deliver(() => told.push('again'))
  process.die()
  await clock.advanceBy(5000)
  expect(told).toEqual(['frame'])
})

test('what is late for a process that stands still waits until it goes on', async () => {
  const { clock, process, told } = started()
  process.lag(1000)
  process.deliver(() => told.push('a'))
  process.stop(true)
  process.deliver(() => told.push('b'))
  await clock.advanceBy(5000)
  expect(told).toEqual([])
  process.stop(false)
  await clock.advanceBy(1)
  expect(told).toEqual(['a', 'b'])
})
