/** The machines of a mesh that is cut into parts: starting them, asking them, stopping them all at once, and reading their disks. */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TaskOptions } from '../../src/index.ts'
import type { MeshView } from '../../src/task/views.ts'
import { type Family, type Loss, Switch } from '../support/namespaces.ts'
import { listStore, type StoreListing } from '../support/store-listing.ts'
import type { Scenario } from './partition-scenarios.ts'

export type Planned = Pick<TaskOptions, 'at' | 'every' | 'start' | 'end'> & { readonly id: string }

/** What a machine is asked: to schedule a task, to close, or else how it sees the mesh. */
export interface Request {
  readonly number: number
  readonly isLast?: true
  readonly task?: Pick<TaskOptions, 'id' | 'at' | 'every' | 'anchor' | 'start' | 'end'> & {
    readonly id: string
  }
}

export interface Answer {
  /** Of the request; 0: its node has started. */
  readonly number: number
  /** Of the error with which the call was refused. */
  readonly code?: string
  readonly mesh?: MeshView | undefined
}

const CHILD = fileURLToPath(new URL('./mesh-partitions-child.ts', import.meta.url))
/** Of ten at once on a busy machine, too. */
const START_MS_MAX = 240_000
const END_MS_MAX = 60_000
/** A call is refused after 5 s to 15 s; a machine that stands still never answers. */
const ASK_MS_MAX = 20_000

export class Machines {
  readonly story: string
  readonly #count: number
  readonly #founders: number
  readonly #dir: string
  readonly #network: string
  readonly #switch: Switch
  readonly #children: ChildProcess[] = []
  readonly #started = new Set<number>()
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #asked = 0
  #isOver = false

  constructor(dir: string, { machines, founders, network }: Scenario, family: Family) {
    this.#count = machines
    this.#founders = founders
    this.#network = network
    this.#dir = dir
    this.story = join(dir, 'story')
    mkdirSync(dir, { recursive: true })
    this.#switch = new Switch(family)
  }

  /** Those whose nodes have been started. */
  get all(): number[] {
    return [...this.#children.keys()]
  }

  /** Resolves when these nodes have started; they may still have to find each other. */
  async start(count: number): Promise<void> {
    const from = this.#children.length
    await Promise.all(Array.from({ length: count }, (_, i) => this.#start(from + i)))
  }

  /** Closes a node in an orderly way, and starts it again after this time. */
  async restart(machine: number, awayMs: number): Promise<void> {
    const child = this.#children[machine] as ChildProcess
    child.removeAllListeners('exit')
    this.#started.delete(machine)
    const ended = once(child, 'exit')
    child.send({ number: ++this.#asked, isLast: true } satisfies Request)
    await within(END_MS_MAX, ended, `node ${machine} has not closed`)
    await new Promise(resolve => setTimeout(resolve, awayMs))
    await this.#start(machine)
  }

  async #start(machine: number): Promise<void> {
    // Who comes later must not found a mesh of its own, however late it reaches the others.
    const founders = machine < this.#founders ? this.#founders : 0
    const others = Array.from({ length: this.#count }, (_, i) => i).filter(other => other !== machine)
    const addresses = [machine, ...others].map(each => this.#switch.address(each))
    const args = [this.#data(machine), this.story, `${machine}`, this.#network, `${founders}`, ...addresses]
    const starting = this.#switch.start(machine, CHILD, args)
    const child = starting.child
    this.#children[machine] = child
    await starting.placed
    child.once('exit', (code, signal) => {
      if (!this.#isOver) fail(`node ${machine} ended (${code ?? signal})`)
    })
    const started = Promise.withResolvers<void>()
    child.on('message', (answer: Answer) => {
      if (answer.number === 0) started.resolve()
      this.#waiting.get(answer.number)?.(answer)
    })
    await within(START_MS_MAX, started.promise, `node ${machine} has not started`)
    this.#started.add(machine)
  }

  /** Undefined: no answer in time. */
  ask(machine: number, task?: Planned): Promise<Answer | undefined> {
    const number = ++this.#asked
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>()
    const tooLate = setTimeout(() => resolve(undefined), ASK_MS_MAX)
    this.#waiting.set(number, resolve)
    const child = this.#children[machine]
    // Who is being restarted takes no calls; one that waited until it can would be made late.
    if (child?.connected === true && this.#started.has(machine))
      child.send(task === undefined ? { number } : { number, task })
    else resolve(undefined)
    return promise.finally(() => {
      clearTimeout(tooLate)
      this.#waiting.delete(number)
    })
  }

  /** Returns how many frames were lost of those that should be until now. */
  lose(losses: readonly Loss[]): number {
    return this.#switch.lose(losses)
  }

  stop(machine: number): void {
    this.#children[machine]?.kill('SIGSTOP')
  }

  goOn(machine: number): void {
    this.#children[machine]?.kill('SIGCONT')
  }

  /** What is on all disks in one moment: the machines stand still while these are copied. */
  async listings(): Promise<StoreListing[]> {
    const copy = join(this.#dir, 'copy')
    for (const machine of this.all) this.stop(machine)
    try {
      for (const machine of this.all)
        cpSync(join(this.#data(machine)), join(copy, `${machine}`), { recursive: true })
    } finally {
      for (const machine of this.all) this.goOn(machine)
    }
    const found: StoreListing[] = []
    for (const machine of this.all) found.push(await listStore(join(copy, `${machine}`)))
    rmSync(copy, { recursive: true, force: true })
    return found
  }

  kill(): void {
    this.#isOver = true
    for (const child of this.#children) child?.kill('SIGKILL')
  }

  #data(machine: number): string {
    return join(this.#dir, `${machine}`)
  }
}

/** A node has died, of which no test may be told by silence. */
function fail(why: string): never {
  throw new Error(why)
}

async function within<T>(ms: number, promise: Promise<T>, why: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${why} within ${ms} ms`)), ms)
  })
  return Promise.race([promise, tooLate]).finally(() => clearTimeout(timer))
}
