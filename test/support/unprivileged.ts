/** Commands that permission bits hold for: the superuser reads everything, unless it gives that up first. */

const CAPABILITIES = '-dac_override,-dac_read_search'

/** The command, to be started with setpriv (util-linux) where that is needed. */
export function unprivileged(command: string, args: readonly string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [command, [...args]]
  return ['setpriv', ['--bounding-set', CAPABILITIES, '--inh-caps', CAPABILITIES, command, ...args]]
}
