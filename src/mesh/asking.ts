/** Whom to ask about a range, and when to ask again: the same for calls (router.ts) and for lists (listing.ts). */

import type { PeerLink } from './peer-link.ts'

export interface AgainOptions {
  /** Between two tries, ms: doubled from the one to the other. Shorter: sooner at the new owner, more questions in vain. */
  readonly againMsMin: number
  readonly againMsMax: number
}

/** How long the next try waits after so many in vain, ms. */
export function pauseMs({ againMsMin, againMsMax }: AgainOptions, tries: number): number {
  return Math.min(againMsMax, againMsMin * 2 ** tries)
}

export interface AskingParts {
  readonly self: string
  /** This node may change tasks of the range now. */
  readonly isOpen: (range: number) => boolean
  /** The node that acts for it, as far as is known here; this one, if it is about to. */
  readonly nodeFor: (range: number) => string | undefined
  readonly link: (node: string) => PeerLink | undefined
}

/** Who is to be asked now; undefined: nobody can be. */
export function nodeToAsk({ self, isOpen, nodeFor, link }: AskingParts, range: number): string | undefined {
  if (isOpen(range)) return self
  const node = nodeFor(range)
  return node === undefined || node === self || link(node) === undefined ? undefined : node
}
