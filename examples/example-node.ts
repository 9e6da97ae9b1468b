/** One node of the example mesh: a `carillon up` in a process of its own, and what it tells. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A line of `carillon up --json`. */
export interface Told {
  readonly type: string
  readonly [field: string]: unknown
}

export interface ExampleNodeEvents {
  told(node: ExampleNode, told: Told): void
  /** Its process has ended, and nobody asked for that. */
  died(node: ExampleNode, pid: number, how: string): void
  /** What it writes on stderr. */
  warned(node: ExampleNode, line: string): void
}

export interface ExampleNodeOptions {
  readonly number: number
  readonly address: string
  readonly peers: readonly string[]
  readonly dataDir: string
  readonly secret: string
  readonly http: string
  readonly crontabs: readonly string[]
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export class ExampleNode {
  readonly number: number
  readonly options: ExampleNodeOptions
  readonly #events: ExampleNodeEvents
  #child: ChildProcess | undefined
  #isStopping = false

  constructor(options: ExampleNodeOptions, events: ExampleNodeEvents) {
    this.number = options.number
    this.options = options
    this.#events = events
  }

  /** Undefined: it does not run. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  start(): void {
    const { number, address, peers, dataDir, secret, http, crontabs } = this.options
    const args = ['up', '--json', '--handlers', here('handlers.ts'), '--data', dataDir, '--http', http]
    // One schedules the tasks; as they have ids it does not matter which.
    if (number === 1) args.push('--handlers', here('tasks.ts'))
    for (const crontab of crontabs) args.push('--crontab', crontab)
    args.push('--listen', address, '--expect', String(peers.length + 1))
    for (const peer of peers) args.push('--join', peer)
    const child = spawn(
      process.execPath,
      ['--import', here('with-parent.ts'), here('../src/cli/main.ts'), ...args],
      {
        env: { ...process.env, CARILLON_SECRET: secret },
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        // A group of its own: a Ctrl-C comes from here, once.
        detached: true,
      },
    )
    this.#child = child
    const { stdout, stderr, pid } = child
    if (stdout !== null)
      createInterface(stdout).on('line', line => this.#events.told(this, JSON.parse(line) as Told))
    if (stderr !== null) createInterface(stderr).on('line', line => this.#events.warned(this, line))
    child.once('close', (code, signal) => {
      this.#child = undefined
      if (!this.#isStopping) this.#events.died(this, pid ?? 0, signal ?? `exit code ${code}`)
    })
  }

  /** Resolves when it has ended. A second call does not let it finish. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const isSecond = this.#isStopping
    this.#isStopping = true
    const closed = once(child, 'close')
    child.kill(isSecond ? 'SIGKILL' : 'SIGTERM')
    await closed
  }
}
