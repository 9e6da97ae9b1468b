/**
 * Errors cross the simulated channels with their stacks, so a run would depend on where the sources lie and on who
 * started it. While a seed runs, stacks name files without folders, and end where the virtual clock drives.
 */

import { basename } from 'node:path'

const FRAMES_MAX = 20

/** Makes stacks the same for every run of a seed; what is returned puts back what was. */
export function portableStacks(): () => void {
  const { prepareStackTrace, stackTraceLimit } = Error
  Error.stackTraceLimit = FRAMES_MAX
  Error.prepareStackTrace = (error, frames) => {
    const driver = frames.findIndex(frame => frame.getFileName()?.endsWith('/sim/virtual-clock.ts'))
    const own = driver === -1 ? frames : frames.slice(0, driver)
    const lines = own.map(frame => {
      const file = basename(frame.getFileName() ?? 'native')
      return `\n    at ${frame.getFunctionName() ?? 'callback'} (${file}:${frame.getLineNumber()})`
    })
    return `${error}${lines.join('')}`
  }
  return () => {
    Error.prepareStackTrace = prepareStackTrace
    Error.stackTraceLimit = stackTraceLimit
  }
}
