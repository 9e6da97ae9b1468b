/**
 * The explorer of replication: `--seeds N [--seed FIRST] [--mix NAME]` prints each seed that fails; `--mutants [--only NAME]`
 * puts in one known bug after the other, and says after how many seeds it was found.
 */

import { parseArgs } from 'node:util'
import { hunt, REPLICATION_MUTANTS } from './mutants.ts'
import { type Mix, runSeed } from './world.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    mix: { type: 'string' },
    mutants: { type: 'boolean' },
    only: { type: 'string' },
  },
})
const first = Number(values.seed ?? 1)
const count = Number(values.seeds ?? 100)
const began = performance.now()
let failed = 0
if (values.mutants === true) {
  for (const mutant of REPLICATION_MUTANTS) {
    if (values.only !== undefined && !mutant.name.includes(values.only)) continue
    const { seeds, by } = hunt(mutant, first, count)
    if (by === undefined) failed++
    console.log(
      `${mutant.name}: ${by === undefined ? `NOT FOUND in ${seeds} seeds` : `${seeds} seeds, ${by.slice(0, 110)}`}`,
    )
  }
  process.exit(failed === 0 ? 0 : 1)
}
const mixes = values.mix === undefined ? undefined : (values.mix as Mix)
for (let seed = first; seed < first + count; seed++) {
  const broken = runSeed(seed, mixes)
  if (broken.length === 0) continue
  failed++
  console.log(`seed ${seed}: ${broken.slice(0, 4).join('\n  ')}`)
}
console.log(`${count} seeds, ${failed} failed, ${Math.round(performance.now() - began)} ms`)
process.exit(failed === 0 ? 0 : 1)
