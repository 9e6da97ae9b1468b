/** `npm run soak -- NAME`: what takes too long for `npm test`. Each prints a line for docs/evidence.md. */

import { parseArgs } from 'node:util'
import { crash } from './crash.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kills: { type: 'string', default: '200' }, seed: { type: 'string' } },
})
const [name] = positionals
if (name !== 'crash') {
  console.error(`${name === undefined ? 'which soak?' : `there is no soak "${name}"`} One of: crash`)
  process.exit(2)
}
const kills = Number(values.kills)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
if (!Number.isSafeInteger(kills) || kills < 1 || !Number.isSafeInteger(seed)) {
  console.error(
    `--kills ${values.kills} --seed ${values.seed ?? seed}: allowed are whole numbers, kills from 1`,
  )
  process.exit(2)
}
const failures = await crash({ kills, seed })
for (const failure of failures.slice(0, 20)) console.error(`FAILED: ${failure}`)
process.exit(failures.length === 0 ? 0 : 1)
