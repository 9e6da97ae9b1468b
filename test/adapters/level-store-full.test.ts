/**
 * A real full disk: an 8 MB tmpfs, which only root can mount. Without root these tests fail rather than pass
 * unseen; in CI they run as root.
 */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDataDir } from '../../src/adapters/data-dir.ts'
import { LevelStore, type LevelStoreOptions } from '../../src/adapters/level-store.ts'
import { SystemClock } from '../../src/adapters/system-clock.ts'
import { isCarillonError } from '../../src/errors.ts'

const KB = 1024
const MB = 1024 * KB

describe('LevelStore on a full disk', () => {
  let mountPoint: string

  beforeEach(() => {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) {
      throw new Error('this test mounts an 8 MB tmpfs: run it as root on Linux, or leave this file out')
    }
    mountPoint = mkdtempSync(join(tmpdir(), 'carillon-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'carillon-test', mountPoint])
  })

  afterEach(() => {
    execFileSync('umount', [mountPoint])
    rmSync(mountPoint, { recursive: true })
  })

  // Where LevelDB finds no space: in the log that is appended to, or in the table that a full log becomes.
  const places: Array<[where: string, ballastBytes: number, options: LevelStoreOptions]> = [
    ['the log', 6 * MB, { writeBufferSize: 16 * MB, compression: false }],
    ['a compaction', 0, { writeBufferSize: 2 * MB, compression: false }],
  ]

  test.each(places)(
    'keeps everything acknowledged when %s finds no space',
    async (_where, ballastBytes, given) => {
      const options = { ...given, reopenFreeBytesMin: 0 }
      const path = join(mountPoint, 'db')
      const ballast = join(mountPoint, 'ballast')
      writeFileSync(ballast, new Uint8Array(ballastBytes))
      let store = new LevelStore(path, options)
      await store.open()

      const acknowledged = await writeUntilFull(store)
      expect(acknowledged).toBeGreaterThan(5)
      for (let again = 0; again < 3; again++) {
        await expect(store.write([put(9000, 10)], { sync: true })).rejects.toMatchObject({
          code: 'STORE_FULL',
        })
        await expect(store.clear(everything)).rejects.toMatchObject({ code: 'STORE_FULL' })
      }
      expect(await store.get(key(0))).toEqual(blob(0, 100 * KB))

      // LevelDB's own refusal to open, without the look at the free space.
      for (let again = 0; again < 3; again++) {
        await expect(store.reopen()).rejects.toMatchObject({ code: 'STORE_FULL' })
        await expect(store.write([put(9000, 10)], { sync: true })).rejects.toMatchObject({
          code: 'STORE_FULL',
        })
      }

      rmSync(ballast)
      execFileSync('mount', ['-o', 'remount,size=64m', mountPoint])
      // Space is back, and still nothing may be written behind the half record.
      await expect(store.write([put(9000, 10)], { sync: true })).rejects.toMatchObject({ code: 'STORE_FULL' })
      await store.reopen()
      await store.write([put(acknowledged, 100 * KB)], { sync: true })
      await store.write([put(9001, 10)], { sync: true })
      await store.close()

      store = new LevelStore(path, options)
      await store.open()
      for (let at = 0; at <= acknowledged; at++) expect(await store.get(key(at))).toEqual(blob(at, 100 * KB))
      expect(await store.get(key(9000))).toBeUndefined()
      expect(await store.get(key(9001))).toEqual(blob(9001, 10))
      await store.close()
    },
  )

  test('reads on while there is no space, and refuses to reopen below the free space it needs', async () => {
    const ballast = join(mountPoint, 'ballast')
    writeFileSync(ballast, new Uint8Array(6 * MB))
    const store = new LevelStore(join(mountPoint, 'db'), { reopenFreeBytesMin: 3 * MB })
    await store.open()
    await writeUntilFull(store)
    expect((await store.space()).freeBytes).toBeLessThan(100 * KB)
    await expect(store.reopen()).rejects.toThrow(/bytes free and needs 3145728/)
    expect(await store.get(key(1))).toEqual(blob(1, 100 * KB))
    rmSync(ballast)
    await store.reopen()
    expect(await store.get(key(1))).toEqual(blob(1, 100 * KB))
    await store.close()
  })

  test('says STORE_FULL when a data directory is made where there is no space', async () => {
    fillUp(join(mountPoint, 'ballast'))
    const opening = openDataDir(join(mountPoint, 'data'), { clock: new SystemClock() })
    await expect(opening).rejects.toMatchObject({ code: 'STORE_FULL' })
    rmSync(join(mountPoint, 'ballast'))
    const dataDir = await openDataDir(join(mountPoint, 'data'), { clock: new SystemClock() })
    await dataDir.close()
  })
})

const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(255) }

/** Writes blobs of 100 KB, synced, until there is no space; returns how many were acknowledged. */
async function writeUntilFull(store: LevelStore): Promise<number> {
  for (let at = 0; ; at++) {
    try {
      await store.write([put(at, 100 * KB)], { sync: true })
    } catch (error) {
      expect(isCarillonError(error, 'STORE_FULL')).toBe(true)
      return at
    }
  }
}

function fillUp(path: string): void {
  for (let bytes = 8 * MB; bytes > 0; bytes = bytes > 4 * KB ? bytes - 4 * KB : 0) {
    try {
      writeFileSync(path, new Uint8Array(bytes))
      return
    } catch {
      // Smaller.
    }
  }
}

function put(at: number, length: number): { type: 'put'; key: Uint8Array; value: Uint8Array } {
  return { type: 'put', key: key(at), value: blob(at, length) }
}

function key(at: number): Uint8Array {
  return Uint8Array.of(1, at >> 8, at & 255)
}

/** Bytes that don't compress, the same ones for the same `at`. */
function blob(at: number, length: number): Uint8Array {
  let state = at + 1
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return state >> 16
  })
}
