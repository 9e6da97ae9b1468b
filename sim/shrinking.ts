/** The command line's `--save-scenario` and `--shrink`: a seed's plan as a file, and the smallest that fails like it. */

import type { Options } from './command-line.ts'
import { meshBug } from './mesh/old-bugs.ts'
import { drawnOf, planMesh } from './mesh/planner.ts'
import { runPlan } from './mesh/run.ts'
import { planOf, type Scenario, scenarioOf, writeScenario } from './mesh/scenario.ts'
import { judgeOf, type ShrinkPorts, shrink, sizeOf } from './mesh/shrink.ts'

/** Resolves with the exit code. */
export async function saveScenario(options: Options, file: string): Promise<number> {
  const scenario = scenarioToRun(options)
  writeScenario(file, scenario)
  console.log(`seed ${scenario.seed}: ${sizeOf(scenario)}`)
  console.log(`run it: npm run sim -- --scenario ${file}`)
  return 0
}

/** Resolves with the exit code: 1 if nothing fails, so that there is nothing to shrink. */
export async function shrinkTo(options: Options, file: string): Promise<number> {
  const scenario = scenarioToRun(options)
  const { mutant: name, tries: triesMax } = options
  const mutant = meshBug(name)
  const ports: ShrinkPorts = {
    run: (each, keepsCalls) =>
      runPlan(planOf(each), { seed: each.seed, minutes: each.minutes, mutant, keepsCalls }),
    tell: line => console.log(line),
  }
  console.log(`seed ${scenario.seed}: ${sizeOf(scenario)}${name === undefined ? '' : `, mutant ${name}`}`)
  const [fault] = (await ports.run(scenario, false)).faults
  if (fault === undefined) {
    console.log('it passes: there is nothing to shrink')
    return 1
  }
  console.log(`it fails: ${fault.split('\n')[0]}`)
  const judge = judgeOf(fault)
  const { scenario: small, tries } = await shrink(scenario, ports, { judge, triesMax })
  const [said] = (await ports.run(small, false)).faults.filter(each => judgeOf(each) === judge)
  writeScenario(file, { ...small, judge, mutant: name })
  console.log(`${sizeOf(small)}, after ${tries} runs: ${file}`)
  console.log(said)
  if (mutant !== undefined) {
    const { faults } = await runPlan(planOf(small), { seed: small.seed, minutes: small.minutes })
    console.log(`without ${name} it ${faults.length === 0 ? 'passes' : `fails as well: ${faults[0]}`}`)
  }
  console.log(`replay: npm run sim -- --scenario ${file}${name === undefined ? '' : ` --mutant ${name}`}`)
  return 0
}

function scenarioToRun({ scenario, seed, mix, minutes, nodes }: Options): Scenario {
  if (scenario !== undefined) return { ...scenario.said, seed }
  const plan = planMesh({ seed, mix, minutes, nodes })
  return scenarioOf(plan, { about: `Seed ${seed}: ${drawnOf(plan)}.`, seed, minutes })
}
