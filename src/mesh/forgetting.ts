/** Whom an operator means who wants stores forgotten. */

import { CarillonError } from '../errors.ts'
import type { ViewStore } from '../membership/view.ts'

/** A shorter piece of an id is more likely a slip of the hand. */
const PIECE_LENGTH_MIN = 6

/**
 * The stores that are to go: one, by the beginning of its id, or all of a node that are not live, by the end of the node's id
 * (as `peers` prints it) or all of it.
 */
export function storesToForget(stores: readonly ViewStore[], who: string): ViewStore[] {
  const isPiece = who.length >= PIECE_LENGTH_MIN
  const found = stores.filter(
    ({ store, node }) => node === who || (isPiece && (store.startsWith(who) || node.endsWith(who))),
  )
  const [first] = found
  if (first === undefined) throw new CarillonError('NOT_FOUND', `no store and no node of the mesh is ${who}`)
  if (found.some(({ node }) => node !== first.node))
    throw new CarillonError('CONFLICT', `${who} is more than one node: give more of its id`)
  const dead = found.filter(({ state }) => state !== 'live')
  if (dead.length > 0) return dead
  throw new CarillonError(
    'CONFLICT',
    `${who} is live: it leaves by a drain, and only what is not live is forgotten`,
  )
}
