/**
 * What a command of the CLI is: plain data, so that one list makes the parser, the help, the completion and the
 * reference (docs/cli.md), and none of them can say something else than the others. What a command does is loaded only
 * when it is called: `carillon --help` must not open a store.
 */

import type { Context } from './context.ts'

/** What completes a word: nothing, files, directories, or what a running node knows. */
export type Completion = 'file' | 'directory' | 'task' | 'handler' | 'zone'

export interface ArgumentSpec {
  readonly name: string
  readonly text: string
  readonly optional?: boolean
  /** Takes all words that are left. */
  readonly many?: boolean
  readonly choices?: readonly string[]
  readonly completion?: Completion
}

export interface OptionSpec {
  /** As commander reads it: `--tz <zone>`, `-n, --limit <n>`, `--json`. */
  readonly flags: string
  readonly text: string
  /** May be given several times. */
  readonly many?: boolean
  readonly choices?: readonly string[]
  readonly completion?: Completion
}

/** An option's value as the parser gives it: by its long name in camel case. */
export type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>

/** Resolves with the exit code. */
export type Action = (context: Context, words: readonly string[], values: Values) => Promise<number>

export interface CommandSpec {
  /** One word, or two of which the first is a group: `import crontab`. */
  readonly name: string
  /** One line. */
  readonly summary: string
  /** More of it, in lines of at most 78 characters. */
  readonly details?: string
  readonly words: readonly ArgumentSpec[]
  readonly options: readonly OptionSpec[]
  readonly examples: readonly string[]
  readonly load: () => Promise<Action>
}

/** The long name of an option, without dashes. */
export function longName(option: OptionSpec): string {
  return /--([a-z-]+)/.exec(option.flags)?.[1] ?? ''
}

/** False for a flag alone. */
export function takesValue(option: OptionSpec): boolean {
  return /[<[]/.test(option.flags)
}
