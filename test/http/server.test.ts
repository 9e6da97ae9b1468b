import { createServer } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNode } from '../../src/index.ts'
import { ApiBed } from './bed.ts'

let bed: ApiBed

beforeAll(async () => {
  bed = await ApiBed.open()
})
afterAll(() => bed.close())

describe('what is refused', () => {
  test.each([
    ['no token', undefined],
    ['a wrong token', 'Bearer nonsense'],
    ['a token of another length', 'Bearer x'],
    ['no token after the word', 'Bearer'],
    ['another scheme', 'Basic dXNlcjpwYXNz'],
  ])('%s', async (_, authorization) => {
    const response = await fetch(`${bed.url}/v1/status`, { headers: authorization ? { authorization } : {} })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(await response.json()).toMatchObject({ error: { code: 'UNAUTHORIZED' } })
  })

  test('a body without its token is not read', async () => {
    const text = await bed.raw(
      `POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n{`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 401 /)
  })

  test.each([
    ['text/plain', '"text/plain"'],
    ['application/jsonx', '"application/jsonx"'],
    ['application/x-www-form-urlencoded', '"application/x-www-form-urlencoded"'],
  ])('a body of %s', async (type, shown) => {
    const { status, body } = await bed.request('POST', '/v1/tasks', '{"name":"double"}', {
      'content-type': type,
    })
    expect(status).toBe(415)
    expect(body.error?.message).toContain(shown)
  })

  test('no content type', async () => {
    const text = await bed.raw(
      `POST /v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bed.token}\r\nContent-Length: 2\r\n\r\n{}`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 415 [\s\S]*the content type is not given/)
  })

  test.each(['', '{', '{"name":}', 'nonsense', '\u0000', '[1,]'])('the body %j', async text => {
    const { status, body } = await bed.request('POST', '/v1/tasks', text)
    expect(status).toBe(400)
    expect(body.error).toMatchObject({ code: 'INVALID', field: 'the body' })
  })

  test.each([
    ['null', 'the argument is null'],
    ['[]', 'allowed is 1 to 10000 tasks'],
    ['{"name":"double","cron":"61 * * * *"}', "cron '61 * * * *' has the minute '61'"],
    ['[{"name":"double"},{"name":"double","aftr":5}]', 'aftr is not known: did you mean after?'],
    ['{"name":"double","at":{}}', 'at is {}'],
    ['{"name":"double","id":"a b"}', 'id is "a b"'],
  ])('the task %s', async (text, message) => {
    const { status, body } = await bed.request('POST', '/v1/tasks', text)
    expect(status).toBe(400)
    expect(body.error?.code).toBe('INVALID')
    expect(body.error?.message).toContain(message)
  })

  test('one bad task of many: none is scheduled', async () => {
    const many = [
      { id: 'never', name: 'double', every: '1h' },
      { name: 'double', every: '1ms' },
    ]
    const { status, body } = await bed.request('POST', '/v1/tasks', many)
    expect([status, body.error?.field]).toEqual([400, '[1].every'])
    expect((await bed.request('GET', '/v1/tasks/never')).status).toBe(404)
  })

  test('a body that is too long, whether it says so or not', async () => {
    const text = JSON.stringify({ name: 'double', payload: 'x'.repeat(9 * 1024 * 1024) })
    expect((await bed.request('POST', '/v1/tasks', text)).status).toBe(413)
    const chunk = `20000\r\n${'x'.repeat(0x20000)}\r\n`
    const chunked = await bed.raw(
      `POST /v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bed.token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(70)}`,
    )
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /)
  })

  test('a payload that is too long, with its field', async () => {
    const { status, body } = await bed.request('POST', '/v1/tasks', {
      name: 'double',
      payload: 'x'.repeat(300_000),
    })
    expect([status, body.error?.field]).toEqual([400, 'payload'])
  })

  test.each([
    ['GET', '/v1/tasks?limit=0', 'limit'],
    ['GET', '/v1/tasks?limit=1e3', 'limit'],
    ['GET', '/v1/tasks?limit=2&limit=3', 'limit'],
    ['GET', '/v1/tasks?state=asleep', 'state'],
    ['GET', '/v1/tasks?stat=dead', 'stat'],
    ['GET', '/v1/tasks?after=nonsense', 'after'],
    ['GET', '/v1/tasks?__proto__=1', '__proto__'],
    ['GET', '/v1/tasks/a/runs?limit=9999', 'limit'],
    ['GET', '/v1/tasks/a/result?wait=2h', 'wait'],
    ['GET', '/v1/tasks/a/result?wait=soon', 'wait'],
    ['GET', '/v1/tasks/a%20b', 'id'],
    ['GET', '/v1/tasks/%E0%A4%A', 'id'],
    ['POST', '/v1/tasks/a%00b/pause', 'id'],
  ])('%s %s names the field %s', async (method, path, field) => {
    const { status, body } = await bed.request(method, path)
    expect([status, body.error?.code, body.error?.field]).toEqual([400, 'INVALID', field])
  })

  test('what is not there, and what is not allowed there', async () => {
    expect((await bed.request('GET', '/v1/nothing')).body.error?.message).toBe(
      'there is no GET /v1/nothing in this API',
    )
    expect((await bed.request('GET', '/')).status).toBe(404)
    const put = await bed.request('PUT', '/v1/tasks')
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'POST, GET'])
    expect((await bed.request('GET', '/v1/tasks/nobody')).body.error?.code).toBe('NOT_FOUND')
    expect((await bed.request('POST', '/v1/tasks/nobody/trigger')).status).toBe(404)
    expect((await bed.request('GET', '/v1/tasks/nobody/result')).status).toBe(404)
  })

  test('a call that the state of the task does not allow', async () => {
    const task = { id: 'live', name: 'double', every: '1h' }
    await bed.request('POST', '/v1/tasks', task)
    const { status, body } = await bed.request('POST', '/v1/tasks', { ...task, guarantee: 'exactly-once' })
    expect([status, body.error?.code]).toEqual([409, 'CONFLICT'])
  })
})

