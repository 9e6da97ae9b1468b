/**
 * The README's programs, run on virtual time: a block's `createNode` gives out a node of a test mesh, whose results are
 * waited for as long as it takes; what it prints is compared with the comment behind.
 */

import { stripTypeScriptTypes } from 'node:module'
import { inspect, isDeepStrictEqual } from 'node:util'
import * as carillon from '../../src/index.ts'
import { createTestMesh, type TestMesh } from '../../testing/index.ts'

export interface Block {
  /** Of the README, from 1. */
  readonly line: number
  readonly language: string
  readonly code: string
}

/** All that is imported by name from `carillon` or `carillon/testing`, in TypeScript or JavaScript. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  for (const match of markdown.matchAll(/^```(ts|js)\n([\s\S]*?)^```$/gm)) {
    const [, language = '', code = ''] = match
    if (/(?:from |require\()'carillon(?:\/testing)?'/.test(code))
      blocks.push({ line: markdown.slice(0, match.index).split('\n').length, language, code })
  }
  return blocks
}

/** Runs a block; rejects with what is wrong. Returns how many printed values were compared, and tests run. */
export async function runBlock({ code, language }: Block): Promise<{ compared: number; tests: number }> {
  const meshes: Array<Promise<TestMesh>> = []
  const tests: Array<() => Promise<void>> = []
  const printed: unknown[][] = []
  const modules: Record<string, unknown> = {
    carillon: {
      ...carillon,
      createNode: async (options: { readonly handlers?: carillon.Handlers }) => {
        const mesh = createTestMesh({ handlers: options.handlers })
        meshes.push(mesh)
        return patient(await mesh)
      },
    },
    'carillon/testing': { createTestMesh },
    'node:test': { test: (_: string, body: () => Promise<void>) => tests.push(body) },
    'node:assert/strict': { default: await import('node:assert/strict') },
  }
  const plain = language === 'ts' ? stripTypeScriptTypes(code) : code
  const body = plain.replace(
    /^import (?:(\w+)|(\{.*?\})) from ('.*?')$/gm,
    (_, whole: string | undefined, names: string | undefined, from: string) =>
      `const ${names ?? `{ default: ${whole} }`} = modules[${from}]`,
  )
  const AsyncFunction = (async () => {}).constructor as new (
    ...parts: string[]
  ) => (...args: unknown[]) => Promise<void>
  const program = new AsyncFunction('modules', 'require', 'console', body)
  await program(modules, (name: string) => modules[name], { log: (...what: unknown[]) => printed.push(what) })
  for (const each of tests) await each()
  // What is not awaited ends with its node, too.
  for (const mesh of meshes) await (await mesh).node.closed
  return { compared: compare(code, printed), tests: tests.length }
}

/** The node, whose tasks' results are waited for in virtual time. */
function patient(mesh: TestMesh): unknown {
  return new Proxy(mesh.node, {
    get(node, property) {
      const value: unknown = Reflect.get(node, property, node)
      if (property !== 'schedule' || typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        const made = (await value.apply(node, args)) as carillon.Task | carillon.Task[]
        const waiting = (task: carillon.Task) => ({ ...task, result: () => mesh.until(task.result()) })
        return Array.isArray(made) ? made.map(waiting) : waiting(made)
      }
    },
  })
}

/** `console.log(...) // value`, as far as the comment is one; each such line prints once. */
function compare(code: string, printed: readonly unknown[][]): number {
  const left = [...printed]
  let compared = 0
  for (const [, text = ''] of code.matchAll(/console\.log\(.*\) \/\/ (.+)$/gm)) {
    if (!/^[[{\d]/.test(text)) continue
    const expected: unknown = new Function(`return (${text})`)()
    const at = left.findIndex(([first]) => isDeepStrictEqual(first, expected))
    if (at === -1) throw new Error(`nothing printed is ${text}; there is ${inspect(printed, { depth: 5 })}`)
    left.splice(0, at + 1)
    compared++
  }
  return compared
}
