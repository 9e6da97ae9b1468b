/**
 * The simulator's command line: `npm run sim -- --seed 7`. It prints the seed and the options before anything else,
 * and how to replay when something is found; the same options give the same run, hash for hash.
 */

import { type Options, readOptions, USAGE } from './command-line.ts'
import { MESH_MUTANTS } from './mesh/mutants.ts'
import { runMesh } from './mesh/world.ts'
import { hunt } from './mutants/index.ts'
import { runnerOf } from './runners.ts'
import { runSeeds } from './seeds.ts'
import { saveScenario, shrinkTo } from './shrinking.ts'

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
  if (options.mutants) return huntAll(options)
  if (options.saveScenario !== undefined) return saveScenario(options, options.saveScenario)
  if (options.shrink !== undefined) return shrinkTo(options, options.shrink)
  return (await runSeeds(options, runnerOf(options), args)) ? 0 : 1
}

async function huntAll({ seed, seeds, minutes, isMesh, nodes }: Options): Promise<number> {
  console.log(`mutants, seeds ${seed} to ${seed + seeds - 1}, ${minutes} virtual minutes each`)
  let escaped = 0
  const options = { seed, seeds, minutes }
  const hunts = isMesh ? hunt(options, MESH_MUTANTS, run => runMesh({ ...run, nodes })) : hunt(options)
  for await (const { mutant, found } of hunts) {
    if (found === undefined) escaped++
    const how = found === undefined ? 'ESCAPED' : `found by seed ${found.seed}: ${found.by.split('\n')[0]}`
    console.log(`${mutant.name.padEnd(28)} ${how}`)
  }
  console.log(escaped === 0 ? 'every mutant was found' : `${escaped} mutants escaped`)
  return escaped === 0 ? 0 : 1
}
