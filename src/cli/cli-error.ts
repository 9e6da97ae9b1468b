/** How a command ends: exit codes, and the error that says why in the CLI's own words. */

export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const

/** What went wrong, in the CLI's own words; it ends the command. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exit: number
  readonly code: string

  constructor(exit: number, code: string, message: string) {
    super(message)
    this.exit = exit
    this.code = code
  }
}

/** A value that the user gave and that can't be used. */
export function wrongUse(message: string): CliError {
  return new CliError(EXIT.usage, 'INVALID', message)
}
