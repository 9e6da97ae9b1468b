/**
 * Listing: the tasks of the whole mesh, a page at a time, in the order of (range, id). Each range is told by a node that acts
 * for it while it reads; the cursor is a place in that order, and means the same at every node. So a range that moves
 * between two pages, or within one, is gone on with at its next owner behind the last id: nothing that stays as it is can be
 * missed or come twice.
 *
 * Who is asked for one range tells of all its ranges from there on, as much as still fits: so a page of a mesh with few tasks
 * costs a question to each node, and one of a mesh with many a question to one.
 */

import { CarillonError, isCarillonError } from '../errors.ts'
import { CorruptBytes } from '../lib/bytes.ts'
import type { Clock } from '../ports/clock.ts'
import type { Place } from '../store/index-reader.ts'
import type { TaskView } from '../task/views.ts'
import {
  type CallAnswers,
  rangesFrom,
  rangesText,
  type TaskFilter,
  type TasksRequest,
} from '../wire/calls.ts'
import { parseJson } from '../wire/frame.ts'
import { cursorOf, LAST_ID, placeOf } from '../work/queries.ts'
import { type AgainOptions, pauseMs } from './asking.ts'
import type { PeerLink } from './peer-link.ts'

export interface ListingOptions extends AgainOptions {
  readonly callDeadlineMs: number
}

export interface ListingParts {
  readonly clock: Clock
  readonly self: string
  readonly ranges: number
  readonly rangeOf: (id: string) => number
  /** Who is to be asked about a range; undefined: nobody can be now. */
  readonly target: (range: number) => string | undefined
  readonly link: (node: string) => PeerLink | undefined
  readonly here: (request: TasksRequest) => Promise<CallAnswers['tasks']>
}

/** What a node has told. */
interface Told {
  readonly from: Place
  readonly tasks: readonly TaskView[]
  readonly ranges: ReadonlySet<number>
  /** So far; undefined: to the end. */
  readonly to: Place | undefined
  readonly bytes: number
}

const LIMIT_MAX = 1000
/** A page that has grown to this is short. */
const PAGE_BYTES = 8 * 1024 * 1024
/** A page that has something is not held up longer by a range that nobody acts for, ms. */
const SHORT_AFTER_MS = 1000

export class Listing {
  readonly #parts: ListingParts
  readonly #options: ListingOptions

  constructor(parts: ListingParts, options: ListingOptions) {
    this.#parts = parts
    this.#options = options
  }

  async page(filter: TaskFilter, after: string | undefined, limit: number): Promise<CallAnswers['tasks']> {
    const { clock, ranges } = this.#parts
    const { callDeadlineMs } = this.#options
    const max = Math.min(Math.max(1, limit), LIMIT_MAX)
    const from = after === undefined ? startOf(0) : given(placeOf(after))
    const beganAt = clock.monotonic()
    const heard = new Map<string, Told>()
    const tasks: TaskView[] = []
    let place = from
    let bytes = 0
    let failures = 0
    while (place.range < ranges) {
      if (tasks.length >= max) return { tasks, after: cursor(place) }
      const told = [...heard.values()].find(each => covers(each, place))
      if (told !== undefined) {
        place = this.#take(told, place, max, tasks)
        failures = 0
        continue
      }
      // What was told is taken first: else a page that is large at once would be asked for for ever.
      if (bytes >= PAGE_BYTES && place !== from) return { tasks, after: cursor(place) }
      const node = this.#parts.target(place.range)
      const left = beganAt + callDeadlineMs - clock.monotonic()
      let answer: Told | CarillonError
      if (node === undefined) answer = nobody(place.range)
      else answer = await this.#ask(node, filter, place, max - tasks.length, Math.max(1, left))
      if (!(answer instanceof CarillonError)) {
        heard.set(node as string, answer)
        bytes += answer.bytes
        if (covers(answer, place)) continue
      }
      const waited = clock.monotonic() - beganAt
      if (place !== from && waited >= SHORT_AFTER_MS) return { tasks, after: cursor(place) }
      if (waited >= callDeadlineMs)
        throw gaveUp(place.range, ranges, node, answer instanceof CarillonError ? answer : undefined, waited)
      const afterMs = pauseMs(this.#options, failures++)
      await new Promise<void>(resolve => clock.setTimer(afterMs, resolve))
    }
    return { tasks, after: null }
  }

  /** Takes what was told of the range at hand; returns where it goes on. */
  #take(told: Told, place: Place, max: number, tasks: TaskView[]): Place {
    const { range } = place
    for (const task of told.tasks) {
      if (this.#parts.rangeOf(task.id) !== range || task.id <= place.id) continue
      tasks.push(task)
      if (tasks.length >= max) return { range, id: task.id }
    }
    return told.to?.range === range ? given(told.to) : startOf(range + 1)
  }

  /** What failed for a reason that passes is told, everything else is thrown. */
  async #ask(
    node: string,
    filter: TaskFilter,
    from: Place,
    limit: number,
    withinMs: number,
  ): Promise<Told | CarillonError> {
    const { self, ranges, here } = this.#parts
    const wanted = rangesText(Array.from({ length: ranges - from.range }, (_, i) => from.range + i))
    const after = from.id === '' && from.range === 0 ? undefined : cursor(from)
    const request: TasksRequest = { method: 'tasks', filter, after, limit, ranges: wanted }
    try {
      if (node === self) return toldOf(await here(request), from, 0)
      const json = await this.#askFar(node, request, withinMs)
      return toldOf(parseJson(json) as CallAnswers['tasks'] | null, from, json.length)
    } catch (error) {
      if (isCarillonError(error) && PASSING.has(error.code)) return error
      if (node === self) throw error
      // Its disk is its own trouble, and so is what it says that can't be read: another node may act soon.
      if (error instanceof CorruptBytes || isCarillonError(error, 'STORE_FAILED'))
        return new CarillonError('UNREACHABLE', `node ${node} can not list: ${error.message}`, {
          cause: error,
        })
      throw error
    }
  }

