/**
 * Scenario: a run of a mesh as data in a file: how many nodes, how far apart, what is done to whom and when, and what users
 * ask for. A seed's plan can be written as one, and gives the same run; a person or the shrinker makes it smaller.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { type Schema, Type } from '../../src/lib/json-schema.ts'
import type { TimingProfile } from '../../src/membership/timings.ts'
import { checkerOf } from '../../src/task/schema.ts'
import type { Strike } from './faults/fault.ts'
import { MESH_FAULTS, TASK_FAULTS } from './faults/index.ts'
import { CONDITIONS, type MeshPlan, type NodePlan, RESERVE } from './planner.ts'
import type { PlannedCall } from './tasks/planned-calls.ts'
import type { TaskPlan } from './tasks/task-workload.ts'

export interface Scenario {
  /** What it is there for. */
  readonly about: string
  /** Of what is left to chance: how long a handler takes, where a call goes, which packet is lost. */
  readonly seed: number
  /** Virtual minutes until all is healed. */
  readonly minutes: number
  /** A number: the first founds the mesh, and all others join at once. */
  readonly nodes: number | readonly ScenarioNode[]
  /** R. Default: 3. */
  readonly replicas?: number | undefined
  /** Default: lan. */
  readonly profile?: TimingProfile | undefined
  /** The strikes begin with the first start, not once the mesh has been founded. */
  readonly isEarly?: boolean | undefined
  /** More fresh stores than they expect: there need not be a mesh in the end. */
  readonly isCrowded?: boolean | undefined
  /** Users go on after the end of the faults, until all that were cut off have caught up. */
  readonly isRush?: boolean | undefined
  readonly chunkBytes?: number | undefined
  readonly leftDead?: readonly number[] | undefined
  /** What wall clocks show when it begins, epoch ms. Default: any day. */
  readonly wallMs?: number | undefined
  readonly strikes: readonly Strike[]
  readonly tasks?: ScenarioTasks | undefined
  /** The known bug that it finds, if one can be put back: with it the scenario fails. */
  readonly mutant?: string | undefined
  /** The judge that says so. */
  readonly judge?: string | undefined
}

export interface ScenarioNode {
  readonly startAtMs?: number | undefined
  readonly expect?: number | undefined
  readonly isFounder?: boolean | undefined
  readonly zone?: string | undefined
  readonly isReserve?: boolean | undefined
}

/** With `calls` these and no others; else users are drawn. */
export type ScenarioTasks = Partial<TaskPlan> & { readonly calls?: readonly PlannedCall[] | undefined }

const FAULTS = [...MESH_FAULTS, ...TASK_FAULTS].map(({ name }) => name)
/** These are between two sides. */
const BETWEEN = ['halves', 'bridge', 'isolate', 'one-way', 'flip-flop', 'clog']
const NODES_MAX = 100

/** Throws with a line for the user: what is wrong where. */
export function readScenario(file: string): Scenario {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`)
  }
  try {
    return checkScenario(value)
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`)
  }
}

export function writeScenario(file: string, scenario: Scenario): void {
  writeFileSync(file, textOf(scenario))
}

/** Each strike, node and call on a line of its own: to be read, and to be compared. */
export function textOf(scenario: Scenario): string {
  return `${linesOf(withoutGaps(scenario), '')}\n`
}

function linesOf(value: unknown, indent: string): string {
  const deeper = `${indent}  `
  if (Array.isArray(value) && value.some(each => typeof each === 'object')) {
    return `[\n${value.map(each => `${deeper}${onOneLine(each)}`).join(',\n')}\n${indent}]`
  }
  // Of objects only the scenario and its users are that long.
  const isLong = typeof value === 'object' && value !== null && ('calls' in value || indent === '')
  if (!isLong) return onOneLine(value)
  const fields = Object.entries(value).map(([key, each]) => `${deeper}"${key}": ${linesOf(each, deeper)}`)
  return `{\n${fields.join(',\n')}\n${indent}}`
}

function onOneLine(value: unknown): string {
  return JSON.stringify(value, null, 1).replace(/\n\s*/g, ' ')
}

export function checkScenario(value: unknown): Scenario {
  for (const [field, { description }] of Object.entries(NEEDED) as [string, { description?: string }][]) {
    if (typeof value === 'object' && value !== null && !(field in value))
      throw new Error(`${field} is missing: allowed is ${description}`)
  }
  checkShape(value, '')
  const scenario = value as Scenario
  const count = typeof scenario.nodes === 'number' ? scenario.nodes : scenario.nodes.length
  const check = (field: string, node: number): void => {
    if (node >= count)
      throw new Error(`${field} is ${node}: allowed is the number of a node, 0 to ${count - 1}`)
  }
  for (const [i, { fault, nodes, others = [] }] of scenario.strikes.entries()) {
    if (BETWEEN.includes(fault) && others.length === 0)
      throw new Error(
        `strikes[${i}].others is undefined: allowed is an array of numbers of nodes, the other side`,
      )
    for (const [at, node] of nodes.entries()) check(`strikes[${i}].nodes[${at}]`, node)
    for (const [at, node] of others.entries()) check(`strikes[${i}].others[${at}]`, node)
  }
  for (const [at, node] of (scenario.leftDead ?? []).entries()) check(`leftDead[${at}]`, node)
  const clients = scenario.tasks?.clients ?? TASKS.clients
  for (const [i, { client, tasks }] of (scenario.tasks?.calls ?? []).entries()) {
    if (client >= clients)
      throw new Error(
        `tasks.calls[${i}].client is ${client}: allowed is the number of a client, 0 to ${clients - 1}`,
      )
    if (tasks.length === 0) throw new Error(`tasks.calls[${i}].tasks is []: allowed is an array of 1 or more`)
  }
  return scenario
}

