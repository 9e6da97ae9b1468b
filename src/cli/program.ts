/**
 * The parser of the command line, made from the list of commands. Whatever ends a command - a wrong flag, a refusal of
 * the node, a fault of our own - is said here in one line, with an exit code.
 */

import { readFileSync } from 'node:fs'
import { Argument, Command, CommanderError, Option } from 'commander'
import { EXIT, wrongUse } from './cli-error.ts'
import type { CommandSpec, OptionSpec, Values } from './command.ts'
import { COMMANDS } from './commands.ts'
import { Context, hasColour, type World } from './context.ts'

const WIDTH = 100
const ABOUT = `Schedule tasks, run crontabs, and see what became of them.

A command finds its node by --join (any of a mesh), then --url, then CARILLON_URL,
then the data directory (--data, CARILLON_DATA, ./carillon-data) of a node on this
machine.`
const EXIT_TEXT = 'Exit codes: 0 done, 1 refused or failed, 2 wrong usage or input, 3 no node reached.'
const EXAMPLES = [
  'carillon up --handlers handlers.ts --crontab crontab',
  'carillon schedule email.send --after 10m',
  'carillon ls',
  "carillon preview '0 9 * * 1-5' --tz Europe/Paris",
]

/** Runs one command line, without the program's own name; resolves with the exit code. */
export async function runProgram(argv: readonly string[], world: World): Promise<number> {
  const context = new Context(world, isJson(argv))
  let exit: number = EXIT.done
  const program = programOf(world, async (spec, words, values) => {
    const action = await spec.load()
    exit = await action(context, words, values)
  })
  try {
    if (argv.length === 0) await context.say(program.helpInformation() + helpTail(EXAMPLES, EXIT_TEXT))
    else await program.parseAsync(argv, { from: 'user' })
    return exit
  } catch (error) {
    if (!(error instanceof CommanderError)) return context.fail(error)
    if (error.exitCode === 0) return EXIT.done
    // A group without its command: its help was asked for, in a way.
    const what = error.code === 'commander.help' ? 'a command is missing' : plainMessage(error.message)
    const asked = COMMANDS.map(({ name }) => name).find(name => `${argv.join(' ')} `.startsWith(`${name} `))
    const see = `see \`carillon${asked === undefined ? '' : ` ${asked}`} --help\``
    return context.fail(wrongUse(`${what}; ${see}`))
  } finally {
    await context.end()
  }
}

/** The help of a command, or of the program for '', at a fixed width: for the reference. */
export function helpOf(name: string): string {
  let text = ''
  const stream = {
    write(more: string) {
      text += more
      return true
    },
  }
  const program = programOf({ stdout: stream, stderr: stream, env: {} }, async () => undefined)
  const words = name === '' ? [] : name.split(' ')
  try {
    program.parse([...words, '--help'], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error
  }
  return text.trimEnd()
}

type Call = (spec: CommandSpec, words: readonly string[], values: Values) => Promise<void>

function programOf(world: Pick<World, 'stdout' | 'stderr' | 'env'>, call: Call): Command {
  const settle = (command: Command): Command =>
    command
      .exitOverride()
      .helpOption('-h, --help', 'show help and examples')
      .helpCommand(false)
      .configureOutput({
        writeOut: text => void world.stdout.write(text),
        // Commander writes its errors here; they are told once, in one line, by who catches them.
        writeErr: () => undefined,
        outputError: () => undefined,
        getOutHelpWidth: () => (world.stdout.isTTY === true ? (world.stdout.columns ?? WIDTH) : WIDTH),
        getOutHasColors: () => hasColour(world.stdout, world.env),
      })
      .showSuggestionAfterError()
  const program = settle(new Command('carillon'))
    .description(ABOUT)
    .usage('<command> [options]')
    .version(version(), '-V, --version', 'print the version')
    .addHelpText('after', helpTail(EXAMPLES, EXIT_TEXT))
  const groups = new Map<string, Command>()
  for (const spec of COMMANDS) {
    const [first = '', second] = spec.name.split(' ')
    let parent = program
    if (second !== undefined) {
      parent = groups.get(first) ?? settle(program.command(first)).description(spec.summary)
      groups.set(first, parent)
    }
    const command = settle(parent.command(second ?? first))
      .summary(spec.summary)
      .description(
        spec.details === undefined
          ? `${capital(spec.summary)}.`
          : `${capital(spec.summary)}.\n\n${spec.details}`,
      )
      .addHelpText('after', helpTail(spec.examples))
    for (const word of spec.words) {
      const name = word.many === true ? `${word.name}...` : word.name
      const argument = new Argument(word.optional === true ? `[${name}]` : `<${name}>`, word.text)
      if (word.choices !== undefined) argument.choices(word.choices)
      command.addArgument(argument)
    }
    for (const option of spec.options) command.addOption(optionOf(option))
    command.action(async (...given: unknown[]) => {
      // The words, then the values, then the command itself.
      const words = given
        .slice(0, -2)
        .flat()
        .filter(word => word !== undefined) as string[]
      await call(spec, words, given.at(-2) as Values)
    })
  }
  return program
}

function optionOf(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.text)
  if (spec.choices !== undefined) option.choices(spec.choices)
  if (spec.many === true) option.argParser<readonly string[]>((value, before) => [...(before ?? []), value])
  return option
}

/** What follows the help, after a blank line. */
function helpTail(examples: readonly string[], more = ''): string {
  const list = examples.map(example => `  $ ${example}`).join('\n')
  return `\nExamples:\n${list}${more === '' ? '' : `\n\n${more}`}`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** "error: unknown option '--x'\n(Did you mean --y?)" without its dress. */
function plainMessage(message: string): string {
  return message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\(Did you mean (.*)\?\)/, '(did you mean $1?)')
    .replace(/[.]$/, '')
}

function isJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json')
}

function version(): string {
  const path = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}
