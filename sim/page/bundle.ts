/**
 * One script of several modules: their types stripped, each once, after those that it imports. The modules share one
 * scope, so each name at their top is there once; a browser refuses a script with two. That is all that the page needs
 * of a bundler.
 */

import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'

const IMPORT = /^import\s[^'"]*?from '(\.[^']+)'\n?/gm
const EXPORT = /^export (?=(?:async )?(?:function|class|const|let)\b)/gm

export function bundle(entry: string): string {
  const parts: string[] = []
  const seen = new Set<string>()
  const add = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    const code = stripped(readFileSync(path, 'utf8'))
    for (const [, specifier] of code.matchAll(IMPORT)) add(join(dirname(path), specifier as string))
    parts.push(
      code
        .replaceAll(IMPORT, '')
        .replaceAll(EXPORT, '')
        .replaceAll(/[ \t]+$/gm, '')
        .trim(),
    )
  }
  add(entry)
  const script = parts.join('\n\n')
  // It stands inside a script element.
  return script.replaceAll(/<\/(script)/gi, '<\\/$1')
}

/** Node says at the first call that it may change: whoever asked for a page can do nothing about that. */
function stripped(source: string): string {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = emitWarning
  }
}
