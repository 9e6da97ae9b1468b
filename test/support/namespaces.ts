/**
 * Machines in miniature: processes that each have a network of their own, joined by a switch whose ports can be cut one way
 * and made lossy. All of it is in namespaces of one process (user, net and pid; so nobody needs to be root), and the kernel
 * takes everything down with that process, however it ends: nothing has a name that others see, and nothing is left behind.
 *
 * What is cut is cut at the switch (nftables, family bridge): the machines notice nothing but silence. Linux only: needs
 * unshare (util-linux), ip (iproute2) and nft (nftables).
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Family = 'IPv4' | 'IPv6'

/** What happens to frames from one machine to another: this share is lost. */
export interface Loss {
  readonly from: number
  readonly to: number
  readonly percent: number
}

const INSIDE = 'CARILLON_TEST_NAMESPACES'
const TOOLS = ['unshare', 'ip', 'nft'] as const
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const PORT = 7400
/** Waits for its place on the switch, and then becomes the program. */
const WAITING =
  'echo apart; read -r address; ip link set lo up && ip address add $address dev eth0 && ip link set eth0 up && exec "$@"'

/**
 * Runs this very program once more, in namespaces of its own, and with a folder that is removed afterwards. Resolves with
 * its exit code. Throws if the machine can't.
 */
export async function againInNamespaces(args: readonly string[]): Promise<number> {
  for (const tool of TOOLS)
    if (spawnSync(tool, ['-V'], { stdio: 'ignore' }).error !== undefined)
      throw new Error(`${tool} is not installed: install util-linux, iproute2 and nftables`)
  const flags = [...userNamespace(), '--net', '--pid', '--fork', '--kill-child']
  const scratch = mkdtempSync(join(tmpdir(), 'carillon-namespaces-'))
  const child = spawn('unshare', [...flags, '--', process.execPath, process.argv[1] as string, ...args], {
    // It lives no longer than its standard input: so this process may be killed, too.
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...process.env, [INSIDE]: scratch },
  })
  const end = (): void => void child.kill('SIGKILL')
  for (const signal of SIGNALS) process.on(signal, end)
  try {
    const [code] = (await once(child, 'exit')) as [number | null]
    return code ?? 130
  } finally {
    for (const signal of SIGNALS) process.off(signal, end)
    rmSync(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  }
}

/** The folder for what is made here; undefined: this process is not in namespaces of its own. */
export function ownNamespaces(): string | undefined {
  const scratch = process.env[INSIDE]
  if (scratch !== undefined) process.stdin.once('end', () => process.exit(130)).resume()
  return scratch
}

/** Root needs no user namespace, where those are forbidden. */
function userNamespace(): string[] {
  const flags = ['--user', '--map-root-user']
  const tried = spawnSync('unshare', [...flags, '--net', 'true'], { encoding: 'utf8' })
  if (tried.status === 0) return flags
  if (process.getuid?.() === 0) return []
  throw new Error(`this needs root, or a kernel that lets users have namespaces: ${tried.stderr.trim()}`)
}

/** The switch, and who is on it by number. */
export class Switch {
  readonly #family: Family
  readonly #placed = new Set<number>()

  constructor(family: Family) {
    this.#family = family
    ip('link', 'add', 'switch', 'type', 'bridge', 'stp_state', '0', 'mcast_snooping', '0')
    ip('link', 'set', 'switch', 'up')
    this.lose([])
  }

  /** Where the machine of this number listens. */
  address(machine: number): string {
    return this.#family === 'IPv4' ? `${this.#ip(machine)}:${PORT}` : `[${this.#ip(machine)}]:${PORT}`
  }

  /**
   * Starts a Node program on a machine of its own; one that was there before has ended. Its standard output is for it to use,
   * and there is an IPC channel. `placed`: it is on the switch.
   */
  start(
    machine: number,
    script: string,
    args: readonly string[],
  ): { readonly child: ChildProcess; readonly placed: Promise<void> } {
    const command = ['--net', '--', 'sh', '-c', WAITING, 'sh', process.execPath, script, ...args]
    const child = spawn('unshare', command, { stdio: ['pipe', 'pipe', 'inherit', 'ipc'] })
    return { child, placed: this.#place(machine, child) }
  }

  async #place(machine: number, child: ChildProcess): Promise<void> {
    await once(child.stdout as NodeJS.ReadableStream, 'data')
    const port = `port${machine}`
    // The kernel takes the network of a process down some time after its end.
    if (this.#placed.has(machine)) spawnSync('ip', ['link', 'delete', port])
    this.#placed.add(machine)
    ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `${child.pid}`)
    ip('link', 'set', port, 'master', 'switch', 'up')
    // Nobody else is on the switch who could have the address: IPv6 need not look for a second or two.
    const address = this.#family === 'IPv4' ? `${this.#ip(machine)}/24` : `${this.#ip(machine)}/64 nodad`
    child.stdin?.write(`${address}\n`)
  }

  /** From now on, in place of what was; returns how many frames were lost by that. */
  lose(losses: readonly Loss[]): number {
    const lost = this.#lost()
    const rules = losses.map(({ from, to, percent }) => {
      const chance = percent < 100 ? `numgen random mod 100 < ${percent} ` : ''
      return `    iifname "port${from}" oifname "port${to}" ${chance}counter drop\n`
    })
    const table = `table bridge losses {
  chain forward {
    type filter hook forward priority 0; policy accept;
${rules.join('')}  }
}
`
    // Deleting needs one that is there: all three are one transaction.
    run('nft', ['-f', '-'], `table bridge losses\ndelete table bridge losses\n${table}`)
    return lost
  }

  #lost(): number {
    let frames = 0
    for (const [, count] of run('nft', ['list', 'ruleset']).matchAll(/counter packets (\d+)/g))
      frames += Number(count)
    return frames
  }

  #ip(machine: number): string {
    return this.#family === 'IPv4' ? `10.77.0.${machine + 1}` : `fd77::${machine + 1}`
  }
}

function ip(...args: readonly string[]): void {
  run('ip', args)
}

function run(command: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { input, encoding: 'utf8' })
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`, { cause: error })
  return stdout
}
