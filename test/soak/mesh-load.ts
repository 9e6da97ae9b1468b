/**
 * Three real processes under an even load for half an hour: each task fires once, and neither memory nor handles grow. Memory
 * rises in the first minutes, as requests are remembered for a minute, history fills up, and the heap takes its size.
 */

import { type Answer, BenchMesh } from '../../benchmarks/mesh-nodes.ts'
import { growthOf, median } from './growth.ts'

const PER_SECOND = 500
const SAMPLE_MS = 10_000
/** Of the last third over the third before it: more than what garbage collection makes of it by chance. */
const MEMORY_GROWTH_MAX = 0.1
const HANDLES_GROWTH_MAX = 0.05

interface Sample {
  readonly rssMb: number
  readonly handles: number
}

export async function meshLoad({ minutes }: { readonly minutes: number }): Promise<string[]> {
  console.log(`mesh-load: three processes, ${PER_SECOND} tasks a second, ${minutes} minutes`)
  const mesh = await BenchMesh.start()
  try {
    const samples: Sample[][] = mesh.nodes.map(() => [])
    const until = Date.now() + minutes * 60_000
    let [scheduled, fired, sampledAt] = [0, 0, Date.now()]
    /** Tasks that a call did not acknowledge, by why: each may be there all the same. */
    const refused = new Map<string, number>()
    const late: number[] = []
    for (let i = 0; Date.now() < until; i++) {
      const from = Date.now()
      const node = mesh.nodes[i % mesh.nodes.length] ?? mesh.first
      try {
        await node.ask({ do: 'one-shots', count: PER_SECOND, from: from + 1500, overMs: 1000 })
        scheduled += PER_SECOND
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        refused.set(why, (refused.get(why) ?? 0) + PER_SECOND)
      }
      fired += await drain(mesh, late)
      if (from - sampledAt >= SAMPLE_MS) {
        sampledAt = from
        for (const [n, each] of (await mesh.all()).entries()) samples[n]?.push(sampleOf(each))
      }
      await new Promise(resolve => setTimeout(resolve, Math.max(0, from + 1000 - Date.now())))
    }
    for (const end = Date.now() + 30_000; fired < scheduled && Date.now() < end; ) {
      fired += await drain(mesh, late)
      await new Promise(resolve => setTimeout(resolve, 200))
    }
    late.sort((a, b) => a - b)
    const at = (share: number): number => late[Math.floor(late.length * share)] ?? Number.NaN
    console.log(`  ${scheduled} scheduled, ${fired} fired; late by p50 ${at(0.5)}, p99 ${at(0.99)} ms`)
    const failures = samples.flatMap((each, n) => judged(`node ${n + 1}`, each))
    for (const [why, count] of refused) failures.push(`${count} tasks refused: ${why}`)
    const doubtful = [...refused.values()].reduce((sum, count) => sum + count, 0)
    if (fired < scheduled || fired > scheduled + doubtful)
      failures.push(`${scheduled} tasks fired ${fired} times`)
    return failures
  } finally {
    await mesh.stop()
  }
}

async function drain(mesh: BenchMesh, into: number[]): Promise<number> {
  const told = await Promise.all(mesh.nodes.map(node => node.ask({ do: 'late' })))
  let count = 0
  for (const { times = [] } of told) {
    into.push(...times)
    count += times.length
  }
  return count
}

function sampleOf({ rssBytes = 0, handles = 0 }: Answer): Sample {
  return { rssMb: rssBytes / 1e6, handles }
}

function judged(name: string, samples: readonly Sample[]): string[] {
  const [rss, handles] = [samples.map(({ rssMb }) => rssMb), samples.map(each => each.handles)]
  const growth = { memory: growthOf(rss), handles: growthOf(handles) }
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
  console.log(
    `  ${name}: ${median(rss).toFixed(0)} MB, at most ${Math.max(...rss).toFixed(0)}, growth ${percent(growth.memory)}; ` +
      `${median(handles)} handles, growth ${percent(growth.handles)}; ${samples.length} samples`,
  )
  const failures: string[] = []
  // Also of too few samples, of which NaN is the growth.
  if (!(growth.memory <= MEMORY_GROWTH_MAX))
    failures.push(`${name}: its memory grows by ${percent(growth.memory)}`)
  if (!(growth.handles <= HANDLES_GROWTH_MAX))
    failures.push(`${name}: its handles grow by ${percent(growth.handles)}`)
  return failures
}
