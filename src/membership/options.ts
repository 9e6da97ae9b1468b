/** What membership is told by who assembles it, and what it tells. Values come from config.ts; the defaults stand here. */

import { CarillonError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Network } from '../ports/network.ts'
import type { Random } from '../ports/random.ts'
import type { Store } from '../ports/store.ts'
import { EXPECT_MAX, type RefusalCode, type Role } from './messages.ts'
import { ADDRESS_LENGTH_MAX, WEIGHT_MAX, ZONE_LENGTH_MAX } from './record-codec.ts'
import type { TimingProfile } from './timings.ts'
import type { MemberRecord, StoreId, View } from './view.ts'

export interface MembershipLimits {
  /** Most stores in the roster. More: a longer full state, and more connections. Default: 1,024. */
  readonly membersMax: number
  /** Most removal marks; beyond, the oldest goes, and a cut longer than that may bring a store back. Default: 10,000. */
  readonly marksMax: number
  /** Most pieces of news that wait; beyond, what was sent most goes, and the push-pull repairs it. Default: 4,096. */
  readonly newsMax: number
  /** Bytes of news in a ping or an ack. Higher: faster spread under churn, larger frames. Default: 512. */
  readonly piggybackBytes: number
  /** Bytes of a frame of news, or of a chunk of a full state. Lower than a packet loses less at a time. Default: 16 KiB. */
  readonly chunkBytes: number
  /** Most probes made for others at one time. Default: 64. */
  readonly relaysMax: number
  /** Most peers that said hello and are not admitted; one more waits for its answer. Default: 128. */
  readonly strangersMax: number
}

export interface MembershipOptions {
  /** Addresses of any members. */
  readonly join: readonly string[]
  /** How many stores found the mesh together; undefined: this one founds alone (without `join`), or never. */
  readonly expect: number | undefined
  /**
   * Asked of a fresh store that has `join` and no `expect`: whether it may found a mesh alone, as it stands for all that could be
   * found there. Default: it may not.
   */
  readonly foundsAlone?: (() => boolean) | undefined
  readonly role: Role
  readonly profile: TimingProfile
  /** Where this node stands: copies of a range go to distinct zones first. ASCII. Default: ''. */
  readonly zone: string
  /** Share of the ranges, relative to others. Default: 1. */
  readonly weight: number
  /** Q, fixed when the mesh is founded; who joins takes the mesh's. Default: 256. */
  readonly ranges: number
  /** R, likewise. Default: 3. */
  readonly replicas: number
  /**
   * How long a store is away before its data move, ms. Lower: a restart costs copies; higher: fewer copies for longer.
   * Default: 60,000.
   */
  readonly goneAfterMs: number
  readonly limits: MembershipLimits
  /** Whether a store that asks may be admitted; asked of a member. Default: yes. */
  readonly mayAdmit?: ((peer: { readonly node: string; readonly store: StoreId }) => boolean) | undefined
}

export const DEFAULT_MEMBERSHIP_OPTIONS: MembershipOptions = {
  join: [],
  expect: undefined,
  role: 'node',
  profile: 'lan',
  zone: '',
  weight: 1,
  ranges: 256,
  replicas: 3,
  goneAfterMs: 60_000,
  limits: {
    membersMax: 1024,
    marksMax: 10_000,
    newsMax: 4096,
    piggybackBytes: 512,
    chunkBytes: 16 * 1024,
    relaysMax: 64,
    strangersMax: 128,
  },
}

export interface MembershipPorts {
  readonly clock: Clock
  readonly random: Random
  readonly network: Pick<
    Network,
    'self' | 'addresses' | 'frameBytesMax' | 'connect' | 'forget' | 'isSought' | 'disconnect' | 'send'
  >
  /** Open; membership uses the keys that begin with `v`. */
  readonly store: Pick<Store, 'getMany' | 'cursor' | 'write'>
}

/** This process, as its store knows it (store/meta.ts): boot and start id are on disk before it is handed over. */
export interface MembershipSelf {
  readonly node: string
  readonly store: StoreId
  readonly boot: number
  /** 16 hex digits. */
  readonly startId: string
  /** The highest journal sequence that is synced. */
  readonly journalSeq: () => number
}

/** What this start says of itself. */
export function ownRecord(
  { store, node, boot, startId }: MembershipSelf,
  { zone, weight }: MembershipOptions,
  addresses: readonly string[],
): MemberRecord {
  return { store, node, zone, weight, addresses, boot, startId, incarnation: 0, state: 'live' }
}

/** What membership tells. Never called inside a call of membership. */
export interface MembershipHost {
  viewChanged(view: View): void
  /** The first accusation of a live member that we made or heard. */
  suspected(store: StoreId): void
  /** A trial ended without a verdict, or we refuted one against ourselves. */
  refuted(store: StoreId): void
  /** This store belongs to a mesh from now on; called at each start. */
  founded(mesh: { readonly meshId: string; readonly ranges: number; readonly replicas: number }): void
  /** Somebody does not let us in, or we had to stop; `line` is for the operator. Told once for each reason. */
  refused(code: RefusalCode, line: string): void
  /** This store went back in time: it owns nothing any more, and has to be started with a new store id. */
  rolledBack(line: string): void
  /** The disk failed, or an invariant is broken: membership has stopped. */
  failed(error: unknown): void
}

export function checkOptions(options: MembershipOptions): void {
  const { expect, zone, weight, replicas, ranges, join } = options
  if (expect !== undefined && !(Number.isInteger(expect) && expect >= 1 && expect <= EXPECT_MAX)) {
    throw invalid('expect', `an integer from 1 to ${EXPECT_MAX}`, expect)
  }
  if (!/^[\x20-\x7e]*$/.test(zone) || zone.length > ZONE_LENGTH_MAX) {
    throw invalid('zone', `up to ${ZONE_LENGTH_MAX} ASCII characters`, zone)
  }
  if (!(Number.isInteger(weight) && weight >= 1 && weight <= WEIGHT_MAX)) {
    throw invalid('weight', `an integer from 1 to ${WEIGHT_MAX}`, weight)
  }
  if (!(Number.isInteger(replicas) && replicas >= 1 && replicas <= 16)) {
    throw invalid('replicas', 'an integer from 1 to 16', replicas)
  }
  if (!(Number.isInteger(ranges) && ranges >= 1 && ranges <= 65_536)) {
    throw invalid('ranges', 'an integer from 1 to 65,536', ranges)
  }
  for (const address of join) {
    if (address === '' || address.length > ADDRESS_LENGTH_MAX) {
      throw invalid('join', `addresses of up to ${ADDRESS_LENGTH_MAX} characters`, address)
    }
  }
}

function invalid(field: string, allowed: string, value: unknown): CarillonError {
  return new CarillonError('INVALID', `${field} must be ${allowed}, got ${JSON.stringify(value)}`, { field })
}
