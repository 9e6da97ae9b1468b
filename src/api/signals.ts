/**
 * SIGINT and SIGTERM for programs that are nothing but a node: the first closes it, a second ends the process at once.
 * A terminal and a process manager often send the same signal twice at once, so equal ones within 100 ms count once.
 *
 * Hazard: Node tells of signals in the main thread. While a handler blocks it, they wait; two that came meanwhile are
 * told together, and count once if they are equal.
 */

const SAME_MS = 100
const SIGNALS = ['SIGINT', 'SIGTERM'] as const
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const

export type StopSignal = (typeof SIGNALS)[number]

export interface SignalOptions {
  /** How long running handlers may go on after the first signal. Default: that of close(). */
  readonly graceMs?: number | undefined
  /** Told of the first signal, before anything is closed. */
  readonly onStop?: ((signal: StopSignal) => void) | undefined
  /** Told when all is closed, or could not be; gives the exit code. Default: 0, or 1 after an error. */
  readonly onClosed?: ((error: unknown) => number) | undefined
}

/** Takes the signals until the node is closed. */
export function closeOnSignals(
  node: {
    readonly closed: Promise<void>
    close(options?: { readonly graceMs?: number | undefined }): Promise<void>
  },
  options: SignalOptions = {},
): void {
  const { graceMs, onStop, onClosed = error => (error === undefined ? 0 : 1) } = options
  let first: { signal: string; at: number } | undefined
  const onSignal = (signal: StopSignal): void => {
    const now = performance.now()
    if (first === undefined) {
      first = { signal, at: now }
      onStop?.(signal)
      node.close(graceMs === undefined ? {} : { graceMs }).then(
        () => process.exit(onClosed(undefined)),
        error => process.exit(onClosed(error)),
      )
    } else if (signal !== first.signal || now - first.at > SAME_MS) process.exit(EXIT_CODES[signal])
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  // While it closes, a second signal must still be heard: only a node that closed by itself lets them go.
  const stop = (): void => {
    if (first === undefined) for (const signal of SIGNALS) process.off(signal, onSignal)
  }
  node.closed.then(stop, stop)
}
