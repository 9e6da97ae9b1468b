/** A span of time that is looked at: zooming, panning, and the ticks under it. Pure. */

export interface Span {
  readonly from: number
  readonly to: number
}

export interface Tick {
  readonly at: number
  readonly label: string
}

/** Closer than this nothing is seen any more, ms. */
const SPAN_MS_MIN = 0.5
/** How much of a span a label needs room for, in pixels. */
const TICK_PX_MIN = 90

/** Around `at`, which stays where it is; `factor` below 1 is closer. */
export function zoomed({ from, to }: Span, bounds: Span, at: number, factor: number): Span {
  const length = Math.min(Math.max((to - from) * factor, SPAN_MS_MIN), bounds.to - bounds.from)
  const share = (at - from) / (to - from)
  return within({ from: at - share * length, to: at + (1 - share) * length }, bounds)
}

export function panned({ from, to }: Span, bounds: Span, ms: number): Span {
  return within({ from: from + ms, to: to + ms }, bounds)
}

/** The span with a share of itself on both sides, and not less than `leastMs` long. */
export function padded({ from, to }: Span, bounds: Span, share: number, leastMs: number): Span {
  const length = Math.max((to - from) * (1 + 2 * share), leastMs)
  const middle = (from + to) / 2
  return within({ from: middle - length / 2, to: middle + length / 2 }, bounds)
}

/** Moved into the bounds, or as long as they are. */
export function within({ from, to }: Span, bounds: Span): Span {
  const length = Math.min(Math.max(to - from, SPAN_MS_MIN), bounds.to - bounds.from)
  const start = Math.min(Math.max(from, bounds.from), bounds.to - length)
  return { from: start, to: start + length }
}

/** 1, 2 or 5 of a power of ten, so that labels have room. */
export function ticksOf({ from, to }: Span, widthPx: number): Tick[] {
  const least = ((to - from) * TICK_PX_MIN) / Math.max(widthPx, 1)
  const power = 10 ** Math.floor(Math.log10(least))
  const step = ([1, 2, 5, 10].find(each => each * power >= least) ?? 10) * power
  const digits = step >= 1000 ? 0 : Math.min(6, Math.ceil(3 - Math.log10(step)))
  const ticks: Tick[] = []
  for (let n = Math.ceil(from / step); n * step <= to; n++) {
    ticks.push({ at: n * step, label: `${((n * step) / 1000).toFixed(digits)} s` })
  }
  return ticks
}

/** An instant as the checkers write it. */
export function instantText(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`
}

export function durationText(ms: number): string {
  if (!Number.isFinite(ms)) return 'to the end'
  if (ms < 1) return `${ms.toFixed(3)} ms`
  if (ms < 1000) return `${ms.toFixed(1)} ms`
  return ms < 120_000
    ? `${(ms / 1000).toFixed(3)} s`
    : `${Math.floor(ms / 60_000)} min ${((ms / 1000) % 60).toFixed(1)} s`
}