/** What a scenario does not say of its users. */
const TASKS: TaskPlan = { clients: 1, gapMs: 300, recurringMax: 5, repeatShare: 0, embeddedShare: 1 }

export function planOf(scenario: Scenario): MeshPlan {
  const { nodes, replicas = 3, profile = 'lan', strikes, tasks } = scenario
  return {
    mix: 'scenario',
    nodes: nodesOf(nodes),
    replicas,
    profile,
    conditions: CONDITIONS[profile],
    faults: [...new Set(strikes.map(({ fault }) => fault))],
    isGentle: false,
    strikes: strikes.toSorted((a, b) => a.atMs - b.atMs),
    isEarly: scenario.isEarly ?? false,
    isCrowded: scenario.isCrowded ?? false,
    isRush: scenario.isRush ?? false,
    chunkBytes: scenario.chunkBytes,
    leftDead: scenario.leftDead ?? [],
    wallMs: scenario.wallMs,
    tasks: tasks === undefined ? undefined : { ...TASKS, ...tasks },
  }
}

export function scenarioOf(
  plan: MeshPlan,
  { about, seed, minutes }: Pick<Scenario, 'about' | 'seed' | 'minutes'>,
): Scenario {
  const {
    nodes,
    replicas,
    profile,
    isEarly,
    isCrowded,
    isRush,
    chunkBytes,
    leftDead,
    wallMs,
    strikes,
    tasks,
  } = plan
  return {
    about,
    seed,
    minutes,
    nodes: nodes.map(({ startAtMs, expect, isFounder, zone, isReserve }) => ({
      ...(isReserve === true ? { isReserve } : {}),
      ...(Number.isFinite(startAtMs) && startAtMs > 0 ? { startAtMs } : {}),
      ...(expect === undefined ? {} : { expect }),
      ...(isFounder ? { isFounder } : {}),
      ...(zone === '' ? {} : { zone }),
    })),
    replicas,
    profile,
    ...(isEarly ? { isEarly } : {}),
    ...(isCrowded ? { isCrowded } : {}),
    ...(isRush ? { isRush } : {}),
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
    ...(leftDead.length === 0 ? {} : { leftDead }),
    ...(wallMs === undefined ? {} : { wallMs }),
    strikes,
    ...(tasks === undefined ? {} : { tasks }),
  }
}

function nodesOf(nodes: Scenario['nodes']): NodePlan[] {
  const list = typeof nodes === 'number' ? Array.from({ length: nodes }, (_, i) => firstFounds(i)) : nodes
  return list.map(({ startAtMs = 0, expect, isFounder = false, zone = '', isReserve }) =>
    isReserve === true ? { ...RESERVE, zone } : { startAtMs, expect, isFounder, zone },
  )
}

function firstFounds(number: number): ScenarioNode {
  return number === 0 ? { isFounder: true } : {}
}

function withoutGaps<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

// --- what is allowed

const words = (description: string, max = 2000): Schema => Type.String({ maxLength: max, description })
const ms = (): Schema => Type.Number({ minimum: 0, description: 'a number of milliseconds from 0' })
const anyMs = (): Schema => Type.Number({ description: 'a number of milliseconds' })
const instant = (): Schema => Type.Integer({ minimum: 0, description: 'a whole number of epoch ms' })
const share = (): Schema => Type.Number({ minimum: 0, maximum: 1, description: 'a number from 0 to 1' })
const whole = (least: number, most: number): Schema =>
  Type.Integer({ minimum: least, maximum: most, description: `a whole number from ${least} to ${most}` })
const flag = (): Schema => Type.Boolean({ description: 'true or false' })
const oneOf = (names: readonly string[]): Schema =>
  Type.Enum(names, { description: `one of ${names.join(', ')}` })
const list = (items: Schema, description: string): Schema => Type.Array(items, { description })
const numbers = (): Schema => list(whole(0, NODES_MAX - 1), 'an array of numbers of nodes')
const object = (needed: Record<string, Schema>, rest: Record<string, Schema>, description: string): Schema =>
  Type.Object(
    {
      ...needed,
      ...Object.fromEntries(Object.entries(rest).map(([name, schema]) => [name, Type.Optional(schema)])),
    },
    { additionalProperties: false, description },
  )

const NODE = object(
  {},
  {
    startAtMs: ms(),
    expect: whole(1, NODES_MAX),
    isFounder: flag(),
    zone: words('up to 20 characters', 20),
    isReserve: flag(),
  },
  'an object { startAtMs, expect, isFounder, zone, isReserve }',
)

