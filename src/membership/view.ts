/**
 * What is known of each member, and how two opinions of it become one. A record is a point of a join: the higher boot
 * wins, then the higher incarnation, then the worse state; so any order of exchange ends in the same view (PROTOCOLS A).
 * Only the member itself raises boot and incarnation; anybody may say a worse state.
 *
 * A suspect is no state here but a trial (suspicion.ts): it counts as live until it ends.
 */

export type StoreId = string & { readonly __brand: 'StoreId' }

export type MemberState = 'live' | 'away' | 'gone'

/** From better to worse; the index is also the byte on the wire. */
export const MEMBER_STATES: readonly MemberState[] = ['live', 'away', 'gone']

export interface MemberRecord {
  /** 32 hex digits. */
  readonly store: StoreId
  /** The node id that the network proves. */
  readonly node: string
  readonly zone: string
  readonly weight: number
  readonly addresses: readonly string[]
  readonly boot: number
  /** 16 hex digits; fixed for a boot. */
  readonly startId: string
  readonly incarnation: number
  readonly state: MemberState
}

/** A store as the ring and the operator see it. */
export interface ViewStore {
  readonly store: StoreId
  readonly node: string
  readonly boot: number
  /** 16 hex digits: names the boot's changes. */
  readonly startId: string
  readonly state: MemberState
  readonly zone: string
  readonly weight: number
  readonly addresses: readonly string[]
}

/** The roster with a state per store: a value, never changed. */
export interface View {
  /** 16 hex digits; equal for equal content, without any order. */
  readonly id: string
  /** 32 hex digits; undefined before the founding. */
  readonly meshId: string | undefined
  readonly ranges: number
  readonly replicas: number
  /** Sorted by store id. */
  readonly stores: readonly ViewStore[]
}

export function badness(state: MemberState): number {
  return MEMBER_STATES.indexOf(state)
}

/** Negative if `b` is the later word about the store, positive if `a` is; 0 only for equal records. */
export function compareRecords(a: MemberRecord, b: MemberRecord): number {
  return (
    a.boot - b.boot ||
    a.incarnation - b.incarnation ||
    badness(a.state) - badness(b.state) ||
    compareDetails(a, b)
  )
}

/** The later word about one store. */
export function joinRecords(a: MemberRecord, b: MemberRecord): MemberRecord {
  return compareRecords(a, b) >= 0 ? a : b
}

/** Details are fixed for a boot. Should two differ all the same, everybody chooses the same ones. */
function compareDetails(a: MemberRecord, b: MemberRecord): number {
  const left = detailsOf(a)
  const right = detailsOf(b)
  return left < right ? -1 : left > right ? 1 : 0
}

function detailsOf({ node, zone, weight, addresses, startId }: MemberRecord): string {
  return JSON.stringify([startId, node, zone, weight, addresses])
}

export function viewStoreOf(record: MemberRecord): ViewStore {
  const { store, node, boot, startId, state, zone, weight, addresses } = record
  return { store, node, boot, startId, state, zone, weight, addresses }
}
