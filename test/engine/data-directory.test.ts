import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNode } from '../../src/api/create-node.ts'

/** Whose directory it is. The waits of five seconds are real, so these tests run side by side. */

let parent: string
const children: ChildProcess[] = []

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'carillon-directory-'))
})

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await rm(parent, { recursive: true, force: true })
})

const source = new URL('../../src/index.ts', import.meta.url).href

/** A process with a node of its own; resolves when it says that it is ready. */
async function otherProcess(script: string): Promise<ChildProcess> {
  const text = `import { createNode } from ${JSON.stringify(source)}\n${script}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  return child
}

function holding(dataDir: string): string {
  return `const node = await createNode({ dataDir: ${JSON.stringify(dataDir)}, signals: true })
await node.schedule({ id: 'kept', name: 'nobody', after: '1h' })
console.log('ready')`
}

describe.concurrent('a data directory', () => {
  test('that this process has open is refused after five seconds, and the first node goes on', async () => {
    const dataDir = join(parent, 'same-process')
    const first = await createNode({ dataDir })
    const from = performance.now()
    const second = createNode({ dataDir })
    await expect(second).rejects.toMatchObject({ name: 'CarillonError', code: 'STORE_LOCKED' })
    await expect(second).rejects.toThrow(/in use by this process itself, since 20/)
    const tookMs = performance.now() - from
    expect(tookMs).toBeGreaterThan(4500)
    expect(tookMs).toBeLessThan(30_000)
    expect((await first.status()).takesWork).toBe(true)
    await first.close()
  })

  test('that another process has open is refused, and the error says which', async () => {
    const dataDir = join(parent, 'other-process')
    const child = await otherProcess(holding(dataDir))
    const second = createNode({ dataDir })
    await expect(second).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await expect(second).rejects.toThrow(new RegExp(`${dataDir} is in use by process ${child.pid} on host `))
    expect(child.exitCode).toBeNull()
  })

  test.each([
    ['is killed', 'SIGKILL'],
    ['ends in an orderly way', 'SIGTERM'],
  ] as const)(
    'whose process %s meanwhile is waited for, and has all that was acknowledged',
    async (_, signal) => {
      const dataDir = join(parent, `dying-${signal}`)
      const child = await otherProcess(holding(dataDir))
      const opening = createNode({ dataDir })
      setTimeout(() => child.kill(signal), 500)
      const node = await opening
      expect(await node.task('kept')).toMatchObject({ state: 'scheduled' })
      await node.close()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      if (signal === 'SIGTERM') expect(child.exitCode).toBe(0)
    },
  )

  test('of a format that is not known is refused, and stays as it is', async () => {
    const dataDir = join(parent, 'newer')
    await mkdir(dataDir)
    const text = '{"format":99,"product":"carillon"}\n'
    await writeFile(join(dataDir, 'FORMAT'), text)
    const opening = createNode({ dataDir })
    await expect(opening).rejects.toMatchObject({ code: 'STORE_FORMAT' })
    await expect(opening).rejects.toThrow(/is of format 99, and this Carillon knows format 1/)
    expect(await readdir(dataDir)).toEqual(['FORMAT'])
    expect(await readFile(join(dataDir, 'FORMAT'), 'utf8')).toBe(text)
  })

  test("with other people's files is refused, and so is a file", async () => {
    const dataDir = join(parent, 'foreign')
    await mkdir(dataDir)
    await writeFile(join(dataDir, 'thesis.txt'), 'ten years of work')
    await expect(createNode({ dataDir })).rejects.toMatchObject({ code: 'STORE_FORMAT' })
    expect(await readdir(dataDir)).toEqual(['thesis.txt'])
    const file = createNode({ dataDir: join(dataDir, 'thesis.txt') })
    await expect(file).rejects.toMatchObject({ code: 'INVALID' })
  })

  test('can be closed and opened again and again', async () => {
    const dataDir = join(parent, 'again')
    const boots: number[] = []
    for (let i = 0; i < 3; i++) {
      const node = await createNode({ dataDir })
      boots.push((await node.status()).boot)
      await node.close()
    }
    expect(boots).toEqual([1, 2, 3])
  })

  test('lets a process that closed its node come to its end by itself', async () => {
    const dataDir = join(parent, 'ends')
    const child = await otherProcess(`const node = await createNode({ dataDir: ${JSON.stringify(dataDir)},
  handlers: { quick: () => 'done' } })
const task = await node.schedule({ name: 'quick' })
console.log(await task.result())
await node.close()`)
    if (child.exitCode === null) await once(child, 'exit')
    expect(child.exitCode).toBe(0)
  })
})
