/** Ids that the library makes begin with the time at which they are made, so that they sort by it. */

/** Nine letters and digits; below every id that is made at that time or later. Epoch ms. */
export function idHeadOf(ms: number): string {
  return Math.floor(ms).toString(36).padStart(9, '0')
}
