/**
 * The simulator's command line: `npm run sim -- --seed 7`. It prints the seed and the options before anything else,
 * and how to replay when something is found; the same options give the same run, hash for hash.
 */

import { type Options, readOptions, USAGE } from './command-line.ts'
import { huntAll } from './hunts.ts'
import { MESH_MUTANTS } from './mesh/mutants.ts'
import { runMesh } from './mesh/world.ts'
import { MUTANTS } from './mutants/index.ts'
import { runSeeds, type SeedRunner } from './seeds.ts'
import { runSeed } from './world.ts'

process.exitCode = await main(process.argv.slice(2))

async function main(args: string[]): Promise<number> {
  let options: Options
  try {
    options = readOptions(args)
  } catch (error) {
    console.error(`sim: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`)
    return 2
  }
  if (options.help) {
    console.log(USAGE)
    return 0
  }
  if (options.mutants) return (await huntAll(options)) ? 0 : 1
  return (await runSeeds(options, options.isMesh ? meshRunner(options) : nodeRunner(options))) ? 0 : 1
}

/** One whole node, its users and its disk. */
function nodeRunner({ minutes, mix, trace, verbose, html, mutant: name }: Options): SeedRunner {
  const mutant = MUTANTS.find(each => each.name === name)
  return {
    run: (seed, isAgain) =>
      runSeed({
        seed,
        minutes,
        mix,
        mutant,
        ...(isAgain ? {} : { traceFile: trace, verbose, recorded: html !== undefined }),
      }),
    options: name === undefined ? '' : ` --mutant ${name}`,
    title: name === undefined ? '' : `, mutant ${name}`,
    work: ({ counters }) => `${counters.attempts ?? 0} attempts`,
  }
}

/** A mesh of engines. */
function meshRunner({ minutes, mix, trace, verbose, html, nodes, mutant: name }: Options): SeedRunner {
  const mutant = MESH_MUTANTS.find(each => each.name === name)
  const [option, title] = name === undefined ? ['', ''] : [` --mutant ${name}`, `, mutant ${name}`]
  return {
    run: (seed, isAgain) =>
      runMesh({
        seed,
        minutes,
        mix,
        nodes,
        mutant,
        ...(isAgain ? {} : { traceFile: trace, verbose, recorded: html !== undefined }),
      }),
    options: `${nodes === undefined ? ' --mesh' : ` --nodes ${nodes}`}${option}`,
    title: `${nodes === undefined ? ', meshes' : `, meshes of ${nodes}`}${title}`,
    work: ({ counters }) => `${counters.nodes ?? 0} nodes, ${counters.views ?? 0} views`,
  }
}
