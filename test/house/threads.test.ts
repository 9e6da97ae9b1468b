/** What a thread loads it keeps for its life: some libraries are dear, and only one of the two threads needs them. */

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const SRC = join(import.meta.dirname, '../../src')

/** All that a file loads at once: ours by path within src, others by name; without what is imported when it is asked for. */
function loadedBy(entry: string): Set<string> {
  const seen = new Set<string>()
  const waiting = [entry]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue
    seen.add(path)
    if (!path.endsWith('.ts')) continue
    const text = readFileSync(join(SRC, path), 'utf8')
    for (const [, kind = '', from = ''] of text.matchAll(
      /^(?:import|export)\s(type\s)?(?:[^'";]*?from\s)?'([^']+)'/gm,
    )) {
      if (kind === '') waiting.push(from.startsWith('.') ? join(dirname(path), from) : from)
    }
  }
  return seen
}

test('the engine’s thread does without what checks the users’ words', () => {
  const loaded = loadedBy('adapters/engine-thread.ts')
  expect(loaded).toContain('engine.ts')
  expect(loaded).toContain('cron-parser')
  expect([...loaded].filter(each => /typebox|hono|commander|libp2p$/.test(each))).toEqual([])
})

test('the user’s thread does without the engine, its store and its network', () => {
  const loaded = loadedBy('index.ts')
  expect(loaded).toContain('task/schema.ts')
  expect([...loaded].filter(each => /^engine\.ts$|classic-level|libp2p|hono|commander/.test(each))).toEqual(
    [],
  )
})
