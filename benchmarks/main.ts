/**
 * `npm run bench -- NAME [--quick] [--repeat N] [--json FILE]`: runs one benchmark in real time, and prints the median
 * and the spread. Machines are shared and noisy: compare rows of one run, not runs.
 */

import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import type { Benchmark, BenchmarkResult } from './benchmark.ts'

const NAMES = [
  'throughput',
  'lateness',
  'pending',
  'precision',
  'wheel',
  'store',
  'idle',
  'placement',
  'membership',
  'mesh',
  'failover',
  'idle-mesh',
] as const

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    repeat: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
})
const [name] = positionals
if (name === undefined || !(NAMES as readonly string[]).includes(name)) {
  console.error(
    `${name === undefined ? 'which benchmark?' : `there is no benchmark "${name}"`} One of: ${NAMES.join(', ')}`,
  )
  process.exit(2)
}
const repeat = Number(values.repeat)
if (!Number.isSafeInteger(repeat) || repeat < 1) {
  console.error(`--repeat is ${values.repeat}: allowed is a whole number from 1`)
  process.exit(2)
}

const module = (await import(`./${name}.ts`)) as Record<string, Benchmark>
const benchmark = module[name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())] as Benchmark
const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`
console.log(
  `${benchmark.name}: ${benchmark.about}\n${machine}${values.quick ? ', quick (not to be quoted)' : ''}\n`,
)

const runs: BenchmarkResult[][] = []
for (let i = 0; i < repeat; i++) {
  runs.push(await benchmark.run({ quick: values.quick, say: line => console.log(`  ${line}`) }))
}
const rows = (runs[0] as BenchmarkResult[]).map((_, row) =>
  summary(runs.map(run => run[row] as BenchmarkResult)),
)
console.table(Object.fromEntries(rows.map(({ name: row, ...figures }) => [row, figures])))
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine, quick: values.quick, results: runs.flat() }, null, 2)}\n`,
  )
process.exit(0)

/** The median of each figure over the runs, with least and most where there are several. */
function summary(results: BenchmarkResult[]): Record<string, unknown> & { name: string } {
  const out: Record<string, unknown> & { name: string } = { name: results[0]?.name ?? '' }
  for (const field of Object.keys(results[0] ?? {})) {
    const figures = results
      .map(result => result[field])
      .filter(value => typeof value === 'number')
      .sort((a, b) => a - b)
    if (figures.length === 0) continue
    const [least, middle, most] = [figures[0], figures[figures.length >> 1], figures.at(-1)].map(figure =>
      shown(figure as number),
    )
    out[field] = results.length === 1 ? middle : `${middle} (${least}-${most})`
  }
  return out
}

function shown(figure: number): string {
  if (Math.abs(figure) >= 1000) return Math.round(figure).toLocaleString('en-US')
  return Number(figure.toPrecision(3)).toString()
}
