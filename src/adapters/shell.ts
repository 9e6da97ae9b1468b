/**
 * Shell tasks: runs a command of the user's in a process group of its own, so that an abort ends its children too, and
 * keeps exit code, signal, duration and the two ends of its output. Off unless the operator allows it (`commands`).
 *
 * A command whose children keep its output open does not hang: a second after its exit the output counts as complete.
 */

import { type ChildProcess, spawn } from 'node:child_process'

export interface CommandSpec {
  readonly command: string
  /** Default: `/bin/sh`. Called with `-c command`. */
  readonly shell?: string | undefined
  readonly cwd?: string | undefined
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly stdin?: string | undefined
  /** Kept of each stream, bytes. Default: 64 KiB. */
  readonly outputMaxBytes?: number | undefined
  /** From SIGTERM to SIGKILL after an abort, ms. Default: 5,000. */
  readonly killAfterMs?: number | undefined
}

export interface CommandResult {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly durationMs: number
  readonly stdout: string
  readonly stderr: string
  readonly stdoutTruncated: boolean
  readonly stderrTruncated: boolean
}

/** The command ended with another exit code than 0, or by a signal. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly result: CommandResult

  constructor(result: CommandResult) {
    const how = result.signal === null ? `exit code ${result.exitCode}` : `signal ${result.signal}`
    const last = result.stderr.trim().split('\n').at(-1) ?? ''
    super(last === '' ? how : `${how}: ${last.slice(0, 500)}`)
    this.result = result
  }
}

const OUTPUT_MAX_BYTES = 64 * 1024
const KILL_AFTER_MS = 5000
const DRAIN_MS = 1000

/** Resolves when the command has ended, however; rejects only if its shell can't be started. */
export function runCommand(spec: CommandSpec, signal: AbortSignal): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const { shell = '/bin/sh', outputMaxBytes = OUTPUT_MAX_BYTES, killAfterMs = KILL_AFTER_MS } = spec
    const startedAt = performance.now()
    const child = spawn(shell, ['-c', spec.command], {
      cwd: spec.cwd,
      env: { ...process.env, ...spec.env },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const stdout = new Ends(outputMaxBytes)
    const stderr = new Ends(outputMaxBytes)
    child.stdout.on('data', (chunk: Buffer) => stdout.add(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk))
    child.stdin.on('error', () => undefined) // a command that does not read its input is fine
    child.stdin.end(spec.stdin ?? '')
    let killTimer: NodeJS.Timeout | undefined
    let drainTimer: NodeJS.Timeout | undefined
    const abort = (): void => {
      killGroup(child, 'SIGTERM')
      killTimer = setTimeout(() => killGroup(child, 'SIGKILL'), killAfterMs)
    }
    const done = (exitCode: number | null, ended: string | null): void => {
      signal.removeEventListener('abort', abort)
      clearTimeout(killTimer)
      clearTimeout(drainTimer)
      child.stdout.destroy()
      child.stderr.destroy()
      resolve({
        exitCode,
        signal: ended,
        durationMs: Math.round(performance.now() - startedAt),
        stdout: stdout.text(),
        stderr: stderr.text(),
        stdoutTruncated: stdout.truncated,
        stderrTruncated: stderr.truncated,
      })
    }
    child.once('error', error => {
      signal.removeEventListener('abort', abort)
      reject(
        new Error(
          `${shell} can't be started${spec.cwd === undefined ? '' : ` in ${spec.cwd}`}: ${error.message}`,
          { cause: error },
        ),
      )
    })
    child.once('close', done)
    child.once('exit', (code, ended) => {
      drainTimer = setTimeout(() => done(code, ended), DRAIN_MS)
    })
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}

export interface ShellHandlerOptions {
  /** `true`: any command. Else exactly these; a trailing `*` stands for anything. */
  readonly allow: true | boolean | readonly string[]
}

/** The handler of shell tasks; its payload is a CommandSpec. A command that fails, fails the attempt. */
export function shellHandler(
  options: ShellHandlerOptions,
): (run: { readonly payload: unknown; readonly signal: AbortSignal }) => Promise<CommandResult> {
  return async run => {
    const spec = commandOf(run.payload)
    if (!isAllowed(spec.command, options.allow)) {
      throw fatal(
        `the command ${JSON.stringify(spec.command)} is not allowed on this node: its operator lists what is (commands)`,
      )
    }
    const result = await runCommand(spec, run.signal)
    if (result.exitCode !== 0) throw new CommandFailed(result)
    return result
  }
}

function isAllowed(command: string, allow: ShellHandlerOptions['allow']): boolean {
  if (typeof allow === 'boolean') return allow
  return allow.some(each => (each.endsWith('*') ? command.startsWith(each.slice(0, -1)) : command === each))
}

function commandOf(payload: unknown): CommandSpec {
  const { command, shell, cwd, env, stdin } = (payload ?? {}) as Record<string, unknown>
  if (typeof command !== 'string' || command === '')
    throw fatal('a shell task needs a command: { command: "..." }')
  for (const [field, value] of Object.entries({ shell, cwd, stdin })) {
    if (value !== undefined && typeof value !== 'string')
      throw fatal(`${field} of a shell task is a text, not ${typeof value}`)
  }
  const isEnv =
    typeof env === 'object' && env !== null && Object.values(env).every(value => typeof value === 'string')
  if (env !== undefined && !isEnv) throw fatal('env of a shell task is an object of texts')
  return {
    command,
    shell: shell as string,
    cwd: cwd as string,
    env: env as Record<string, string>,
    stdin: stdin as string,
  }
}

/** Not to be tried again. */
function fatal(message: string): Error {
  return Object.assign(new Error(message), { retryable: false })
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // It has ended already.
  }
}

/** The first and the last half of a stream, whatever comes. */
class Ends {
  readonly #half: number
  #head: Buffer = Buffer.alloc(0)
  #tail: Buffer = Buffer.alloc(0)
  truncated = false

  constructor(maxBytes: number) {
    this.#half = Math.max(1, Math.floor(maxBytes / 2))
  }

  add(chunk: Buffer): void {
    const room = this.#half - this.#head.length
    if (room > 0) this.#head = Buffer.concat([this.#head, chunk.subarray(0, room)])
    const rest = chunk.subarray(Math.max(0, room))
    if (rest.length === 0) return
    const tail = Buffer.concat([this.#tail, rest.subarray(-this.#half)])
    if (tail.length > this.#half || rest.length > this.#half) this.truncated = true
    this.#tail = tail.subarray(-this.#half)
  }

  text(): string {
    // Whole output is one text: the halves may meet within a character.
    if (!this.truncated) return Buffer.concat([this.#head, this.#tail]).toString()
    return `${this.#head.toString()}\n[...]\n${this.#tail.toString()}`
  }
}
