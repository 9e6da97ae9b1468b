/** Ids that are made of texts of any length. */

import { createHash } from 'node:crypto'

/** 160 bits of SHA-256, as 40 hex digits: two texts with one hash are not to be feared. */
export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 40)
}
