/** createTestMesh: checks what it was given, and founds the mesh. */

import { checkHandlers } from '../src/api/handlers.ts'
import type { Handlers, NoHandlers } from '../src/api/types.ts'
import { PROFILES } from '../src/task/profile.ts'
import { invalid } from '../src/task/schema.ts'
import { instantOf } from '../src/task/validate.ts'
import { type MeshSettings, SimulatedTestMesh } from './test-mesh.ts'
import type { TestMesh, TestMeshOptions } from './types.ts'

const OPTIONS: ReadonlySet<string> = new Set<keyof TestMeshOptions>([
  'handlers',
  'nodes',
  'seed',
  'startAt',
  'concurrency',
  'profile',
  'replicas',
  'handlerMs',
  'fakeDate',
])
const NODES_MAX = 20

/**
 * Starts one engine, or a mesh of them, on virtual time, a simulated network and simulated disks, all in this thread: nothing
 * is written, listened at, or waited for. Rejects with INVALID.
 */
export async function createTestMesh<const H extends Handlers = NoHandlers>(
  options: TestMeshOptions<H> = {},
): Promise<TestMesh<H>> {
  const mesh = new SimulatedTestMesh(settingsOf(options))
  await mesh.begin()
  return mesh as unknown as TestMesh<H>
}

function settingsOf(options: TestMeshOptions<Handlers>): MeshSettings {
  if (typeof options !== 'object' || options === null)
    throw invalid('options', options, 'an object of options of a test mesh')
  const unknown = Object.keys(options).find(name => !OPTIONS.has(name))
  if (unknown !== undefined)
    throw invalid(unknown, 'given', `no option: there are ${[...OPTIONS].join(', ')}`)
  checkHandlers(options.handlers)
  const { nodes = 1, seed = 1, profile = 'balanced', fakeDate = false, handlerMs = 2000 } = options
  if (typeof seed !== 'number' && typeof seed !== 'string') throw invalid('seed', seed, 'a number or a text')
  if (!Object.hasOwn(PROFILES, profile))
    throw invalid('profile', profile, `one of ${Object.keys(PROFILES).join(', ')}`)
  if (typeof fakeDate !== 'boolean') throw invalid('fakeDate', fakeDate, 'true or false')
  return {
    handlers: options.handlers ?? {},
    nodes: whole('nodes', nodes, 1, NODES_MAX),
    seed: String(seed),
    startAt: instantOf(options.startAt ?? Date.UTC(2026, 0, 1), undefined, 'startAt'),
    concurrency: whole('concurrency', options.concurrency ?? 100, 1, 100_000),
    profile,
    replicas: whole('replicas', options.replicas ?? 3, 1, 16),
    handlerMs: whole('handlerMs', handlerMs, 1, 3_600_000),
    fakeDate,
  }
}

function whole(field: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw invalid(field, value, `a whole number from ${min} to ${max}`)
}
