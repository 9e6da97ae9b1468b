/** A process that runs the seeds it is told (jobs.ts), with the options of the same command line. */

import { readOptions } from './command-line.ts'
import type { Ask, Said } from './jobs.ts'
import { runnerOf } from './runners.ts'

const runner = runnerOf(readOptions(process.argv.slice(2)))

process.on('message', ({ seed, isAgain }: Ask) => {
  runner.run(seed, isAgain).then((said: Said) => process.send?.(said))
})
// Whoever asked has gone, however it went.
process.on('disconnect', () => process.exit(1))
