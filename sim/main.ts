/**
 * The simulator's command line: `npm run sim -- --seed 7`. It prints the seed and the options before anything else,
 * and how to replay when something is found; the same options give the same run, hash for hash.
 */

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { hunt, MUTANTS } from './mutants/index.ts'
import { MIXES, type RunResult, runSeed } from './world.ts'

const USAGE = `npm run sim -- [options]
  --seed N              the first seed (default 1)
  --seeds COUNT         how many seeds, one after the other (default 1)
  --minutes M           virtual minutes with faults, of each seed (default 3)
  --mix NAME            ${Object.keys(MIXES).join(', ')} (default all)
  --json FILE           writes the figures there
  --trace FILE          writes what happens there (the last seed's stays)
  --verbose             prints what happens
  --check-determinism   runs each seed twice and compares (the first seed always is)
  --mutant NAME         puts a known bug in
  --mutants             puts known bugs in, one by one, and looks whether they are found within --seeds (default 20)`

interface Options {
  readonly seed: number
  readonly seeds: number
  readonly minutes: number
  readonly mix: string
  readonly json: string | undefined
  readonly trace: string | undefined
  readonly verbose: boolean
  readonly determinism: boolean
  readonly mutant: string | undefined
  readonly mutants: boolean
}

const options = readOptions(process.argv.slice(2))
process.exitCode = options.mutants ? await huntAll(options) : await runAll(options)

async function runAll({
  seed: first,
  seeds,
  minutes,
  mix,
  json,
  trace,
  verbose,
  determinism,
  mutant: name,
}: Options): Promise<number> {
  const broken = name === undefined ? '' : `, mutant ${name}`
  console.log(`seeds ${first} to ${first + seeds - 1}, ${minutes} virtual minutes each, mix ${mix}${broken}`)
  const mutant = MUTANTS.find(each => each.name === name)
  const from = performance.now()
  const totals: Record<string, number> = {}
  const failed: number[] = []
  let virtualMs = 0
  let events = 0
  for (let seed = first; seed < first + seeds; seed++) {
    const result = await runSeed({ seed, minutes, mix, traceFile: trace, verbose, mutant })
    const faults = [...result.faults]
    if (determinism || seed === first) {
      const again = await runSeed({ seed, minutes, mix, mutant })
      if (again.hash !== result.hash) faults.push(`not deterministic: ${result.hash}, then ${again.hash}`)
    }
    for (const [name, count] of Object.entries(result.counters)) {
      totals[name] =
        name === 'lateness max' ? Math.max(totals[name] ?? 0, count) : (totals[name] ?? 0) + count
    }
    virtualMs += result.virtualMs
    events += result.events
    if (faults.length > 0) {
      failed.push(seed)
      const option = name === undefined ? '' : ` --mutant ${name}`
      report(result, faults, `npm run sim -- --seed ${seed} --minutes ${minutes} --mix ${mix}${option}`)
    }
    if (verbose || seeds <= 20)
      console.log(
        `seed ${seed}: ${faults.length === 0 ? 'passed' : 'FAILED'}, hash ${result.hash}, ${result.counters.attempts ?? 0} attempts`,
      )
    else if ((seed - first + 1) % 100 === 0)
      console.log(
        `${seed - first + 1} seeds, ${failed.length} failed, ${((performance.now() - from) / 1000).toFixed(0)} s`,
      )
  }
  const wallMs = performance.now() - from
  console.log(summary({ first, seeds, minutes, mix, failed, virtualMs, wallMs, events, totals }))
  if (json !== undefined)
    writeFileSync(
      json,
      JSON.stringify({ first, seeds, minutes, mix, failed, virtualMs, wallMs, events, totals }, null, 2),
    )
  return failed.length === 0 ? 0 : 1
}

interface Summary {
  readonly first: number
  readonly seeds: number
  readonly minutes: number
  readonly mix: string
  readonly failed: readonly number[]
  readonly virtualMs: number
  readonly wallMs: number
  readonly events: number
  readonly totals: Readonly<Record<string, number>>
}

function summary({ first, seeds, mix, failed, virtualMs, wallMs, events, totals }: Summary): string {
  const hours = (virtualMs / 3_600_000).toFixed(1)
  const counts = Object.entries(totals)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
  return [
    `${seeds} seeds from ${first}, mix ${mix}: ${seeds - failed.length} passed, ${failed.length} failed${failed.length === 0 ? '' : ` (${failed.slice(0, 20).join(', ')})`}`,
    `${hours} virtual hours in ${(wallMs / 1000).toFixed(1)} s (${(virtualMs / wallMs).toFixed(0)} times real time), ${events} events`,
    counts.join(', '),
  ].join('\n')
}

function report(result: RunResult, faults: readonly string[], replay: string): void {
  console.log(`\nseed ${result.seed} FAILED:`)
  for (const fault of faults) console.log(`  - ${fault}`)
  console.log('the latest that happened:')
  for (const line of result.latest.slice(-40)) console.log(`  ${line}`)
  console.log(`replay: ${replay}\n`)
}

async function huntAll({ seed, seeds, minutes }: Options): Promise<number> {
  console.log(`mutants, seeds ${seed} to ${seed + seeds - 1}, ${minutes} virtual minutes each`)
  let escaped = 0
  for await (const { mutant, found } of hunt({ seed, seeds, minutes })) {
    if (found === undefined) escaped++
    const how = found === undefined ? 'ESCAPED' : `found by seed ${found.seed}: ${found.by.split('\n')[0]}`
    console.log(`${mutant.name.padEnd(28)} ${how}`)
  }
  console.log(escaped === 0 ? 'every mutant was found' : `${escaped} mutants escaped`)
  return escaped === 0 ? 0 : 1
}

function readOptions(args: string[]): Options {
  try {
    const { values } = parseArgs({
      args,
      options: {
        seed: { type: 'string' },
        seeds: { type: 'string' },
        minutes: { type: 'string' },
        mix: { type: 'string', default: 'all' },
        json: { type: 'string' },
        trace: { type: 'string' },
        verbose: { type: 'boolean', default: false },
        'check-determinism': { type: 'boolean', default: false },
        mutant: { type: 'string' },
        mutants: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      console.log(USAGE)
      process.exit(0)
    }
    if (MIXES[values.mix] === undefined)
      throw new Error(`--mix is "${values.mix}"; known are ${Object.keys(MIXES).join(', ')}`)
    const names = MUTANTS.map(mutant => mutant.name)
    if (values.mutant !== undefined && !names.includes(values.mutant))
      throw new Error(`--mutant is "${values.mutant}"; known are ${names.join(', ')}`)
    return {
      seed: number('seed', values.seed, 1),
      seeds: number('seeds', values.seeds, values.mutants ? 20 : 1),
      minutes: number('minutes', values.minutes, 3),
      mix: values.mix,
      json: values.json,
      trace: values.trace,
      verbose: values.verbose,
      determinism: values['check-determinism'],
      mutant: values.mutant,
      mutants: values.mutants,
    }
  } catch (error) {
    console.error(`sim: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`)
    process.exit(2)
  }
}

function number(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} is "${text}"; allowed is a whole number from 0`)
  return value
}
