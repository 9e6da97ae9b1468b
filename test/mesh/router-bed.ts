/**
 * A router between clients and nodes that are stubs: who acts for which range, and when links are lost, is the test's.
 * The nodes share what was carried out, as those of a mesh do: a request that comes again changes nothing.
 */

import { VirtualClock } from '../../sim/virtual-clock.ts'
import { CarillonError } from '../../src/errors.ts'
import type { LinkAsker, PeerLink } from '../../src/mesh/peer-link.ts'
import type { Client, TaskRequest } from '../../src/mesh/routed-call.ts'
import { Router, type RouterOptions } from '../../src/mesh/router.ts'
import type { Definition } from '../../src/task/definition.ts'
import type { Results } from '../../src/work/creation.ts'
import { type Round, Rounds } from '../../src/work/rounds.ts'

export const DEADLINE_MS = 1000
const LATENCY_MS = 5

interface Asked {
  readonly round: Round
  readonly keys: readonly string[]
  readonly isBatch: boolean
  readonly done: (answer: 'lost' | 'NOT_DURABLE' | Array<CarillonError | undefined>) => void
  readonly isWait?: boolean
}

export class StubLink {
  readonly #bed: RouterBed
  readonly node: string
  readonly pending = new Map<number, Asked>()
  isOpen = true
  isFull = false
  forgotten = 0
  heard: () => void = () => undefined
  #next = 1
  /** Of the session there. */
  readonly #rounds = new Rounds()

  constructor(bed: RouterBed, node: string) {
    this.#bed = bed
    this.node = node
  }

  schedule(definitions: readonly Definition[], _: number, asker: LinkAsker, round: number): void {
    this.#ask(keysOf(definitions), true, false, asker, round)
  }

  call(request: TaskRequest, asker: LinkAsker, round: number): number {
    return this.#ask([keyOf(request)], false, request.method === 'result', asker, round)
  }

  forget(number: number): void {
    if (this.pending.delete(number)) this.forgotten++
  }

  lose(): void {
    this.isOpen = false
    const pending = [...this.pending.values()]
    this.pending.clear()
    for (const { done } of pending) done('lost')
  }

  #ask(keys: readonly string[], isBatch: boolean, isWait: boolean, asker: LinkAsker, round: number): number {
    const number = this.#next++
    this.pending.set(number, {
      round: this.#rounds.at(round),
      keys,
      isBatch,
      isWait,
      done: answer => {
        if (answer === 'lost') asker.lost()
        else if (answer === 'NOT_DURABLE') asker.refused(new CarillonError('NOT_DURABLE', 'too few'))
        else if (isBatch) asker.scheduled(answer, 2)
        else if (answer[0] === undefined) asker.answered('{}')
        else asker.refused(answer[0])
      },
    })
    this.#bed.clock.setTimer(LATENCY_MS, () => this.#arrived(number))
    return number
  }

  #arrived(number: number): void {
    const asked = this.pending.get(number)
    if (asked === undefined || this.#bed.isMute(this.node)) return
    this.heard()
    const results = asked.keys.map(key => this.#bed.carryOut(this.node, key, asked.round))
    if (asked.isWait === true && results[0] === undefined && !this.#bed.ends) return
    this.#bed.clock.setTimer(LATENCY_MS, () => {
      if (!this.pending.delete(number)) return
      asked.done(results)
    })
  }
}

/** The answers to one client's calls, by number. */
export class StubClient implements Client {
  readonly answers = new Map<number, Array<ReadonlyArray<CarillonError | undefined>>>()

  scheduled(call: number, results: Results, count: number): void {
    const errors = Array.from({ length: count }, (_, i) => {
      const result = results[i]
      return result instanceof CarillonError ? result : undefined
    })
    this.#answered(call, errors)
  }

  answerText(call: number): void {
    this.#answered(call, [undefined])
  }

  refuse(call: number, error: unknown): void {
    this.#answered(call, [error as CarillonError])
  }

  #answered(call: number, results: ReadonlyArray<CarillonError | undefined>): void {
    this.answers.set(call, [...(this.answers.get(call) ?? []), results])
  }
}

export class RouterBed {
  readonly clock = new VirtualClock()
  readonly links = new Map<string, StubLink>()
  /** By range; 'here' is this node. */
  readonly owners: Array<string | undefined>
  /** Nodes that do not answer. */
  readonly mute = new Set<string>()
  readonly done: string[] = []
  readonly #doneSet = new Set<string>()
  readonly router: Router
  /** What `result` waits for has come. */
  ends = true
  /** Nodes name as owner whoever this says. */
  hint: (range: number) => string | undefined = range => this.owners[range]
  known: (range: number) => string | undefined = range => this.owners[range]
  forgottenHere = 0

  constructor(ranges: number, options: Partial<RouterOptions> = {}) {
    this.owners = new Array<string | undefined>(ranges).fill(undefined)
    this.router = new Router(
      {
        clock: this.clock,
        self: 'here',
        rangeOf: id => Number(id.split('-')[0]),
        isOpen: range => this.owners[range] === 'here',
        nodeFor: range => this.known(range),
        link: node => this.links.get(node) as unknown as PeerLink | undefined,
        scheduleHere: (definitions, _, asker, round) => {
          const results = keysOf(definitions).map(key => this.carryOut('here', key, round))
          this.clock.setTimer(LATENCY_MS, () => asker.scheduled(results, 2))
          return results.every(result => result === undefined)
        },
        callHere: (request, asker, round) => {
          const result = this.carryOut('here', keyOf(request), round)
          if (result === undefined && request.method === 'result' && !this.ends) return
          this.clock.setTimer(LATENCY_MS, () =>
            result === undefined ? asker.answer(0, {}) : asker.refuse(0, result),
          )
        },
        forgetHere: () => {
          this.forgottenHere++
        },
      },
      {
        callDeadlineMs: DEADLINE_MS,
        againMsMin: 20,
        againMsMax: 100,
        callsMax: 1e6,
        bytesMax: 1e9,
        ...options,
      },
    )
  }

  open(node: string): StubLink {
    const link = new StubLink(this, node)
    this.links.set(node, link)
    this.router.hurry()
    return link
  }

  lose(node: string): void {
    const link = this.links.get(node)
    this.links.delete(node)
    link?.lose()
  }

  isMute(node: string): boolean {
    return this.mute.has(node)
  }

  /** Keys are `range-client-call-item`, questions end in `?`. */
  carryOut(node: string, key: string, round: Round): CarillonError | undefined {
    const range = Number(key.split('-')[0])
    const own =
      this.owners[range] === node
        ? undefined
        : new CarillonError('NOT_OWNER', `not ${node}`, { owner: this.hint(range) })
    const refusal = key.endsWith('?') ? round.question(range, own) : round.change(range, own)
    if (refusal !== undefined) return refusal
    if (!key.endsWith('?') && !this.#doneSet.has(key)) {
      this.#doneSet.add(key)
      this.done.push(key)
    }
    return undefined
  }
}

export function definition(id: string): Definition {
  return { id, start: 0, end: id.length } as unknown as Definition
}

function keysOf(definitions: readonly Definition[]): string[] {
  return definitions.map(({ id }) => id)
}

function keyOf({ id, method }: TaskRequest): string {
  return method === 'cancel' ? id : `${id}?`
}
