/**
 * Many seeds of the simulator, mix by mix, two processes at a time: crashes that tear and lose unsynced writes, full and
 * failing disks, clocks that jump, and a draw of all.
 */

import { spawn } from 'node:child_process'
import { join } from 'node:path'

const MIXES = ['crash', 'disk', 'clock', 'all']
const AT_A_TIME = 2
/** Seeds of one process; its faults are told when it ends. */
const SLICE = 125

export async function simulation(options: {
  readonly seed: number
  readonly seeds: number
}): Promise<string[]> {
  const slices: Array<{ mix: string; seed: number; seeds: number }> = []
  for (const mix of MIXES) {
    for (let done = 0; done < options.seeds; done += SLICE)
      slices.push({ mix, seed: options.seed + done, seeds: Math.min(SLICE, options.seeds - done) })
  }
  const failures: string[] = []
  const passed = new Map<string, number>()
  const from = performance.now()
  const work = async (): Promise<void> => {
    for (let slice = slices.shift(); slice !== undefined; slice = slices.shift()) {
      const { mix, seed, seeds } = slice
      const { code, output } = await simulate(mix, seed, seeds)
      const failed = [...output.matchAll(/^seed (\d+) FAILED:\n {2}- (.*)$/gm)]
      for (const [, which, why] of failed) failures.push(`seed ${which} of ${mix}: ${why}`)
      if (code !== 0 && failed.length === 0)
        failures.push(`${mix} from ${seed}: exit code ${code}: ${output.slice(-2000)}`)
      else passed.set(mix, (passed.get(mix) ?? 0) + seeds - failed.length)
      const [summary] = /^\d+ seeds from .*$/m.exec(output) ?? []
      console.log(`${((performance.now() - from) / 1000).toFixed(0)} s: ${summary ?? `${mix} from ${seed}`}`)
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work))
  for (const mix of MIXES)
    console.log(`${mix}: ${passed.get(mix) ?? 0} of ${options.seeds} seeds from ${options.seed} passed`)
  return failures
}

function simulate(
  mix: string,
  seed: number,
  seeds: number,
): Promise<{ code: number | null; output: string }> {
  const main = join(import.meta.dirname, '../../sim/main.ts')
  const args = [main, '--seed', String(seed), '--seeds', String(seeds), '--mix', mix]
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    child.on('error', reject)
    child.on('close', code => resolve({ code, output }))
  })
}
