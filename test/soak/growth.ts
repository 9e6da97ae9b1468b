/** Whether a measure grows for as long as something runs: what rises in the beginning and stays there is no growth. */

/** By how much the last third lies above the third before it, as a share of that; medians, so that a peak says nothing. */
export function growthOf(samples: readonly number[]): number {
  const third = Math.floor(samples.length / 3)
  if (third === 0) return Number.NaN
  const [middle, last] = [samples.slice(-2 * third, -third), samples.slice(-third)].map(median) as [
    number,
    number,
  ]
  return (last - middle) / middle
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[half] as number)
    : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2
}
