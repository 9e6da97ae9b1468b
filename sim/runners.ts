/** What a seed runs, from the options: one node with its users, or a mesh. Made alike in each process that runs seeds. */

import type { Options } from './command-line.ts'
import { meshBug } from './mesh/old-bugs.ts'
import { runMesh, runPlan } from './mesh/run.ts'
import { planOf } from './mesh/scenario.ts'
import { MUTANTS } from './mutants/index.ts'
import type { SeedResult } from './seeds.ts'
import { runSeed } from './world.ts'

export interface SeedRunner {
  /** `isAgain`: the same once more, of which only the hash is wanted. */
  run(seed: number, isAgain: boolean): Promise<SeedResult>
  /** The options that a replay has to have beside the seed, each with a space before it. */
  readonly options: string
  /** The same in words, for the first line. */
  readonly title: string
  /** What fails can be made smaller. */
  readonly canShrink: boolean
  /** How much a seed did, in a few words. */
  work(result: SeedResult): string
}

export function runnerOf(options: Options): SeedRunner {
  if (options.scenario !== undefined) return scenarioRunner(options, options.scenario)
  return options.isMesh ? meshRunner(options) : nodeRunner(options)
}

/** A mesh as a file says it. */
function scenarioRunner(options: Options, { file, said }: NonNullable<Options['scenario']>): SeedRunner {
  const { minutes, mutant: name } = options
  const mutant = meshBug(name)
  const [option, title] = wordsOf(name)
  const plan = planOf(said)
  return {
    run: (seed, isAgain) => runPlan(plan, { seed, minutes, mutant, ...lookOf(options, seed, isAgain) }),
    options: ` --scenario ${file}${option}`,
    title: `${minutes} virtual minutes each, scenario ${file}${title}`,
    canShrink: true,
    work: workOfMesh,
  }
}

/** One whole node, its users and its disk. */
function nodeRunner(options: Options): SeedRunner {
  const { minutes, mix, mutant: name } = options
  const mutant = MUTANTS.find(each => each.name === name)
  const [option, title] = wordsOf(name)
  return {
    run: (seed, isAgain) => runSeed({ seed, minutes, mix, mutant, ...lookOf(options, seed, isAgain) }),
    options: ` --minutes ${minutes} --mix ${mix}${option}`,
    title: `${minutes} virtual minutes each, mix ${mix}${title}`,
    canShrink: false,
    work: ({ counters }) => `${counters.attempts ?? 0} attempts`,
  }
}

/** A mesh of engines. */
function meshRunner(options: Options): SeedRunner {
  const { minutes, mix, nodes, mutant: name } = options
  const mutant = meshBug(name)
  const [option, title] = wordsOf(name)
  return {
    run: (seed, isAgain) => runMesh({ seed, minutes, mix, nodes, mutant, ...lookOf(options, seed, isAgain) }),
    options: ` --minutes ${minutes} --mix ${mix}${nodes === undefined ? ' --mesh' : ` --nodes ${nodes}`}${option}`,
    title: `${minutes} virtual minutes each, mix ${mix}${nodes === undefined ? ', meshes' : `, meshes of ${nodes}`}${title}`,
    canShrink: true,
    work: workOfMesh,
  }
}

export function workOfMesh({ drawn, counters }: SeedResult): string {
  const attempts = counters.attempts === undefined ? '' : `, ${counters.attempts} attempts`
  return `${drawn}, ${counters.views ?? 0} views${attempts}`
}

function wordsOf(mutant: string | undefined): [option: string, title: string] {
  return mutant === undefined ? ['', ''] : [` --mutant ${mutant}`, `, mutant ${mutant}`]
}

/** What somebody wants to see of a run. The trace that stays is that of the last seed. */
export function lookOf(
  { trace, verbose, html, seed: first, seeds }: Options,
  seed: number,
  isAgain: boolean,
): { traceFile?: string | undefined; verbose?: boolean; recorded?: boolean } {
  if (isAgain) return {}
  return { traceFile: seed === first + seeds - 1 ? trace : undefined, verbose, recorded: html !== undefined }
}
