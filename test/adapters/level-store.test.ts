import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LevelStore } from '../../src/adapters/level-store.ts'

describe('LevelStore', () => {
  let path: string

  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'carillon-level-'))
    const store = new LevelStore(path)
    await store.open()
    for (let at = 0; at < 20; at++)
      await store.write([{ type: 'put', key: key(at), value: value(at) }], { sync: true })
    await store.close()
  })

  afterEach(() => rm(path, { recursive: true }))

  test('refuses a store that lost its CURRENT, and deletes nothing', async () => {
    await rm(join(path, 'CURRENT'))
    const before = await readdir(path)
    const opening = new LevelStore(path).open()
    await expect(opening).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    await expect(opening).rejects.toThrow(/lost its file CURRENT/)
    expect(await readdir(path)).toEqual(before)
  })

  test.each([
    ['a CURRENT that is empty', 'CURRENT', ''],
    ['a MANIFEST that is garbage', 'MANIFEST', 'garbage'.repeat(20)],
    ['a MANIFEST that is gone', 'MANIFEST', undefined],
  ])('says STORE_CORRUPT of %s', async (_what, prefix, text) => {
    const file = join(path, await nameOf(prefix))
    if (text === undefined) await rm(file)
    else await writeFile(file, text)
    await expect(new LevelStore(path).open()).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  test('cuts a torn log off at its last whole record', async () => {
    await truncate(join(path, await nameOf('00')), 25_000)
    const store = new LevelStore(path)
    await store.open()
    const read = await store.getMany(Array.from({ length: 20 }, (_, at) => key(at)))
    const kept = read.filter(found => found !== undefined)
    expect(kept.length).toBeGreaterThan(5)
    expect(kept.length).toBeLessThan(15)
    for (const [at, found] of read.entries()) expect(found).toEqual(at < kept.length ? value(at) : undefined)
    await store.close()
  })

  test('goes on across changes of logs, synced and unsynced writes mixed', async () => {
    const store = new LevelStore(path, { writeBufferSize: 64 * 1024 })
    await store.open()
    for (let at = 100; at < 400; at++) {
      await store.write([{ type: 'put', key: key(at), value: value(at) }], { sync: at % 10 === 9 })
    }
    await store.close()
    const again = new LevelStore(path)
    await again.open()
    for (let at = 100; at < 400; at++) expect(await again.get(key(at))).toEqual(value(at))
    await again.close()
  })

  async function nameOf(prefix: string): Promise<string> {
    const name = (await readdir(path)).find(name => name.startsWith(prefix))
    expect(name).toBeDefined()
    return name as string
  }
})

function key(at: number): Uint8Array {
  return Uint8Array.of(1, at >> 8, at & 255)
}

function value(at: number): Uint8Array {
  return Uint8Array.from({ length: 2000 }, (_, index) => Math.imul(index * 7 + at, 2654435761) >>> 13)
}
