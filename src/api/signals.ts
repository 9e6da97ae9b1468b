/**
 * SIGINT and SIGTERM for programs that are nothing but a node: the first closes it, a second ends the process at once.
 * A terminal and a process manager often send the same signal twice at once, so equal ones within 100 ms count once.
 */

const SAME_MS = 100
const SIGNALS = ['SIGINT', 'SIGTERM'] as const
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const

/** Takes the signals until the node is closed. */
export function closeOnSignals(node: { readonly closed: Promise<void>; close(): Promise<void> }): void {
  let first: { signal: string; at: number } | undefined
  const onSignal = (signal: (typeof SIGNALS)[number]): void => {
    const now = performance.now()
    if (first === undefined) {
      first = { signal, at: now }
      node.close().then(
        () => process.exit(0),
        () => process.exit(1),
      )
    } else if (signal !== first.signal || now - first.at > SAME_MS) process.exit(EXIT_CODES[signal])
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  node.closed.then(stop, stop)
  function stop(): void {
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
}
