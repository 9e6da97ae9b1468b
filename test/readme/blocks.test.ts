import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../house/source.ts'
import { type Block, blocksOf, runBlock } from './blocks.ts'

/** What the kit has not: a real shell, and clients over a real network. Other tests have these. */
const ELSEWHERE = /parseCrontab|createClient/
const blocks = blocksOf(readFileSync(join(ROOT, 'README.md'), 'utf8'))
const here = blocks.filter(({ code }) => !ELSEWHERE.test(code))

test('the README has programs, and most of them run here', () => {
  expect(blocks.length - here.length).toBe(2)
  expect(here.length).toBeGreaterThanOrEqual(5)
})

test.each(here)("the README's program at line $line does what it says", async block => {
  const { compared, tests } = await runBlock(block)
  expect(compared + tests + (block.code.match(/\.log\(/g)?.length ?? 0)).toBeGreaterThan(0)
})

test('something is compared, and a difference is found', async () => {
  const block = (code: string): Block => ({ line: 1, language: 'ts', code })
  const program = (comment: number): string => `import { createNode } from 'carillon'
const node = await createNode({ handlers: { two: (run: { attempt: number }) => run.attempt + 1 } })
const task = await node.schedule({ name: 'two', after: '3h' })
console.log(await task.result()) // ${comment}
await node.close()
`
  expect(await runBlock(block(program(2)))).toEqual({ compared: 1, tests: 0 })
  await expect(runBlock(block(program(3)))).rejects.toThrow('nothing printed is 3')
})
