import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDataDir } from '../../src/adapters/data-dir.ts'
import { SystemClock } from '../../src/adapters/system-clock.ts'

const clock = new SystemClock()
const key = Uint8Array.of(1)
const value = Uint8Array.of(2)

describe('openDataDir', () => {
  let parent: string
  let path: string

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'carillon-data-dir-'))
    path = join(parent, 'deep', 'data')
  })

  afterEach(() => rm(parent, { recursive: true, force: true }))

  test('makes the directory for its owner alone, and finds what was written when it is opened again', async () => {
    const first = await openDataDir(path, { clock })
    expect((await stat(path)).mode & 0o777).toBe(0o700)
    expect(await readFile(join(path, 'FORMAT'), 'utf8')).toBe('{"format":1,"product":"carillon"}\n')
    expect(JSON.parse(await readFile(join(path, 'OWNER'), 'utf8'))).toMatchObject({ pid: process.pid })
    await first.store.write([{ type: 'put', key, value }], { sync: true })
    await first.close()
    await first.close()
    expect((await readdir(path)).sort()).toEqual(['FORMAT', 'db'])

    const second = await openDataDir(path, { clock })
    expect(await second.store.get(key)).toEqual(value)
    await second.close()
  })

  test('refuses a second open in this process, also through a symlink, and says who has it', async () => {
    const holder = await openDataDir(path, { clock })
    const link = join(parent, 'link')
    await symlink(path, link)
    for (const name of [path, link, `${path}/../data/`]) {
      const opening = openDataDir(name, { clock, waitMs: 0 })
      await expect(opening).rejects.toMatchObject({ code: 'STORE_LOCKED' })
      await expect(opening).rejects.toThrow(/in use by this process itself, since 20/)
    }
    await holder.close()
    await (await openDataDir(link, { clock, waitMs: 0 })).close()
  })

  test('waits for a holder that is about to close', async () => {
    const holder = await openDataDir(path, { clock })
    const opening = openDataDir(path, { clock })
    setTimeout(() => void holder.close(), 150)
    await (await opening).close()
  })

  describe('held by another process', () => {
    let child: ChildProcess

    beforeEach(async () => {
      child = spawn(process.execPath, ['--input-type=module-typescript', '-e', holderScript(path)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout as NodeJS.ReadableStream, 'data')
    })

    afterEach(() => child.kill('SIGKILL'))

    test('refuses, and names the process, its host and since when', async () => {
      const opening = openDataDir(path, { clock, waitMs: 150 })
      await expect(opening).rejects.toMatchObject({ code: 'STORE_LOCKED' })
      await expect(opening).rejects.toThrow(new RegExp(`in use by process ${child.pid} on host .+, since 20`))
    })

    test('opens as soon as the holder is killed, and finds what it had synced', async () => {
      const opening = openDataDir(path, { clock })
      setTimeout(() => child.kill('SIGKILL'), 150)
      const dataDir = await opening
      expect(await dataDir.store.get(key)).toEqual(value)
      expect(JSON.parse(await readFile(join(path, 'OWNER'), 'utf8'))).toMatchObject({ pid: process.pid })
      await dataDir.close()
    })
  })

  const strangeFormats: Array<[what: string, text: string, says: RegExp]> = [
    [
      'a newer one',
      '{"format":2,"product":"carillon"}',
      /format 2, .* knows format 1\. Use the Carillon that wrote it/,
    ],
    ['no number', '{"format":"1","product":"carillon"}', /format "1"/],
    ['another product', '{"format":1,"product":"bells"}', /not Carillon's, or damaged/],
    ['null', 'null', /not Carillon's, or damaged/],
    ['nothing', '', /not Carillon's, or damaged/],
    ['garbage', '\u0000\u0001'.repeat(3000), /not Carillon's, or damaged/],
  ]

  test.each(strangeFormats)(
    'refuses a FORMAT that says %s, and touches nothing',
    async (_what, text, says) => {
      await mkdir(path, { recursive: true })
      await writeFile(join(path, 'FORMAT'), text)
      const opening = openDataDir(path, { clock })
      await expect(opening).rejects.toMatchObject({ code: 'STORE_FORMAT' })
      await expect(opening).rejects.toThrow(says)
      await expect(opening).rejects.toThrow(path)
      expect(await readdir(path)).toEqual(['FORMAT'])
    },
  )

  test("refuses a directory of other people's files, and touches nothing", async () => {
    await mkdir(path, { recursive: true })
    await writeFile(join(path, 'thesis.tex'), 'x')
    const opening = openDataDir(path, { clock })
    await expect(opening).rejects.toMatchObject({ code: 'STORE_FORMAT' })
    await expect(opening).rejects.toThrow(/not empty \(it holds thesis\.tex\)/)
    expect(await readdir(path)).toEqual(['thesis.tex'])
  })

  test('takes a directory whose first opening was cut short', async () => {
    await mkdir(path, { recursive: true })
    await writeFile(join(path, 'FORMAT.5f0c.tmp'), '{"form')
    await (await openDataDir(path, { clock })).close()
  })

  test('refuses a file, and a path below a file', async () => {
    const file = join(parent, 'file')
    await writeFile(file, '')
    for (const name of [file, join(file, 'data')]) {
      const opening = openDataDir(name, { clock })
      await expect(opening).rejects.toMatchObject({ code: 'INVALID' })
      await expect(opening).rejects.toThrow('is not a directory')
    }
  })

  test.runIf(process.platform === 'linux')('says so where no directory can be made', async () => {
    // The system answers ENOENT although all that is above is there: Node's own recursive mkdir never returns.
    for (const name of ['/proc/carillon', '/proc/carillon/data']) {
      const opening = openDataDir(name, { clock })
      await expect(opening).rejects.toMatchObject({ code: 'STORE_FAILED' })
      await expect(opening).rejects.toThrow(/could not make the data directory .*ENOENT/)
    }
  })

  test('makes what is missing above it, and for two that come at once', async () => {
    const deep = join(parent, 'a', 'b')
    const opened = await Promise.all(['c', 'd'].map(name => openDataDir(join(deep, name, 'e'), { clock })))
    await Promise.all(opened.map(each => each.close()))
    expect(await readdir(deep)).toEqual(['c', 'd'])
  })

  test('says so when it has no permission', async () => {
    const closed = join(parent, 'closed')
    await mkdir(closed)
    await chmod(closed, 0o000)
    // Root may do anything, so a user without rights asks.
    const asked = await asNobody(parent, () => openDataDir(join(closed, 'data'), { clock }))
    expect(asked).toMatchObject({ code: 'STORE_FAILED' })
    expect(String(asked)).toMatch(/no permission .*EACCES/)
  })

  test('opens one of two that come at the same time', async () => {
    const openings = await Promise.allSettled([0, 1, 2].map(() => openDataDir(path, { clock, waitMs: 0 })))
    const opened = openings.flatMap(opening => (opening.status === 'fulfilled' ? [opening.value] : []))
    const refused = openings.flatMap(opening => (opening.status === 'rejected' ? [opening.reason] : []))
    expect(opened).toHaveLength(1)
    expect(refused).toMatchObject([{ code: 'STORE_LOCKED' }, { code: 'STORE_LOCKED' }])
    await opened[0]?.close()
  })
})

function holderScript(path: string): string {
  const adapters = new URL('../../src/adapters/', import.meta.url)
  return `
    import { openDataDir } from '${new URL('data-dir.ts', adapters)}'
    import { SystemClock } from '${new URL('system-clock.ts', adapters)}'
    const { store } = await openDataDir(${JSON.stringify(path)}, { clock: new SystemClock() })
    await store.write([{ type: 'put', key: Uint8Array.of(1), value: Uint8Array.of(2) }], { sync: true })
    console.log('open')
    setInterval(() => {}, 1000)
  `
}

/** What the call threw, asked as a user without rights if we are root. */
async function asNobody(readable: string, call: () => Promise<unknown>): Promise<unknown> {
  const isRoot = process.geteuid?.() === 0
  await chmod(readable, 0o755)
  if (isRoot) process.seteuid?.(65_534)
  try {
    await call()
    return undefined
  } catch (error) {
    return error
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
}
