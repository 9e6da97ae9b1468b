/** A real terminal: bash under a tmux server of its own, typed into as a person does, and read as one sees it. */

import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const COLUMNS = 100
const ROWS = 50
const PROMPT = '$ '

export interface TerminalOptions {
  readonly folder: string
  readonly scratch: string
  readonly environment: Readonly<Record<string, string>>
}

export class Terminal {
  readonly #socket: string
  readonly #window: string
  /** Lines of the screen, and above it, that were there before the command at hand. */
  #seen = 0

  private constructor(socket: string, window: string) {
    this.#socket = socket
    this.#window = window
  }

  static isThere(): boolean {
    try {
      execFileSync('tmux', ['-V'])
      return true
    } catch {
      return false
    }
  }

  static async open(name: string, { folder, scratch, environment }: TerminalOptions): Promise<Terminal> {
    const socket = join(scratch, `tmux-${name}`)
    const rc = join(scratch, `bashrc-${name}`)
    // In the shell's own file, as a machine's profile may set some of them anew. The shell tells each time that it
    // waits for the next command.
    const variables = Object.entries(environment).map(([key, value]) => `export ${key}='${value}'\n`)
    writeFileSync(
      rc,
      `${variables.join('')}PS1='${PROMPT}'; PS2='> '; HISTFILE=; PROMPT_COMMAND='tmux -S ${socket} wait-for -S ready-${name}'\n`,
    )
    const size = ['-x', String(COLUMNS), '-y', String(ROWS)]
    const shell = `bash --noprofile --rcfile ${rc}`
    await run('tmux', [
      '-S',
      socket,
      '-f',
      '/dev/null',
      'start-server',
      ';',
      'set',
      '-g',
      'history-limit',
      '50000',
      ';',
      'new-session',
      '-d',
      '-s',
      name,
      ...size,
      '-c',
      folder,
      shell,
    ])
    const terminal = new Terminal(socket, name)
    await terminal.#ready()
    terminal.#seen = (await terminal.#lines()).length - 1
    return terminal
  }

  /** Types the command, waits until the shell is ready for the next one, and returns what was printed between. */
  async type(command: string, limitMs: number): Promise<string[]> {
    await this.start(command)
    await this.#ready(limitMs)
    const printed = await this.printed()
    this.#seen += printed.length
    return printed.slice(0, -1)
  }

  /** Types a command that stays. */
  async start(command: string): Promise<void> {
    this.#seen = (await this.#lines()).length - 1
    for (const line of command.split('\n')) {
      await this.#tmux('send-keys', '-t', this.#window, '-l', line)
      await this.#tmux('send-keys', '-t', this.#window, 'Enter')
    }
    this.#seen += command.split('\n').length
  }

  /** What it has printed so far, since the command was typed. */
  async printed(): Promise<string[]> {
    return (await this.#lines()).slice(this.#seen)
  }

  async waitFor(pattern: RegExp, limitMs: number): Promise<void> {
    const until = performance.now() + limitMs
    for (;;) {
      const printed = (await this.printed()).join('\n')
      if (pattern.test(printed)) return
      if (performance.now() > until) throw new Error(`nothing that fits ${pattern} was printed:\n${printed}`)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  /** Ctrl-C; resolves when the shell has its terminal back, with all that was printed since the command. */
  async interrupt(limitMs: number): Promise<string[]> {
    await this.#tmux('send-keys', '-t', this.#window, 'C-c')
    await this.#ready(limitMs)
    return (await this.printed()).slice(0, -1)
  }

  async close(): Promise<void> {
    await this.#tmux('kill-server').catch(() => undefined)
  }

  async #ready(limitMs = 10_000): Promise<void> {
    await run('tmux', ['-S', this.#socket, 'wait-for', `ready-${this.#window}`], { timeout: limitMs })
    // The signal comes just before the prompt.
    const until = performance.now() + limitMs
    while ((await this.#lines()).at(-1) !== PROMPT.trimEnd()) {
      if (performance.now() > until) throw new Error('the shell shows no prompt')
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }

  /** Wrapped lines joined; the empty rest of the screen left out. */
  async #lines(): Promise<string[]> {
    const { stdout } = await this.#tmux('capture-pane', '-p', '-J', '-S', '-', '-t', this.#window)
    const lines = stdout.split('\n').map(line => line.trimEnd())
    while (lines.at(-1) === '') lines.pop()
    return lines
  }

  #tmux(...args: string[]): Promise<{ stdout: string }> {
    return run('tmux', ['-S', this.#socket, ...args], { maxBuffer: 64 * 1024 * 1024 })
  }
}
