import { chmod, mkdir, mkdtemp, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { announceApi, apiToken, findApi, withdrawApi } from '../../src/adapters/api-access.ts'
import { createNode } from '../../src/index.ts'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'carillon-access-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const modeOf = async (name: string): Promise<number> => (await stat(join(dir, name))).mode & 0o777

describe('the token of a data directory', () => {
  test('is made once, for its owner only, and stays', async () => {
    const token = await apiToken(dir)
    expect(token).toMatch(/^[\w-]{43}$/)
    expect(await modeOf('TOKEN')).toBe(0o600)
    expect(await apiToken(dir)).toBe(token)
  })

  test('may be one that its owner wrote', async () => {
    await writeFile(join(dir, 'TOKEN'), 'a-token-of-my-own-choice\n', { mode: 0o600 })
    expect(await apiToken(dir)).toBe('a-token-of-my-own-choice')
  })

  test('that others can read is refused, with what to do', async () => {
    await apiToken(dir)
    await chmod(join(dir, 'TOKEN'), 0o644)
    await expect(apiToken(dir)).rejects.toThrow(
      /TOKEN is open to others \(mode 0644\): allowed is 0600; `chmod 600/,
    )
  })

  test.each(['', 'short', 'with a space in it....', 'x'.repeat(600)])(
    'that is none is refused: %j',
    async text => {
      await writeFile(join(dir, 'TOKEN'), text, { mode: 0o600 })
      await expect(apiToken(dir)).rejects.toThrow(/holds no token/)
    },
  )

  test('that cannot be read or written is said, with its path', async () => {
    await expect(apiToken(join(dir, 'nowhere'))).rejects.toThrow(
      /could not read or write .*nowhere\/TOKEN: ENOENT/,
    )
  })
})

describe('where the API listens', () => {
  const api = { url: 'http://127.0.0.1:7410', pid: 17, token: 'a-token-of-someone' }

  test('is told for its owner only, and withdrawn', async () => {
    expect(await findApi(dir)).toBeUndefined()
    await announceApi(dir, api)
    expect(await modeOf('HTTP')).toBe(0o600)
    expect(await findApi(dir)).toEqual(api)
    await withdrawApi(dir)
    await withdrawApi(dir)
    expect(await findApi(dir)).toBeUndefined()
  })

  test.each(['', '{', '[]', 'null', '{"url":1}', '{"url":"x","pid":"y","token":"z"}'])(
    'is nowhere if the file says %j',
    async text => {
      await writeFile(join(dir, 'HTTP'), text)
      expect(await findApi(dir)).toBeUndefined()
    },
  )
})

test('a node tells it while it is open, and keeps its token over starts', async () => {
  const first = await createNode({ dataDir: dir, http: '127.0.0.1:0' })
  expect(await findApi(dir)).toEqual({ ...first.http, pid: process.pid })
  await first.close()
  expect(await findApi(dir)).toBeUndefined()
  const second = await createNode({ dataDir: dir, http: '127.0.0.1:0' })
  expect(second.http?.token).toBe(first.http?.token ?? (await readFile(join(dir, 'TOKEN'), 'utf8')).trim())
  await second.close()
})

test('a node closes all the same when its address can not be withdrawn', async () => {
  const node = await createNode({ dataDir: dir, http: '127.0.0.1:0' })
  const url = node.http?.url ?? ''
  await rm(join(dir, 'HTTP'))
  await mkdir(join(dir, 'HTTP'))
  await node.close()
  await node.closed
  await expect(fetch(url)).rejects.toThrow()
  await rmdir(join(dir, 'HTTP'))
  // The directory is free again.
  await (await createNode({ dataDir: dir })).close()
})

test('a node without an API leaves no file of it', async () => {
  const node = await createNode({ dataDir: dir })
  await node.close()
  await expect(stat(join(dir, 'TOKEN'))).rejects.toMatchObject({ code: 'ENOENT' })
})
