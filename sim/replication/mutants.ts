/**
 * The known bugs of replication, and the hunt for them: each must be found by some judge within some seeds, and what it
 * breaks is a rule of docs/protocols.md. A mutant is a patched method, or a flaw of the engine that the explorer stands
 * in for; nothing in src can be switched.
 */

import { Activation } from '../../src/replication/activation.ts'
import { Context } from '../../src/replication/context.ts'
import { CopyReceiver, CopySender } from '../../src/replication/copy.ts'
import { Copying } from '../../src/replication/copying.ts'
import { Round } from '../../src/replication/exchange.ts'
import type { ReplicaHost } from '../../src/replication/host.ts'
import { FormerLists } from '../../src/replication/lists.ts'
import { Peer } from '../../src/replication/peer.ts'
import { RangeReplica } from '../../src/replication/range-replica.ts'
import { Stability } from '../../src/replication/stability.ts'
import { NOT_YET, type TaskRecord } from '../../src/task/record.ts'
import type { Flaws } from './flaws.ts'
import { Process } from './process.ts'
import { type Mix, runSeed } from './world.ts'

export interface ReplicationMutant {
  readonly name: string
  readonly breaks: string
  /** What it breaks is held by another rule as well, mostly: not in 2,000 seeds (docs/protocols.md, the explorer). */
  readonly isRare?: boolean
  /** Where it shows soonest; undefined: in all. */
  readonly mix?: Mix
  readonly flaws?: Flaws
  /** Puts it in; returns how to take it out. */
  apply?(): () => void
}