  #askFar(node: string, request: TasksRequest, withinMs: number): Promise<string> {
    const { clock, link } = this.#parts
    return new Promise((resolve, reject) => {
      const peer = link(node)
      if (peer === undefined) return reject(unanswered(node))
      if (peer.isFull)
        return reject(new CarillonError('TOO_MANY', `node ${node} has too many calls unanswered`))
      let call = 0
      const timer = clock.setTimer(withinMs, () => {
        peer.forget(call)
        reject(unanswered(node))
      })
      const ends = (end: () => void): void => {
        timer.cancel()
        end()
      }
      call = peer.call(request, {
        answered: json => ends(() => resolve(json)),
        refused: error => ends(() => reject(error)),
        lost: () => ends(() => reject(unanswered(node))),
        scheduled: () => undefined,
      })
    })
  }
}

const PASSING: ReadonlySet<string> = new Set(['NOT_OWNER', 'UNREACHABLE', 'CLOSED', 'TOO_MANY'])

/** The answer of another node may be of any shape. Throws CorruptBytes. */
function toldOf(answer: CallAnswers['tasks'] | null, from: Place, bytes: number): Told {
  const { tasks, after, ranges } = answer ?? NO_ANSWER
  const isPlain = Array.isArray(tasks) && tasks.every(task => typeof task?.id === 'string')
  if (!isPlain || (after !== null && typeof after !== 'string'))
    throw new CorruptBytes('a page of tasks that can not be read')
  return { from, tasks, ranges: rangesFrom(ranges), to: after === null ? undefined : toldTo(after), bytes }
}

const NO_ANSWER: { readonly [field in keyof CallAnswers['tasks']]?: undefined } = {}

function toldTo(after: string): Place {
  try {
    return placeOf(after)
  } catch (cause) {
    throw new CorruptBytes('a page of tasks that ends nowhere', { cause })
  }
}

function covers({ ranges, from, to }: Told, place: Place): boolean {
  if (!ranges.has(place.range) || isBefore(place, from)) return false
  return to === undefined || isBefore(place, to)
}

function isBefore(a: Place, b: Place): boolean {
  return a.range !== b.range ? a.range < b.range : a.id < b.id
}

/** Before all of a range. */
function startOf(range: number): Place {
  return { range, id: '' }
}

function given(place: Place): Place {
  return place.id === LAST_ID ? startOf(place.range + 1) : place
}

function cursor({ range, id }: Place): string {
  return id === '' ? cursorOf({ range: range - 1, id: LAST_ID }) : cursorOf({ range, id })
}

function nobody(range: number): CarillonError {
  return new CarillonError('NOT_OWNER', `no node acts for range ${range} now`)
}

function unanswered(node: string): CarillonError {
  return new CarillonError('UNREACHABLE', `node ${node} does not answer`)
}

function gaveUp(
  range: number,
  ranges: number,
  node: string | undefined,
  cause: CarillonError | undefined,
  waitedMs: number,
): CarillonError {
  const why = cause?.message ?? `node ${node} was asked, and does not act for it`
  return new CarillonError(
    'NOT_OWNER',
    `the tasks of range ${range} (of ${ranges}) can not be listed: ${why}, for ${Math.round(waitedMs)} ms; ask again with the same cursor once it has an owner`,
    { cause },
  )
}
