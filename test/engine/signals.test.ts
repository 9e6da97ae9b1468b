import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, describe, expect, test } from 'vitest'

/** A program that is nothing but a node, with `signals: true`. */

const source = new URL('../../src/index.ts', import.meta.url).href
const children: ChildProcess[] = []

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

/** A process whose node runs one handler that takes so long, and heeds no signal; resolves when it runs. */
async function program(handlerMs: number): Promise<ChildProcess> {
  const script = `import { createNode } from ${JSON.stringify(source)}
const wait = () => new Promise(resolve => { console.log('running'); setTimeout(resolve, ${handlerMs}) })
const node = await createNode({ signals: true, handlers: { wait } })
node.closed.then(() => console.log('closed'))
await node.schedule({ name: 'wait' })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  return child
}

async function codeOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

describe.concurrent('a signal', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s lets the running handler end, and then the process',
    async signal => {
      const child = await program(600)
      const from = performance.now()
      child.kill(signal)
      expect(await codeOf(child)).toBe(0)
      expect(performance.now() - from).toBeGreaterThan(300)
      expect(performance.now() - from).toBeLessThan(5000)
    },
  )

  test('that comes twice at once, as a terminal and npm send it, counts once', async () => {
    const child = await program(600)
    child.kill('SIGINT')
    await pause(10)
    child.kill('SIGINT')
    expect(await codeOf(child)).toBe(0)
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('a second %s ends the process at once, with code %i', async (signal, code) => {
    const child = await program(60_000)
    child.kill(signal)
    await pause(300)
    expect(child.exitCode).toBeNull()
    const from = performance.now()
    child.kill(signal)
    expect(await codeOf(child)).toBe(code)
    expect(performance.now() - from).toBeLessThan(2000)
  })

  test('of another kind is a second one as well', async () => {
    const child = await program(60_000)
    child.kill('SIGINT')
    await pause(50)
    child.kill('SIGTERM')
    expect(await codeOf(child)).toBe(143)
  })
})
