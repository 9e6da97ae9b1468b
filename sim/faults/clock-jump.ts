/** Somebody sets the wall clock: mostly a little, now and then by minutes, forwards or backwards. */

import type { Fault } from './fault.ts'

export const clockJump: Fault = {
  name: 'clock-jump',
  meanMs: 45_000,
  strike({ clock, random, history, trace }) {
    const dice = random.float()
    const far = dice < 0.6 ? 900 : dice < 0.9 ? 15_000 : 90_000
    const by = Math.round((random.float() * 2 - 1) * far)
    const over = history.disturb('clock-jump')
    clock.jump(by)
    history.jumped()
    trace.note(`the wall clock jumps by ${by} ms`)
    return { lastsMs: 2000, end: over }
  },
}
