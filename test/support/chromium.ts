/**
 * A headless Chromium that a test drives over its DevTools protocol: opens a file, asks it things, presses keys. Nothing
 * is installed for it; where there is none, `chromiumPath` is undefined.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

export const chromiumPath: string | undefined = PLACES.find(path => existsSync(path))

const START_MS_MAX = 40_000

interface Reply {
  readonly id?: number
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

export class Chromium {
  readonly #process: ChildProcess
  readonly #folder: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  #session: string | undefined
  #loaded: (() => void) | undefined
  #next = 1
  /** Errors of the page, and requests that it made beyond its own file. */
  readonly complaints: string[] = []

  static async open(path: string, width = 1400, height = 900): Promise<Chromium> {
    const folder = mkdtempSync(join(tmpdir(), 'carillon-chromium-'))
    const options = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run']
    const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync']
    const own = [`--user-data-dir=${folder}`, '--remote-debugging-port=0', `--window-size=${width},${height}`]
    const child = spawn(path, [...options, ...quiet, ...own, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // A group of its own: it has many processes, and all end with it.
      detached: true,
    })
    const address = await addressOf(child)
    const socket = new WebSocket(address)
    await new Promise((resolve, reject) => {
      socket.onopen = resolve
      socket.onerror = () => reject(new Error('Chromium takes no connection'))
    })
    return new Chromium(child, folder, socket)
  }

  constructor(process: ChildProcess, folder: string, socket: WebSocket) {
    this.#process = process
    this.#folder = folder
    this.#socket = socket
    socket.onmessage = ({ data }) => this.#heard(JSON.parse(String(data)) as Reply)
  }

  async show(url: string): Promise<void> {
    const { targetId } = await this.ask('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.ask('Target.attachToTarget', { targetId, flatten: true })
    this.#session = sessionId as string
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await this.ask(`${domain}.enable`)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#loaded = resolve
    await this.ask('Page.navigate', { url })
    await promise
    await this.until('document.documentElement.dataset.ready !== undefined')
  }

  /** What an expression comes to, in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.ask('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
    return (result as { readonly value?: unknown }).value
  }

  /** Real time: the page draws once a frame. */
  async until(condition: string): Promise<void> {
    await this.evaluate(`new Promise((resolve, reject) => {
      let left = 600
      const look = () => {
        if (${condition}) resolve()
        else if (left-- > 0) requestAnimationFrame(look)
        else reject(new Error(${JSON.stringify(`the page never came to it: ${condition}`)}))
      }
      look()
    })`)
  }

  async press(key: string): Promise<void> {
    for (const type of ['keyDown', 'keyUp'])
      await this.ask('Input.dispatchKeyEvent', { type, key, ...(key.length === 1 ? { text: key } : {}) })
  }

  async mouse(type: string, x: number, y: number, more: Record<string, unknown> = {}): Promise<void> {
    await this.ask('Input.dispatchMouseEvent', { type, x, y, ...more })
  }

  async ask(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = this.#next++
    const session = this.#session === undefined ? {} : { sessionId: this.#session }
    const reply = await new Promise<Reply>(resolve => {
      this.#waiting.set(id, resolve)
      this.#socket.send(JSON.stringify({ id, method, params, ...session }))
    })
    if (reply.error !== undefined) throw new Error(`${method}: ${reply.error.message}`)
    return reply.result ?? {}
  }

  async close(): Promise<void> {
    this.#socket.close()
    const ended = new Promise(resolve => this.#process.once('exit', resolve))
    if (this.#process.exitCode === null && this.#process.pid !== undefined) {
      process.kill(-this.#process.pid, 'SIGKILL')
      await ended
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #heard(reply: Reply): void {
    if (reply.id !== undefined) {
      this.#waiting.get(reply.id)?.(reply)
      this.#waiting.delete(reply.id)
    } else if (reply.method === 'Page.loadEventFired') {
      this.#loaded?.()
    } else if (reply.method === 'Runtime.exceptionThrown' || reply.method === 'Log.entryAdded') {
      this.complaints.push(JSON.stringify(reply.params))
    } else if (reply.method === 'Network.requestWillBeSent') {
      const { request } = reply.params as { readonly request: { readonly url: string } }
      if (!/^(?:file|about):/.test(request.url)) this.complaints.push(`asked for ${request.url}`)
    }
  }
}

/** Chromium says on its standard error where it listens. */
function addressOf(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const limit = setTimeout(() => reject(new Error('Chromium did not start in time')), START_MS_MAX)
  let said = ''
  child.once('error', reject)
  child.once('exit', () => reject(new Error(`Chromium ended: ${said}`)))
  child.stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString()
    const [, address] = /DevTools listening on (ws:\S+)/.exec(said) ?? []
    if (address !== undefined) resolve(address)
  })
  return promise.finally(() => clearTimeout(limit))
}
