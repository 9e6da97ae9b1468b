/** What the simulator's command line takes, read and checked. */

import { parseArgs } from 'node:util'
import { MESH_MIXES } from './mesh/mixes.ts'
import { MESH_MUTANTS } from './mesh/mutants.ts'
import { MUTANTS } from './mutants/index.ts'
import { REPLICATION_MUTANTS } from './replication/mutants.ts'
import { MIXES } from './world.ts'

export const USAGE = `npm run sim -- [options]
  --seed N              the first seed (default 1)
  --seeds COUNT         how many seeds, one after the other (default 1)
  --minutes M           virtual minutes with faults, of each seed (default 3, for mutants 2)
  --mix NAME            ${Object.keys(MIXES).join(', ')} (default all);
                        of a mesh ${Object.keys(MESH_MIXES).join(', ')}
  --mesh                a mesh of engines instead of one node with its users; its size is a draw
  --nodes COUNT         the same with so many nodes: 1, or 3 and more
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
  readonly minutes: number
  readonly mix: string
  readonly isMesh: boolean
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
      minutes: { type: 'string' },
      mix: { type: 'string', default: 'all' },
      mesh: { type: 'boolean', default: false },
      nodes: { type: 'string' },
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
  const isMesh = values.mesh || values.nodes !== undefined
  const mixes = Object.keys(isMesh ? MESH_MIXES : MIXES)
  if (!mixes.includes(values.mix)) {
    throw new Error(`--mix is "${values.mix}"; known ${isMesh ? 'of a mesh ' : ''}are ${mixes.join(', ')}`)
  }
  const all = [...MUTANTS, ...MESH_MUTANTS, ...REPLICATION_MUTANTS]
  const known = isMesh ? MESH_MUTANTS : values.mutants ? all : MUTANTS
  const names = new Set(known.map(mutant => mutant.name))
  for (const name of values.mutant?.split(values.mutants ? ',' : /$/) ?? [])
    if (!names.has(name)) throw new Error(`--mutant is "${name}"; known are ${[...names].join(', ')}`)
  return {
    seed: number('seed', values.seed, 1, 0),
    seeds: number('seeds', values.seeds, values.mutants ? 2000 : 1, 0),
    minutes: minutesOf(values.minutes ?? (values.mutants ? '2' : '3')),
    mix: values.mix,
    isMesh,
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
