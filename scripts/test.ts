/**
 * `npm test`: everything that must hold before a commit, one step after another. The first step that fails ends it.
 * The last line is always the count, alone on its line: `N passed, N failed`: vitest's tests, and one for each other
 * step. A step whose tool is not installed is left out, and told in that line; in CI it fails.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

interface Step {
  readonly name: string
  /** What Node runs, relative to the root, with its arguments. */
  readonly script: readonly string[]
  /** A step that takes longer has hung, and fails: above what it needs on two cores that have other work as well. */
  readonly limitMinutes: number
  /** Commands that not everyone has. Without one of them the step is left out, and counted so; in CI it fails. */
  readonly needs?: readonly string[]
  /** Counts what the step tested; without it the step counts as one. Throws if its result can't be believed. */
  readonly count?: (succeeded: boolean) => Count
}

interface Count {
  readonly passed: number
  readonly failed: number
}

const root = join(import.meta.dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'carillon-test-'))
const report = join(scratch, 'vitest.json')
/** Of the hundred processes that the tests start each would compile the same files: half of what a start costs. */
const env = { ...process.env, NODE_COMPILE_CACHE: join(scratch, 'compiled') }
// Groups: a step that hangs is ended with all that it started. Windows has none.
const groups = process.platform !== 'win32'

const steps: readonly Step[] = [
  { name: 'types', script: ['node_modules/typescript/bin/tsc', '--noEmit'], limitMinutes: 2 },
  {
    name: "types of the simulator's page",
    script: ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'sim/page/browser'],
    limitMinutes: 2,
  },
  {
    name: 'lint',
    script: ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'],
    limitMinutes: 1,
  },
  {
    name: 'unit, conformance and integration tests',
    script: [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    limitMinutes: 25,
    count: countVitest,
  },
  { name: 'terminal', script: ['test/terminal/main.ts'], limitMinutes: 3, needs: ['tmux'] },
  { name: 'the page of a run', script: ['test/page/main.ts'], limitMinutes: 2, needs: ['chromium'] },
  {
    // Of each kind some that show soon; all of them: npm run sim -- --mutants.
    name: 'known bugs are found',
    script: [
      'sim/main.ts',
      '--mutants',
      '--mutant',
      'replay-stops-early,credit-leak,recurrence-from-now,follow-ups-dropped,follow-up not relayed,requestId forgotten',
      ...['--seeds', '20', '--minutes', '1'],
    ],
    limitMinutes: 2.5,
  },
  {
    name: 'simulation',
    script: ['sim/main.ts', '--seed', '1', '--seeds', '160', '--minutes', '0.3', '--jobs', '2'],
    limitMinutes: 3.5,
  },
  {
    // Of every mix, most with tasks. The first runs twice: the same seed has to give the same trace.
    name: 'simulation of meshes',
    script: ['sim/main.ts', '--mesh', '--seed', '1', '--seeds', '140', '--minutes', '0.15', '--jobs', '2'],
    limitMinutes: 6,
  },
  { name: 'kill -9', script: ['test/soak/main.ts', 'crash', '--kills', '9'], limitMinutes: 2.5 },
  {
    name: 'a mesh cut into parts',
    script: ['test/soak/main.ts', 'mesh-partitions', '--scenario', 'short'],
    limitMinutes: 4,
    needs: ['unshare', 'ip', 'nft'],
  },
]

let running: ChildProcess | undefined
let passed = 0
let failed = 0
let skipped = 0

process.on('exit', () => {
  end(running, 'SIGKILL')
  rmSync(scratch, { recursive: true, force: true })
})
// A group of its own doesn't get the terminal's Ctrl-C: pass it on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    end(running, signal)
    finish(`stopped by ${signal}`)
  })
}

const startedAt = performance.now()
for (const step of steps) {
  const why = await carryOut(step)
  if (why !== undefined) finish(`the step '${step.name}' failed: ${why}`)
}
finish()

/** Runs a step and adds to the counts; resolves with what went wrong, if anything did. */
async function carryOut(step: Step): Promise<string | undefined> {
  console.log(`\n=== ${step.name}`)
  const missing = process.env.CI === 'true' ? undefined : step.needs?.find(command => !isThere(command))
  if (missing !== undefined) {
    skipped++
    console.log(`=== ${step.name}: left out, as ${missing} is not installed`)
    return undefined
  }
  const from = performance.now()
  let why = await run(step)
  try {
    const count = step.count?.(why === undefined) ?? {
      passed: why === undefined ? 1 : 0,
      failed: why === undefined ? 0 : 1,
    }
    passed += count.passed
    failed += count.failed
    if (count.failed > 0) why ??= `${count.failed} failed`
  } catch (error) {
    failed += 1
    why ??= error instanceof Error ? error.message : String(error)
  }
  console.log(`=== ${step.name}: ${why ?? 'passed'} (${seconds(from)})`)
  return why
}

function isThere(command: string): boolean {
  // It is not called: not each of them only says its version.
  return (process.env.PATH ?? '').split(delimiter).some(folder => existsSync(join(folder, command)))
}

function run(step: Step): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const child = spawn(process.execPath, step.script, {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: groups,
  })
  running = child
  const limit = setTimeout(() => {
    resolve(`no end after ${step.limitMinutes} minutes`)
    end(child, 'SIGKILL')
  }, step.limitMinutes * 60_000)
  child.once('error', error => resolve(error.message))
  child.once('exit', (code, signal) => {
    resolve(code === 0 ? undefined : signal === null ? `exit code ${code}` : `ended by ${signal}`)
  })
  return promise.finally(() => {
    clearTimeout(limit)
    // What a step left behind would disturb the next one.
    end(child, 'SIGKILL')
    running = undefined
  })
}

function end(child: ChildProcess | undefined, signal: NodeJS.Signals): void {
  if (child?.pid === undefined) return
  try {
    if (groups) process.kill(-child.pid, signal)
    else child.kill(signal)
  } catch {
    // It has ended already.
  }
}

/** Reads vitest's report. Its exit code decides as well: an error outside of any test fails no test. */
function countVitest(succeeded: boolean): Count {
  if (!existsSync(report)) throw new Error('vitest wrote no report')
  const { numPassedTests, numFailedTests, numTotalTests } = JSON.parse(
    readFileSync(report, 'utf8'),
  ) as Record<string, unknown>
  if (
    typeof numPassedTests !== 'number' ||
    typeof numFailedTests !== 'number' ||
    typeof numTotalTests !== 'number'
  ) {
    throw new Error('the report of vitest has no counts')
  }
  if (succeeded && numPassedTests === 0) throw new Error('vitest ran no tests')
  const skipped = numTotalTests - numPassedTests - numFailedTests
  if (skipped > 0) console.log(`${skipped} tests were not run`)
  return { passed: numPassedTests, failed: succeeded ? numFailedTests : Math.max(1, numFailedTests) }
}

function finish(why?: string): never {
  if (why !== undefined) {
    failed = Math.max(1, failed)
    console.log(`\nFAILED after ${seconds(startedAt)}: ${why}`)
  } else {
    console.log(`\nAll steps passed in ${seconds(startedAt)}.`)
  }
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exit(failed === 0 ? 0 : 1)
}

function seconds(from: number): string {
  return `${((performance.now() - from) / 1000).toFixed(1)} s`
}
