/**
 * A histogram of latencies in ms with a bounded relative error: each power of two is cut into 64 equal buckets, so a
 * percentile is wrong by at most 1.6 %. 32 KiB, whatever is recorded.
 */

const SUB = 64
/** From 2^-10 ms, about a microsecond, to 2^50 ms. */
const EXPONENT_MIN = -10
const EXPONENTS = 60

export class Histogram {
  readonly #counts = new Float64Array(EXPONENTS * SUB)
  #count = 0
  #sum = 0
  #max = 0

  /** Negative values count as 0. */
  record(value: number, count = 1): void {
    const at = bucketOf(value)
    this.#counts[at] = (this.#counts[at] as number) + count
    this.#count += count
    this.#sum += value * count
    if (value > this.#max) this.#max = value
  }

  get count(): number {
    return this.#count
  }

  get max(): number {
    return this.#max
  }

  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  /** The value that `percent` of the recorded ones do not exceed; 0 if nothing was recorded. */
  percentile(percent: number): number {
    let left = Math.ceil((this.#count * percent) / 100)
    if (this.#count === 0) return 0
    for (const [at, count] of this.#counts.entries()) {
      left -= count
      if (left <= 0 && count > 0) return Math.min(this.#max, upperOf(at))
    }
    return this.#max
  }

  merge(other: Histogram): void {
    for (const [at, count] of other.#counts.entries()) this.#counts[at] = (this.#counts[at] as number) + count
    this.#count += other.#count
    this.#sum += other.#sum
    this.#max = Math.max(this.#max, other.#max)
  }

  reset(): void {
    this.#counts.fill(0)
    this.#count = 0
    this.#sum = 0
    this.#max = 0
  }
}

function bucketOf(value: number): number {
  if (!(value >= 2 ** EXPONENT_MIN)) return 0
  const exponent = Math.min(EXPONENTS - 1, Math.floor(Math.log2(value)) - EXPONENT_MIN)
  const share = value / 2 ** (exponent + EXPONENT_MIN) - 1
  return exponent * SUB + Math.min(SUB - 1, Math.max(0, Math.floor(share * SUB)))
}

function upperOf(bucket: number): number {
  const exponent = Math.floor(bucket / SUB)
  return 2 ** (exponent + EXPONENT_MIN) * (1 + ((bucket % SUB) + 1) / SUB)
}
