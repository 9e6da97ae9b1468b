/**
 * What the package's declarations ask of their user: nothing but Node's own types. A user who checks libraries too
 * must not meet those of our dependencies.
 */

import { posix } from 'node:path'
import { importsOf } from './source.ts'

/** Goes from the entries to all they reach; a sentence for each import that is neither our own nor Node's. */
export function publicTypeViolations(
  read: (path: string) => string | undefined,
  entries: readonly string[],
): string[] {
  const violations: string[] = []
  const waiting = [...entries]
  const seen = new Set(waiting)
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    const text = read(path)!
    for (const [, kind, name] of text.matchAll(/^\/\/\/\s*<reference\s+(\w+)\s*=\s*["']([^"']+)["']/gm)) {
      if (kind !== 'lib' && name !== 'node') violations.push(`${path} references ${name}`)
    }
    for (const { specifier } of importsOf(text)) {
      if (specifier.startsWith('node:')) continue
      if (!specifier.startsWith('.')) {
        violations.push(`${path} imports ${specifier}`)
        continue
      }
      const target = declarationOf(posix.join(posix.dirname(path), specifier))
      if (seen.has(target)) continue
      seen.add(target)
      if (read(target) === undefined) violations.push(`${path} imports ${specifier}, which is not there`)
      else waiting.push(target)
    }
  }
  return violations
}

/** tsc leaves `.ts` in the imports of declarations; both that and `.js` mean the declaration beside. */
function declarationOf(path: string): string {
  return path.replace(/(?:\.d)?\.[jt]s$/, '.d.ts')
}