test('a run id with a slash in it is one part of the path', async () => {
  const id = encodeURIComponent('task~17@1700000000000/2')
  const { status, body } = await bed.request('GET', `/v1/tasks/${id}`)
  expect([status, body.error?.code]).toEqual([404, 'NOT_FOUND'])
  expect(body.error?.message).toContain('task~17@1700000000000/2')
})

test('keys that would reach a prototype are plain keys', async () => {
  const { body } = await bed.request(
    'POST',
    '/v1/tasks',
    '{"id":"proto","name":"talk","payload":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}',
  )
  expect(body.status).toBe('created')
  await bed.request('GET', '/v1/tasks/proto/result?wait=5s')
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})

test('the globals of the process stay its own', () => {
  expect(globalThis.Request.name).toBe('Request')
  expect(new Request('http://x/').constructor).toBe(globalThis.Request)
})

describe('peers that misbehave', () => {
  const alive = async (): Promise<void> => expect((await bed.request('GET', '/v1/status')).status).toBe(200)

  test.each([
    [
      'bytes that are no HTTP',
      '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003nonsense\r\n\r\n',
    ],
    ['half of a request', 'GET /v1/status HTTP/1.1\r\nHos'],
    ['a header of 200 KB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(200_000)}\r\n\r\n`],
    ['10,000 headers', `GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(10_000)}\r\n`],
    ['two lengths', 'POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}'],
    ['a path with a NUL', 'GET /v1/\u0000 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['no host', 'GET /v1/status HTTP/1.1\r\n\r\n'],
    ['a broken host', 'GET /v1/status HTTP/1.1\r\nHost: [[[\r\n\r\n'],
    ['an upgrade', 'GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ])('%s', async (_, bytes) => {
    const text = await bed.raw(bytes, 300)
    expect(text === '' || /^HTTP\/1\.1 4\d\d /.test(text), text).toBe(true)
    await alive()
  })

  test('a body that never comes costs its connection only, and ends with it', async () => {
    const head = `POST /v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bed.token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"name"`
    expect(await bed.raw(head, 200)).toBe('')
    await alive()
  })

  test('200 at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => bed.request('POST', '/v1/tasks', { name: 'double', payload: i })),
    )
    expect(answers.every(({ status, body }) => status === 200 && body.status === 'created')).toBe(true)
  })

  test('any JSON as a task is taken or refused, and the node goes on', { timeout: 60_000 }, async () => {
    const field = fc.constantFrom(
      'id',
      'name',
      'payload',
      'cron',
      'every',
      'at',
      'retry',
      'tags',
      'misfire',
      'dst',
      'key',
      'x',
    )
    const task = fc.dictionary(
      field,
      fc.oneof(fc.jsonValue(), fc.constantFrom('double', '* * * * *', '1h', 5)),
    )
    await fc.assert(
      fc.asyncProperty(fc.oneof(task, fc.array(task, { maxLength: 3 }), fc.jsonValue()), async body => {
        const answer = await bed.request('POST', '/v1/tasks', JSON.stringify(body))
        expect([200, 400], JSON.stringify(answer.body)).toContain(answer.status)
        if (answer.status === 400) expect(answer.body.error?.code).toBe('INVALID')
      }),
      { numRuns: 300 },
    )
    await alive()
  })

  test('any path is answered with JSON, and never as a fault of the node', async () => {
    const part = fc.oneof(
      fc.constantFrom('v1', 'tasks', 'runs', 'result', '%2F', '%', '..', '@', ''),
      fc.string({ maxLength: 12 }),
    )
    const method = fc.constantFrom('GET', 'DELETE', 'PATCH', 'OPTIONS')
    await fc.assert(
      fc.asyncProperty(
        method,
        fc.array(part, { maxLength: 5 }),
        fc.string({ maxLength: 20 }),
        async (verb, parts, query) => {
          const path = `/${parts.map(each => (each === '%' ? each : encodeURI(each.toWellFormed()))).join('/')}?${encodeURI(query.toWellFormed())}`
          const { status, body } = await bed.request(verb, path)
          expect(status, `${verb} ${path} ${JSON.stringify(body)}`).toBeLessThan(500)
          if (status >= 400) expect(typeof body.error?.message).toBe('string')
        },
      ),
      { numRuns: 300 },
    )
    await alive()
  })
})

describe('opening and closing', () => {
  test('a port in use, an address of somebody else, and no host: one line that says what to do', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => taken.once('listening', resolve))
    const { port } = taken.address() as { port: number }
    await expect(createNode({ http: `127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: `can't listen on 127.0.0.1:${port}: another process listens there: stop it, or choose another port (0 takes any that is free)`,
    })
    await new Promise(resolve => taken.close(resolve))
    await expect(createNode({ http: '192.0.2.1:0' })).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
  })

  test.each([
    '7410',
    'localhost',
    '127.0.0.1:',
    '127.0.0.1:70000',
    '::1:7410',
    '[::1:7410',
    '[x]:1',
    'a b:1',
    '',
  ])('the address %j is refused, with its field', async http => {
    await expect(createNode({ http })).rejects.toMatchObject({ code: 'INVALID', field: 'http' })
  })

  test('a token of one’s own, and one that is none', async () => {
    await expect(createNode({ http: { listen: '127.0.0.1:0', token: 'short' } })).rejects.toMatchObject({
      code: 'INVALID',
      field: 'http.token',
    })
    await using node = await createNode({ http: { listen: '127.0.0.1:0', token: 'a-secret-of-my-own' } })
    expect(node.http?.token).toBe('a-secret-of-my-own')
  })

  test('IPv6', async () => {
    const six = await ApiBed.open({ http: '[::1]:0' })
    expect(six.url).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect((await six.request('GET', '/v1/status')).status).toBe(200)
    await six.close()
  })

  test('close() answers who waits, and ends although connections are kept alive', async () => {
    const own = await ApiBed.open()
    await own.request('POST', '/v1/tasks', { id: 'h', name: 'hold' })
    const waiting = own.request('GET', '/v1/tasks/h/result?wait=60s')
    // It has to be under way.
    await new Promise(resolve => setTimeout(resolve, 50))
    const from = performance.now()
    const closed = own.node.close({ graceMs: 0 })
    const { status, body } = await waiting
    expect([status, body.error?.code]).toEqual([503, 'ABORTED'])
    await closed
    expect(performance.now() - from).toBeLessThan(1500)
    expect(own.node.http).toBeUndefined()
    await expect(fetch(`${own.url}/v1/status`)).rejects.toThrow()
  })
})