type Method<T> = { [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T]

/** Replaces a method; `original` is what it was. */
function patch<T extends object, K extends Method<T> & string>(
  of: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const original = of[name]
  of[name] = make(original)
  return () => {
    of[name] = original
  }
}

function patchGetter<T extends object>(of: T, name: keyof T & string, get: (this: T) => unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(of, name) as PropertyDescriptor
  Object.defineProperty(of, name, { ...before, get })
  return () => Object.defineProperty(of, name, before)
}

export const REPLICATION_MUTANTS: readonly ReplicationMutant[] = [
  {
    name: 'custody by a stale answer',
    breaks: 'an answer to any earlier question counts, under any view',
    mix: 'moves',
    apply: () => {
      const answers = new WeakMap<RangeReplica, Map<string, Context>>()
      const undo = patch(
        Peer.prototype,
        'says',
        original =>
          function (this: Peer, context: Context, now: number) {
            original.call(this, (this.confirmed ?? Context.EMPTY).join(context), now)
          },
      )
      const undoTick = patch(
        RangeReplica.prototype,
        'tick',
        original =>
          function (this: RangeReplica, now: number) {
            const known = answers.get(this) ?? new Map<string, Context>()
            answers.set(this, known)
            for (const [store, peer] of this.peers) {
              const { confirmed } = peer
              if (confirmed !== undefined)
                known.set(store, (known.get(store) ?? Context.EMPTY).join(confirmed))
            }
            const nextAt = original.call(this, now)
            if (this.role !== 'outside' || this.list.length === 0) return nextAt
            const all = this.list.every(store => known.get(store)?.contains(this.applied) === true)
            if (all && this.synced.contains(this.applied)) this.letGo()
            return nextAt
          },
      )
      return () => {
        undo()
        undoTick()
      }
    },
  },
  {
    name: 'former lists kept local',
    isRare: true,
    breaks: 'former lists do not travel with tails',
    mix: 'moves',
    apply: () =>
      patch(
        FormerLists.prototype,
        'join',
        original =>
          function (this: FormerLists, other: FormerLists) {
            return other.all.length === 1 && other.all[0]?.retiredAt === Number.NEGATIVE_INFINITY
              ? original.call(this, other)
              : this
          },
      ),
  },
  {
    name: 'one dot instead of one per actor',
    breaks: 'a record keeps the dot of its latest actor only',
    mix: 'cuts',
    flaws: {
      applied: (record: TaskRecord) => {
        record.pastDots = []
      },
    },
  },
  {
    name: 'the context at the end of a copy',
    breaks: 'the receiver joins what the sender has when the copy ends',
    apply: () =>
      patch(
        CopySender.prototype,
        'chunk',
        original =>
          function (this: CopySender, number, host, options, at, give) {
            original.call(this, number, host, options, at, chunk => {
              const now = replicaAt(host, this.range)?.applied
              give(chunk === undefined || now === undefined ? chunk : { ...chunk, context: now })
            })
          },
      ),
  },
  {
    name: 'life forgotten with a dropped record',
    breaks: 'an id that is made again begins at the clock of its caller',
    flaws: { forgetsLives: true },
  },
  {
    name: 'writes taken before activation',
    breaks: 'calls are carried out by whoever is owner by its view',
    mix: 'crashes',
    apply: () =>
      patchGetter(RangeReplica.prototype, 'isOpen', function (this: RangeReplica) {
        return this.role === 'owner' || this.role === 'activating'
      }),
  },
  {
    name: 'fire before activation',
    breaks: 'an owner by its view acts at once',
    apply: () => patch(Activation.prototype, 'isSure', () => () => true),
  },
  {
    name: 'W from the live',
    breaks: 'a majority of those in sight acknowledges',
    mix: 'storm',
    flaws: { countsLive: true },
  },
  {
    name: 'the same boot used twice',
    breaks: 'a disk that was rolled back keeps its store id and its boot',
    flaws: { keepsRolledBack: true, repeatsActor: true },
    mix: 'storm',
  },
  {
    name: 'boot without start id',
    breaks: 'a restart after a crash that lost the boot writes under the actor of before',
    mix: 'crashes',
    flaws: { repeatsActor: true, losesBoot: true },
  },
  {
    name: 'context joined early',
    breaks: 'the context is joined with the first chunk of a copy',
    apply: () =>
      patch(
        CopyReceiver.prototype,
        'take',
        original =>
          function (this: CopyReceiver, message, taker, done) {
            original.call(this, message, taker, outcome => {
              const replica = replicaAt(taker.host, this.range)
              if (message.chunk === 0 && outcome === 'taken' && replica !== undefined)
                replica.joined(message.context, taker.host.monotonic())
              done(outcome)
            })
          },
      ),
  },
  {
    name: 'context kept after a range is dropped',
    isRare: true,
    breaks: 'custody deletes the records and leaves the context',
    mix: 'moves',
    apply: () => patch(Process.prototype, 'deleteState', () => () => undefined),
  },
  {
    name: 'merge that forgets a side',
    breaks: 'a copied record takes the place of the one that is there',
    flaws: { merge: (_, other) => other },
  },
  {
    name: 'copy that deletes early',
    breaks: 'the source of a copy lets go when it has sent the last chunk',
    mix: 'storm',
    apply: () =>
      patch(
        CopySender.prototype,
        'chunk',
        original =>
          function (this: CopySender, number, host, options, at, give) {
            original.call(this, number, host, options, at, chunk => {
              give(chunk)
              const replica = replicaAt(host, this.range)
              if (chunk !== undefined && chunk.upTo === undefined && replica?.role === 'outside')
                replica.letGo()
            })
          },
      ),
  },
  {
    name: 'follow-up not relayed',
    breaks: 'follow-ups stay in the range of their run',
    flaws: { relaysNothing: true },
  },
  {
    name: 'requestId forgotten',
    breaks: 'a request that comes again is a new one',
    flaws: { forgetsRequests: true },
    mix: 'calm',
  },
  {
    name: 'known request acknowledged at once',
    breaks: 'a known request is acknowledged without its copies',
    flaws: { trustsKnown: true },
    mix: 'storm',
  },
  {
    name: 'watermark lost',
    breaks: 'how far a record was reached is not kept',
    mix: 'calm',
    flaws: {
      applied: (record: TaskRecord) => {
        const { schedule, at } = record.definition
        record.lastAt = NOT_YET
        record.closed = NOT_YET
        record.next = schedule.kind === 'every' ? schedule.anchor : at
      },
    },
  },
  {
    name: 'a chunk accepted after custody deleted',
    breaks: 'copies go on when the range is let go',
    mix: 'moves',
    apply: () => patch(Copying.prototype, 'end', () => () => undefined),
  },
  {
    name: 'a chunk adopted after its copy had ended',
    breaks: 'what was being read for when the copy ended is taken all the same',
    mix: 'moves',
    apply: () => patch(Copying.prototype, 'isCurrent', () => () => true),
  },
  {
    name: 'answer before the sync',
    breaks: 'have and tail say what is applied',
    mix: 'crashes',
    apply: () =>
      patch(
        RangeReplica.prototype,
        'flush',
        original =>
          function (this: RangeReplica, now: number) {
            const done = original.call(this, now)
            done()
            return () => undefined
          },
      ),
  },
  {
    name: 'a round that takes any answer',
    isRare: true,
    breaks: 'answers count whatever their number',
    apply: () =>
      patch(
        Round.prototype,
        'answered',
        () =>
          function (this: Round, store, _number, answer) {
            this.answers.set(store, answer)
            return true
          },
      ),
  },
  {
    name: 'ended record dropped by confirmations alone',
    breaks: 'a record goes when all have its end, whatever else they had',
    mix: 'cuts',
    apply: () =>
      patch(
        Stability.prototype,
        'stable',
        () =>
          function (this: Stability) {
            const { list, lists, synced } = this.replica
            const stores = new Set([...list, ...lists.open.flatMap(({ members }) => members)])
            return Context.meet([synced, ...[...stores].map(store => this.replica.confirmed(store))])
          },
      ),
  },
]

function replicaAt(host: ReplicaHost, range: number): RangeReplica | undefined {
  return host instanceof Process ? host.replication.replica(range) : undefined
}

export interface Hunted {
  readonly mutant: ReplicationMutant
  readonly seeds: number
  readonly by: string | undefined
}

/** Until some judge finds it, or the seeds are over. A seed that fails without it says nothing. */
export function hunt(mutant: ReplicationMutant, first: number, seeds: number): Hunted {
  for (let i = 0; i < seeds; i++) {
    const undo = mutant.apply?.()
    let by: string | undefined
    try {
      by = runSeed(first + i, mutant.mix, mutant.flaws)[0]
    } finally {
      undo?.()
    }
    if (by !== undefined && runSeed(first + i, mutant.mix).length === 0) return { mutant, seeds: i + 1, by }
  }
  return { mutant, seeds, by: undefined }
}
