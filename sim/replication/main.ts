/** `node sim/replication/main.ts --seeds N [--seed FIRST] [--mix NAME]`: the explorer of replication; prints each seed that fails. */

import { parseArgs } from 'node:util'
import { type Mix, runSeed } from './world.ts'

const { values } = parseArgs({
  options: { seeds: { type: 'string' }, seed: { type: 'string' }, mix: { type: 'string' } },
})
const first = Number(values.seed ?? 1)
const count = Number(values.seeds ?? 100)
const began = performance.now()
let failed = 0
const mixes = values.mix === undefined ? undefined : (values.mix as Mix)
for (let seed = first; seed < first + count; seed++) {
  const broken = runSeed(seed, mixes)
  if (broken.length === 0) continue
  failed++
  console.log(`seed ${seed}: ${broken.slice(0, 4).join('\n  ')}`)
}
console.log(`${count} seeds, ${failed} failed, ${Math.round(performance.now() - began)} ms`)
process.exit(failed === 0 ? 0 : 1)