const STRIKE = object(
  { fault: oneOf(FAULTS), atMs: ms(), lastsMs: ms(), nodes: numbers() },
  { others: numbers(), amount: Type.Number({ description: "a number, in the fault's own measure" }) },
  'an object { fault, atMs, lastsMs, nodes, others, amount }',
)

const CONDUCT = object(
  {},
  {
    durationMs: Type.Array(Type.Number({ minimum: 0 }), {
      minItems: 2,
      maxItems: 2,
      description: 'two numbers of milliseconds, the least and the most',
    }),
    failShare: share(),
    failFirst: whole(0, 1000),
    hangShare: share(),
    fatalShare: share(),
    followUps: whole(0, 100),
  },
  'an object { durationMs, failShare, failFirst, hangShare, fatalShare, followUps }',
)

const POLICY = object(
  {},
  {
    guarantee: oneOf(['at-least-once', 'at-most-once', 'exactly-once']),
    precision: oneOf(['high', 'normal', 'low']),
    priority: Type.Integer({ minimum: -100, maximum: 100, description: 'a whole number from -100 to 100' }),
    retry: object(
      {
        kind: oneOf(['immediate', 'fixed', 'exponential']),
        baseMs: ms(),
        maxDelayMs: ms(),
        max: whole(1, 1000),
        jitter: flag(),
      },
      {},
      'an object { kind, baseMs, maxDelayMs, max, jitter }',
    ),
    timeoutMs: ms(),
    misfire: object(
      { kind: oneOf(['once', 'all', 'skip']), max: whole(1, 1_000_000), afterMs: ms() },
      {},
      'an object { kind, max, afterMs }',
    ),
    overlap: oneOf(['allow', 'skip', 'queue-one', 'cancel-old']),
    tags: list(words('a tag', 100), 'an array of tags'),
  },
  'an object of a policy: guarantee, precision, priority, retry, timeoutMs, misfire, overlap, tags',
)

const CRON = object(
  {
    pattern: words('a cron pattern', 200),
    tz: words('an IANA zone', 100),
    dst: object(
      {
        gap: oneOf(['auto', 'skip', 'shift']),
        overlap: oneOf(['auto', 'first', 'second', 'both']),
      },
      {},
      'an object { gap, overlap }',
    ),
  },
  {},
  'an object { pattern, tz, dst }',
)

const SPEC = object(
  {},
  {
    inMs: anyMs(),
    cron: CRON,
    everyMs: Type.Number({ minimum: 1, description: 'a number of milliseconds from 1' }),
    anchorInMs: anyMs(),
    max: whole(1, 1_000_000),
    handler: words('the name of a handler', 100),
    conduct: CONDUCT,
    policy: POLICY,
    payload: words('a text'),
    minted: flag(),
    keyTtlMs: ms(),
  },
  'an object { inMs, cron, everyMs, anchorInMs, max, handler, conduct, policy, payload, minted, keyTtlMs }',
)

const CALL = object(
  {
    atMs: ms(),
    client: whole(0, 99),
    method: oneOf(['schedule', 'cancel', 'pause', 'resume', 'trigger', 'retry']),
    tasks: list(
      object({ id: words('an id', 200) }, { spec: SPEC }, 'an object { id, spec }'),
      'an array of tasks',
    ),
  },
  {},
  'an object { atMs, client, method, tasks }',
)

const NEEDED: Readonly<Record<string, Schema>> = {
  about: words('a text that says what it is there for'),
  seed: Type.Integer({ minimum: 0, description: 'a whole number from 0' }),
  minutes: Type.Number({ minimum: 0, description: 'a number of virtual minutes from 0' }),
  nodes: Type.Union([whole(1, NODES_MAX), list(NODE, 'an array of nodes')], {
    description: `a whole number from 1 to ${NODES_MAX}, or an array of { startAtMs, expect, isFounder, zone, isReserve }`,
  }),
  strikes: list(STRIKE, 'an array of strikes'),
}

const SCENARIO = object(
  NEEDED,
  {
    replicas: whole(1, 16),
    profile: oneOf(Object.keys(CONDITIONS)),
    isEarly: flag(),
    isCrowded: flag(),
    isRush: flag(),
    chunkBytes: whole(300, 1_000_000),
    leftDead: numbers(),
    wallMs: instant(),
    tasks: object(
      {},
      {
        clients: whole(1, 100),
        gapMs: Type.Number({ minimum: 1, description: 'a number of milliseconds from 1' }),
        recurringMax: whole(0, 1000),
        repeatShare: share(),
        embeddedShare: share(),
        isBad: flag(),
        night: object({ tz: words('an IANA zone', 100), at: instant() }, {}, 'an object { tz, at }'),
        calls: list(CALL, 'an array of calls'),
      },
      'an object { clients, gapMs, recurringMax, repeatShare, embeddedShare, isBad, night, calls }',
    ),
    mutant: words('the name of a known bug', 100),
    judge: words('the name of a judge', 100),
  },
  'an object { about, seed, minutes, nodes, strikes, replicas, profile, ... }',
)

const checkShape = checkerOf(SCENARIO)
