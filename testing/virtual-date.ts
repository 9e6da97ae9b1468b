/** `Date` that tells virtual time, for handlers that ask it. One at a time in a process. */

import { CarillonError } from '../src/errors.ts'

let isFaked = false

/** From here on `new Date()` and `Date.now()` tell what `now` says; what is returned gives the real one back. */
export function fakeDate(now: () => number): () => void {
  if (isFaked)
    throw new CarillonError(
      'CONFLICT',
      'Date tells the time of another test mesh, with fakeDate: close that one before',
    )
  const RealDate = globalThis.Date
  const VirtualDate = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
    apply: () => new RealDate(now()).toString(),
    get: (target, property) => (property === 'now' ? now : (Reflect.get(target, property) as unknown)),
  })
  globalThis.Date = VirtualDate
  isFaked = true
  let isBack = false
  return () => {
    if (isBack) return
    isBack = true
    isFaked = false
    // Somebody may have put another one in its place meanwhile.
    if (globalThis.Date === VirtualDate) globalThis.Date = RealDate
  }
}
