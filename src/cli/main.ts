#!/usr/bin/env node
/**
 * The bin. It imports nothing before it knows that this Node is new enough: what an old one makes of the rest nobody
 * would understand. It ends the process itself, once all is written: an open connection must not keep it.
 */

try {
  await import('../check-node.ts')
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exit(1)
}

const { machine } = await import('./machine.ts')
const argv = process.argv.slice(2)
const world = machine()
const exit =
  argv[0] === 'complete'
    ? await (await import('./complete.ts')).runComplete(argv.slice(argv[1] === '--' ? 2 : 1), world)
    : await (await import('./program.ts')).runProgram(argv, world)
// In a turn of its own, as what went wrong with the last line is told after it.
process.stdout.write('', () => process.stderr.write('', () => setImmediate(() => process.exit(exit))))

export {}
