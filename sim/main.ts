/**
 * The simulator's command line: `npm run sim -- --seed 7`. It prints the seed and the options before anything else,
 * and how to replay when something is found; the same options give the same run, hash for hash.
 */

import { type Options, readOptions, USAGE } from './command-line.ts'
import { huntAll } from './hunts.ts'
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
  if (options.mutants) return (await huntAll(options)) ? 0 : 1
  if (options.saveScenario !== undefined) return saveScenario(options, options.saveScenario)
  if (options.shrink !== undefined) return shrinkTo(options, options.shrink)
  return (await runSeeds(options, runnerOf(options), args)) ? 0 : 1
}
