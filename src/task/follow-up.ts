/**
 * Names of follow-up tasks: id and requestId follow from the run that asks for them, so that a run that is carried out
 * twice asks for the same, whoever carries it out, and each is made once.
 */

import { hash32 } from '../lib/hash.ts'
import { CALLER_BYTES } from './definition.ts'
import { hashText } from './text-hash.ts'

/** Follow-ups of follow-ups have ever longer ids: what is longer than this is told apart by its hash. */
const RUN_ID_MAX = 180

/** `index`: from 0. */
export function followUpId(runId: string, index: number): string {
  const head = runId.length <= RUN_ID_MAX ? runId : `${runId.slice(0, 60)}..${hashText(runId)}`
  return `${head}/${index + 1}`
}

/** Users' ids have no slash. */
export function isFollowUpId(id: string): boolean {
  return id.includes('/')
}

/**
 * A follow-up is asked for twice with one requestId: in the range of its run, where it waits, and in that of its id. Where
 * it waits its number is beyond all others, so that the one is not taken for the other.
 */
export function waitingNumber(requestNumber: number): number {
  return requestNumber + 2 ** 32
}

/** The caller of the requests of a run; their numbers are index + 1. */
export function callerOf(runId: string): Uint8Array {
  const bytes = new Uint8Array(CALLER_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, hash32(runId, 5))
  view.setUint32(4, hash32(runId, 6))
  return bytes
}
