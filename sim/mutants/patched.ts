/** A mutant that replaces a method of a room, for as long as it is applied. */

import type { Mutant, MutantPorts } from './mutant.ts'

export type Method = (this: unknown, ...args: unknown[]) => unknown

/** Replaces a method, or a getter; `make` gets the original. */
export function patched(
  name: string,
  breaks: string,
  target: object,
  method: string,
  make: (original: Method, ports: MutantPorts) => Method,
  mix = 'crash',
): Mutant {
  return {
    name,
    breaks,
    mix,
    apply: ports => {
      const before = Object.getOwnPropertyDescriptor(target, method)
      if (before === undefined) throw new Error(`mutant ${name}: there is no ${method} to patch`)
      const made = make((before.get ?? before.value) as Method, ports)
      const after = before.get === undefined ? { ...before, value: made } : { ...before, get: made }
      Object.defineProperty(target, method, after)
      return { undo: () => Object.defineProperty(target, method, before) }
    },
  }
}

/** One bug that takes more than one patch. */
export function together(name: string, breaks: string, mix: string, parts: readonly Mutant[]): Mutant {
  return {
    name,
    breaks,
    mix,
    apply: ports => {
      const undos = parts.map(part => part.apply(ports).undo)
      return {
        undo: () => {
          for (const undo of undos.toReversed()) undo()
        },
      }
    },
  }
}
