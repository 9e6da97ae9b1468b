/**
 * StoreMemory: what peers remember of a store, so that a store which forgot is found out (PROTOCOLS A, trace 27): the
 * highest boot with its start id, and the highest synced journal sequence. A disk image that was restored starts with
 * a boot that was used before, or with less of a journal than it had: its dots would name two changes.
 *
 * Invariant: two starts of one data dir with the same boot number, or a start behind what its store had synced, are
 * never both accepted by one peer.
 *
 * Two mends to the text: the sequence is compared as of the *start* (a restored store that works on for a while
 * outgrows the old mark), and a start names the starts before it (restored, it may be started twice unseen, and then
 * has a boot that nobody knows).
 */

export interface StoreMemory {
  readonly boot: number
  readonly startId: string
  /** Highest synced journal sequence that the store told of. */
  readonly journalSeq: number
}

export interface StartClaim {
  readonly boot: number
  readonly startId: string
  /** The journal's synced sequence when this boot began. */
  readonly startSeq: number
  /** And now. */
  readonly journalSeq: number
  /** Earlier starts, as far as they are told. */
  readonly starts: readonly { readonly boot: number; readonly startId: string }[]
}

export type StartVerdict =
  | { readonly ok: true; readonly memory: StoreMemory; readonly changed: boolean }
  | { readonly ok: false; readonly why: string }

/** Whether a start fits what is remembered, and what to remember now. */
export function judgeStart(memory: StoreMemory | undefined, claim: StartClaim): StartVerdict {
  const { boot, startId, startSeq, journalSeq } = claim
  if (memory === undefined) return { ok: true, memory: { boot, startId, journalSeq }, changed: true }
  if (boot < memory.boot) return { ok: false, why: `boot ${boot} comes after boot ${memory.boot}` }
  if (boot === memory.boot) {
    if (startId !== memory.startId) {
      return { ok: false, why: `boot ${boot} was started twice: ${memory.startId} and ${startId}` }
    }
    if (journalSeq <= memory.journalSeq) return { ok: true, memory, changed: false }
    return { ok: true, memory: { boot, startId, journalSeq }, changed: true }
  }
  if (startSeq < memory.journalSeq) {
    return { ok: false, why: `boot ${boot} began at journal ${startSeq}, it had synced ${memory.journalSeq}` }
  }
  const told = claim.starts.find(start => start.boot === memory.boot)
  if (told !== undefined && told.startId !== memory.startId) {
    return { ok: false, why: `it says that boot ${told.boot} was ${told.startId}, it was ${memory.startId}` }
  }
  return {
    ok: true,
    memory: { boot, startId, journalSeq: Math.max(journalSeq, memory.journalSeq) },
    changed: true,
  }
}

/** A journal sequence that came with a ping: it only raises the mark, and only of the boot that is known. */
export function withSequence(memory: StoreMemory, boot: number, journalSeq: number): StoreMemory {
  return boot !== memory.boot || journalSeq <= memory.journalSeq ? memory : { ...memory, journalSeq }
}
