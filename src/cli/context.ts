/**
 * What a command has around it: streams, environment, clock and the way to a node, all given, so that a test runs a
 * command in its own process and reads what it printed. Says who may see colour, and keeps control characters of
 * payloads and logs away from the terminal.
 */

import { readFile } from 'node:fs/promises'
import { styleText } from 'node:util'
import { isCarillonError } from '../errors.ts'
import { CliError, EXIT, wrongUse } from './cli-error.ts'
import type { Nodes } from './remote.ts'
import { printable } from './text-width.ts'

export interface Output {
  /** False: wait for 'drain'. */
  write(text: string): boolean
  once?(event: 'drain', listener: () => void): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

/** The machine, as far as the CLI sees it. */
export interface World {
  readonly stdout: Output
  readonly stderr: Output
  readonly stdin: AsyncIterable<string | Uint8Array>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly now: () => number
  /** This machine's IANA zone: the one that people read times in. */
  readonly zone: string
  readonly nodes: Nodes
  /** Resolves after that long. */
  readonly sleep: (ms: number) => Promise<void>
  /** Called when nobody reads what is printed any more (`carillon up | head`); without it the process ends. */
  onBrokenPipe?: (() => void) | undefined
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

const UNREACHABLE = new Set([
  'UNREACHABLE',
  'UNAUTHORIZED',
  'NOT_CONNECTED',
  'SECRET_DIFFERS',
  'OTHER_MESH',
  'OTHER_VERSION',
  'TOKEN_REFUSED',
])
const STDIN_BYTES_MAX = 256 * 1024 * 1024

export class Context {
  readonly world: World
  readonly json: boolean
  readonly #outColour: boolean
  readonly #errColour: boolean
  readonly #ends: (() => Promise<void>)[] = []

  constructor(world: World, json: boolean) {
    this.world = world
    this.json = json
    this.#outColour = hasColour(world.stdout, world.env)
    this.#errColour = hasColour(world.stderr, world.env)
  }

  get now(): number {
    return this.world.now()
  }

  get zone(): string {
    return this.world.zone
  }

  /** Columns of the terminal; undefined where there is none, and nothing is cut. */
  get width(): number | undefined {
    const { isTTY, columns } = this.world.stdout
    return isTTY === true ? Math.max(40, columns ?? 80) : undefined
  }

  /** What is to be closed once the command is over. */
  atEnd(close: () => Promise<void>): void {
    this.#ends.push(close)
  }

  async end(): Promise<void> {
    // The command has said how it ended.
    for (const close of this.#ends.splice(0)) await close().catch(() => undefined)
  }

  /** A line, or lines, on stdout; waits while its reader is slow. */
  async say(text: string): Promise<void> {
    const { stdout } = this.world
    if (stdout.write(`${text}\n`) || stdout.once === undefined) return
    await new Promise<void>(resolve => stdout.once?.('drain', resolve))
  }

  /** For people only: not with --json. */
  async tell(text: string): Promise<void> {
    if (!this.json) await this.say(text)
  }

  /** A value for programs, one line. */
  async data(value: unknown): Promise<void> {
    await this.say(JSON.stringify(value))
  }

  /** A remark on stderr. */
  warn(text: string): void {
    this.world.stderr.write(`${printable(text)}\n`)
  }

  paint(style: Style, text: string): string {
    return this.#outColour ? styleText(style, text, { validateStream: false }) : text
  }

  /** Says what ended the command, in one line, and gives the exit code. */
  fail(error: unknown): number {
    const { code, message, exit } = faultOf(error)
    const { stderr, env } = this.world
    if (this.json) stderr.write(`${JSON.stringify({ error: { code, message } })}\n`)
    else {
      const name = this.#errColour ? styleText('red', 'carillon:', { validateStream: false }) : 'carillon:'
      stderr.write(`${name} ${message}\n`)
    }
    if (env.CARILLON_DEBUG === '1' && error instanceof Error) stderr.write(`${error.stack}\n`)
    return exit
  }

  /** The text of a file, or of stdin for `-`. `what` names it in a refusal: 'the crontab'. */
  async read(path: string, what: string): Promise<string> {
    if (path !== '-')
      return readFile(path, 'utf8').catch(error => Promise.reject(unreadable(error, path, what)))
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of this.world.stdin) {
      const buffer = Buffer.from(chunk as Uint8Array)
      bytes += buffer.length
      if (bytes > STDIN_BYTES_MAX) throw wrongUse(`${what} on stdin has more than ${STDIN_BYTES_MAX} bytes`)
      chunks.push(buffer)
    }
    return Buffer.concat(chunks).toString('utf8')
  }
}

/** Why a file can't be read, and what to do. */
export function unreadable(error: unknown, path: string, what: string): CliError {
  const { code, message } = error as NodeJS.ErrnoException
  const named = `${what} ${path}`
  if (code === 'ENOENT') return wrongUse(`${named} is not there: check the path`)
  if (code === 'EISDIR') return wrongUse(`${named} is a directory: name a file`)
  if (code === 'EACCES' || code === 'EPERM')
    return wrongUse(`no permission to read ${named}: it must be readable by the user that runs this`)
  return wrongUse(`${named} can't be read: ${message}`)
}

export interface Fault {
  readonly code: string
  readonly message: string
  readonly exit: number
}

/** Any error, as one line and an exit code; never a stack trace. */
export function faultOf(error: unknown): Fault {
  if (error instanceof CliError)
    return { code: error.code, message: oneLine(error.message), exit: error.exit }
  if (isCarillonError(error)) {
    const code: string = error.code
    const exit = code === 'INVALID' ? EXIT.usage : UNREACHABLE.has(code) ? EXIT.unreachable : EXIT.failed
    return { code, message: oneLine(error.message), exit }
  }
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const message = `a fault of Carillon itself: ${why}. With CARILLON_DEBUG=1 it says where`
  return { code: 'INTERNAL', message: oneLine(message), exit: EXIT.failed }
}

function oneLine(text: string): string {
  return printable(text.trim().replace(/\s*\n\s*/g, ' '))
}

/** Colour is for terminals; NO_COLOR forbids it, FORCE_COLOR asks for it elsewhere. */
export function hasColour(output: Output, env: World['env']): boolean {
  if ((env.NO_COLOR ?? '') !== '') return false
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false'
  return output.isTTY === true && env.TERM !== 'dumb'
}
