/** What the simulator's command line takes, read and checked. */

import { parseArgs } from 'node:util'
import { ANY_MIX, MESH_MIXES } from './mesh/mixes.ts'
import { MESH_MUTANTS } from './mesh/mutants.ts'
import { meshBugNames } from './mesh/old-bugs.ts'
import { readScenario, type Scenario } from './mesh/scenario.ts'
import { MUTANTS } from './mutants/index.ts'
import { REPLICATION_MUTANTS } from './replication/mutants.ts'
import { MIXES } from './world.ts'

export const USAGE = `npm run sim -- [options]
  --seed N              the first seed (default 1)
  --seeds COUNT         how many seeds (default 1)
  --jobs COUNT          spreads them over so many processes (default 1); what is printed stays in order
  --minutes M           virtual minutes with faults, of each seed (default 3, for mutants 2)
  --mix NAME            ${Object.keys(MIXES).join(', ')} (default all);
                        of a mesh ${Object.keys(MESH_MIXES).join(', ')}
                        (default ${ANY_MIX}: each seed draws one)
  --mesh                a mesh of engines instead of one node with its users; each seed draws its size, 3 to 20,
                        how many copies there are, how far its nodes are apart, and what users ask for
  --nodes COUNT         the same with so many nodes: 1, or 3 and more
  --scenario FILE       runs what the file says, of a mesh (sim/scenarios); --seed gives it another chance
  --save-scenario FILE  writes the plan of a seed of a mesh there, to be changed and run again, and runs nothing
  --shrink FILE         makes a seed or a scenario that fails as small as it can, and writes it there
  --tries COUNT         runs of --shrink at most (default 300)
  --json FILE           writes the figures there
  --html FILE           writes a page to look at a run with: of the first seed that failed, or of the last
  --trace FILE          writes what happens there (the last seed's stays)
  --verbose             prints what happens
  --check-determinism   runs each seed twice and compares (the first seed always is)
  --mutant NAME         puts a known bug in; with --mesh into every engine
  --mutants             puts known bugs in, one by one: of a node, of a mesh (with --mesh those alone) and of replication,
                        or of --mutant NAME,NAME; each must be found within --seeds (default 2000)
  --hunts COUNT         so often, each with seeds of its own, for the median (default 1)`

export interface Options {
  readonly seed: number
  readonly seeds: number
  /** Processes; 1: this one. */
  readonly jobs: number
  readonly minutes: number
  readonly mix: string
  readonly isMesh: boolean
  /** Its seed and minutes are those of the options, too. */
  readonly scenario: { readonly file: string; readonly said: Scenario } | undefined
  readonly saveScenario: string | undefined
  readonly shrink: string | undefined
  readonly tries: number
  readonly nodes: number | undefined
  readonly json: string | undefined
  readonly html: string | undefined
  readonly trace: string | undefined
  readonly verbose: boolean
  readonly determinism: boolean
  readonly mutant: string | undefined
  readonly mutants: boolean
  readonly hunts: number
  readonly help: boolean
}

/** Throws an error with a line for the user. */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      jobs: { type: 'string' },
      minutes: { type: 'string' },
      mix: { type: 'string' },
      mesh: { type: 'boolean', default: false },
      nodes: { type: 'string' },
      scenario: { type: 'string' },
      'save-scenario': { type: 'string' },
      shrink: { type: 'string' },
      tries: { type: 'string' },
      json: { type: 'string' },
      html: { type: 'string' },
      trace: { type: 'string' },
      verbose: { type: 'boolean', default: false },
      'check-determinism': { type: 'boolean', default: false },
      mutant: { type: 'string' },
      mutants: { type: 'boolean', default: false },
      hunts: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const isMesh = values.mesh || values.nodes !== undefined || values.scenario !== undefined
  const mixes = isMesh ? [ANY_MIX, ...Object.keys(MESH_MIXES)] : Object.keys(MIXES)
  const mix = values.mix ?? (isMesh ? ANY_MIX : 'all')
  if (!mixes.includes(mix)) {
    throw new Error(`--mix is "${mix}"; known ${isMesh ? 'of a mesh ' : ''}are ${mixes.join(', ')}`)
  }
  const jobs = number('jobs', values.jobs, 1, 1)
  if (jobs > 1 && (values.verbose || values.mutants))
    throw new Error(`--jobs is ${jobs}; with --${values.verbose ? 'verbose' : 'mutants'} it can only be 1`)
  checkMutants(values.mutant, values.mutants, isMesh)
  const scenario = scenarioOf(values)
  for (const option of ['save-scenario', 'shrink'] as const) {
    if (values[option] !== undefined && !isMesh)
      throw new Error(`--${option} is of a mesh: say --mesh as well`)
  }
  return {
    seed: number('seed', values.seed, scenario?.said.seed ?? 1, 0),
    seeds: number('seeds', values.seeds, values.mutants ? 2000 : 1, 0),
    jobs,
    minutes: scenario?.said.minutes ?? minutesOf(values.minutes ?? (values.mutants ? '2' : '3')),
    mix,
    isMesh,
    scenario,
    saveScenario: values['save-scenario'],
    shrink: values.shrink,
    tries: number('tries', values.tries, 300, 1),
    nodes: nodesOf(values.nodes),
    json: values.json,
    html: values.html,
    trace: values.trace,
    verbose: values.verbose,
    determinism: values['check-determinism'],
    mutant: values.mutant,
    mutants: values.mutants,
    hunts: number('hunts', values.hunts, 1, 1),
    help: values.help,
  }
}

/** What it says is not said twice. */
function scenarioOf({
  scenario: file,
  ...others
}: {
  readonly scenario?: string | undefined
  readonly mix?: string | undefined
  readonly minutes?: string | undefined
  readonly nodes?: string | undefined
  readonly mutants: boolean
}): Options['scenario'] {
  if (file === undefined) return undefined
  for (const option of ['mix', 'minutes', 'nodes', 'mutants'] as const) {
    if (others[option] !== undefined && others[option] !== false)
      throw new Error(`--${option} is not allowed with --scenario: the file says it`)
  }
  return { file, said: readScenario(file) }
}

/** Of a hunt several, of a run one; what a scenario's old bug was called is one of a mesh. */
function checkMutants(said: string | undefined, isHunt: boolean, isMesh: boolean): void {
  const ofMesh = isHunt ? MESH_MUTANTS.map(({ name }) => name) : meshBugNames()
  const ofNode = MUTANTS.map(({ name }) => name)
  const all = [...ofNode, ...ofMesh, ...REPLICATION_MUTANTS.map(({ name }) => name)]
  const names = new Set(isMesh ? ofMesh : isHunt ? all : ofNode)
  for (const name of said?.split(isHunt ? ',' : /$/) ?? [])
    if (!names.has(name)) throw new Error(`--mutant is "${name}"; known are ${[...names].join(', ')}`)
}

/** Two can't agree on who is dead; one is the smallest mesh that carries tasks. */
function nodesOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '1') return text === undefined ? undefined : 1
  return number('nodes', text, 3, 3)
}

function number(name: string, text: string | undefined, fallback: number, least: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least)
    throw new Error(`--${name} is "${text}"; allowed is a whole number from ${least}`)
  return value
}

/** A part of a minute is allowed: 0.5. */
function minutesOf(text: string): number {
  const minutes = Number(text)
  if (text.trim() === '' || !Number.isFinite(minutes) || minutes < 0)
    throw new Error(`--minutes is "${text}"; allowed is a number from 0`)
  return minutes
}
