import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTcp } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { HttpClient } from '../../src/http/client.ts'
import { ApiBed } from './bed.ts'

let bed: ApiBed
let client: HttpClient

beforeAll(async () => {
  bed = await ApiBed.open()
  client = new HttpClient({ url: `${bed.url}/`, token: bed.token, timeoutMs: 10_000 })
})
afterAll(() => bed.close())

describe('the client', () => {
  test('makes every call of the API', async () => {
    expect(await client.schedule([{ id: 'a', name: 'double', payload: 4, every: '1h' }])).toEqual([
      { id: 'a', name: 'double', status: 'created', copies: 1 },
    ])
    expect(await client.task('a')).toMatchObject({ id: 'a' })
    expect(await client.task('nobody')).toBeNull()
    const run = await client.trigger('a')
    expect(await client.result(run, { waitMs: 5000 })).toMatchObject({ result: 8 })
    expect(await client.runs('a', { limit: 5 })).toMatchObject([{ id: run }])
    expect(await client.logs('a')).toEqual([])
    await client.pause('a')
    expect(await client.resume('a')).toBe(true)
    expect(await client.cancel('a')).toBe(true)
    expect(await client.preview({ cron: '0 0 1 1 *' }, 2)).toHaveLength(2)
    expect((await client.status()).handlers).toContain('double')
    await client.schedule([{ id: 'f', name: 'fail', retry: false }])
    expect(await client.result('f', { waitMs: 5000 })).toMatchObject({ state: 'failed' })
    expect(await client.retry('f')).toMatch(/^f@\d+$/)
    await client.schedule([{ id: 'h', name: 'hold' }])
    expect(await client.result('h')).toBeUndefined()
  })

  test('sends a large bulk in parts, and lists it page by page', async () => {
    const pad = 'x'.repeat(400)
    const tasks = Array.from({ length: 12_000 }, (_, i) => ({
      id: `bulk-${i}`,
      name: 'double',
      payload: pad,
      every: '24h',
      tags: ['bulk'],
    }))
    const answers = await client.schedule(tasks)
    expect(answers).toHaveLength(12_000)
    expect(answers[11_999]).toMatchObject({ id: 'bulk-11999', status: 'created' })
    let count = 0
    for await (const task of client.tasks({ tag: 'bulk' })) count += task.id.startsWith('bulk-') ? 1 : 0
    expect(count).toBe(12_000)
  })

  test.each([['a-token-of\nours-alone'], ['of ours alone'], ['ours-\u00e9'], ['ours-\u{1f600}'], ['']])(
    'refuses a token that no header can carry, and does not show it: %j',
    token => {
      const refused = (): unknown => new HttpClient({ url: bed.url, token, timeoutMs: 5000 })
      expect(refused).toThrow(/the token is none/)
      expect(refused).not.toThrow(/ours/)
    },
  )

  test('refuses the ids that would turn a path into another', async () => {
    for (const id of ['.', '..']) {
      await expect(client.task(id)).rejects.toMatchObject({ code: 'INVALID', field: 'id' })
      await expect(client.cancel(id)).rejects.toMatchObject({ code: 'INVALID', field: 'id' })
      await expect(bed.node.schedule({ id, name: 'double' } as never)).rejects.toThrow(
        /but not '\.' or '\.\.'/,
      )
    }
    await expect(client.task('')).resolves.toBeNull()
  })

  test('refuses a payload that is nested too deep to be written', async () => {
    const payload: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))
    await expect(client.schedule([{ name: 'double', payload }])).rejects.toMatchObject({ code: 'INVALID' })
  })

  test('names a refused task by its place in the whole', async () => {
    const good = { name: 'double', payload: 'x'.repeat(1000), every: '1h' }
    const tasks = [
      ...Array.from({ length: 3000 }, (_, i) => ({ ...good, id: `g${i}` })),
      { name: 'double', every: '1ms' },
    ]
    await expect(client.schedule(tasks)).rejects.toMatchObject({ code: 'INVALID', field: '[3000].every' })
  })

  test('gives up when its caller does', async () => {
    const signal = AbortSignal.abort('no longer')
    await expect(client.status({ signal })).rejects.toMatchObject({ code: 'ABORTED', cause: 'no longer' })
  })

  test('says that the token is wrong', async () => {
    const other = new HttpClient({ url: bed.url, token: 'wrong', timeoutMs: 5000 })
    await expect(other.status()).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })
})

describe('whoever else answers', () => {
  const servers: Array<{ close(): unknown; closeAllConnections?(): void }> = []
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections?.()
      server.close()
    }
  })
  const at = async (listener: RequestListener): Promise<HttpClient> => {
    const server: Server = createServer(listener).listen(0, '127.0.0.1')
    servers.push(server)
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    return new HttpClient({ url: `http://127.0.0.1:${port}`, token: 'secret-token-of-ours', timeoutMs: 300 })
  }

  test('nobody', async () => {
    const server = createTcp().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    await new Promise(resolve => server.close(resolve))
    const nobody = new HttpClient({ url: `http://127.0.0.1:${port}`, timeoutMs: 1000 })
    await expect(nobody.status()).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: `no answer from http://127.0.0.1:${port}: nothing listens there; does the node run?`,
    })
  })

  test('a web server', async () => {
    const web = await at((_, response) => response.end('<h1>hello</h1>'))
    await expect(web.status()).rejects.toThrow(/is no node of Carillon \(HTTP 200\)/)
  })

  test('one that redirects: the token stays here', async () => {
    let followed = false
    const other = await at((request, response) => {
      if (request.url === '/elsewhere') followed = true
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    await expect(other.status()).rejects.toThrow(/redirects elsewhere/)
    expect(followed).toBe(false)
  })

  test('one that never answers', async () => {
    const silent = await at(() => undefined)
    await expect(silent.status()).rejects.toThrow(/none within 300 ms/)
  })

  test('one that speaks something else', async () => {
    const server = createTcp(socket => void socket.end('SSH-2.0-OpenSSH_9\r\n')).listen(0, '127.0.0.1')
    servers.push(server)
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const ssh = new HttpClient({ url: `http://127.0.0.1:${port}`, timeoutMs: 2000 })
    await expect(ssh.status()).rejects.toThrow(/does not speak HTTP/)
  })
})
