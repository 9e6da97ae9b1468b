/**
 * The real event loop, as it was when this file was loaded: the fakes that test frameworks put in place of timers later do
 * not stop virtual time. It is needed only while a handler waits for something real.
 */

const { setImmediate: immediate, setTimeout: timeout, clearTimeout: clear, performance: machine } = globalThis

/** One turn of the event loop: what is ready runs. */
export function realTurn(): Promise<void> {
  return new Promise(resolve => immediate(resolve))
}

export function realSleep(ms: number): Promise<void> {
  return new Promise(resolve => timeout(resolve, ms))
}

export function realNow(): number {
  return machine.now()
}

/** Calls back once, unless the function that is returned is called before. */
export function realTimer(ms: number, callback: () => void): () => void {
  const timer = timeout(callback, ms)
  return () => clear(timer)
}
