/**
 * Planner: what a seed does to a mesh, drawn before anything happens: its mix, its size and R, how it is founded, how far its
 * nodes are apart, which faults strike whom and when. It is data and follows from (seed, mix, minutes, nodes) alone.
 *
 * It keeps the faults inside what the design promises to survive: a node has one trouble at a time; most of the first
 * stores keep their disks (a mesh whose every disk is lost is lost); and in a gentle mix nobody is cut off from a
 * majority, so that there is no excuse for an alarm. Where there are tasks, a store is taken away only when what the
 * others acknowledged has had the time to be on all that should have it: then nothing may be lost.
 */

import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { quorumOf, type TimingProfile } from '../../src/membership/timings.ts'
import type { Random } from '../../src/ports/random.ts'
import { LAN, type LinkConditions, WAN } from '../network/link.ts'
import { type MeshFault, pick, type Strike, shuffled } from './faults/fault.ts'
import { meshFault } from './faults/index.ts'
import { ANY_MIX, MEMBERSHIP_MIXES, MESH_MIXES, type Mix, TASK_MIXES } from './mixes.ts'
import { NIGHTS, type Night } from './tasks/calendar-draws.ts'
import type { TaskPlan } from './tasks/task-workload.ts'

export interface PlanOptions {
  readonly seed: number
  /** One of them, or {@link ANY_MIX}: a draw. */
  readonly mix: string
  /** Virtual minutes with faults. */
  readonly minutes: number
  /** Undefined: 3 to 20, a draw. */
  readonly nodes?: number | undefined
}

export interface NodePlan {
  readonly startAtMs: number
  /** Who founds with others, in its first life; undefined: alone, or not at all. */
  readonly expect: number | undefined
  /** It founds the mesh alone. */
  readonly isFounder: boolean
  readonly zone: string
  /** It joins when a strike lets it. */
  readonly isReserve?: boolean
}

export interface MeshPlan {
  readonly mix: string
  readonly nodes: readonly NodePlan[]
  /** R: how many copies of a range there are, where there are as many nodes. W follows from it and the roster. */
  readonly replicas: number
  readonly profile: TimingProfile
  readonly conditions: LinkConditions
  readonly faults: readonly string[]
  readonly isGentle: boolean
  /** In the order of their instants, from when the faults begin. */
  readonly strikes: readonly Strike[]
  readonly isEarly: boolean
  /** More fresh stores than `expect`: there need not be a mesh in the end; two there must not be. */
  readonly isCrowded: boolean
  /** Bytes of a state, or a welcome, in one frame; undefined: a roster fits in. */
  readonly chunkBytes: number | undefined
  /** They die at the end of the faults, and stay so. */
  readonly leftDead: readonly number[]
  /** Undefined: there are no tasks. */
  readonly tasks: TaskPlan | undefined
  /** Users go on after the end of the faults, until all that were cut off have caught up. */
  readonly isRush?: boolean
  /** What wall clocks show when it begins; undefined: any day. */
  readonly wallMs?: number | undefined
}

/** So many join at most. */
const RESERVES_MAX = 6
/** Room for some members, as a frame has room for some hundred. */
const PAGE_BYTES = 400
/** These cut nodes off from each other: two of them together may leave one without a majority. */
const CUTTING = ['one-way', 'flip-flop', 'clog']
/**
 * From so many on, two that are cut off from each other have three helpers between them: enough also where every link
 * loses a third. With fewer, a cut and such a loss don't come together in a gentle mix.
 */
const HELPED_SIZE = 6
/** After it came back a node has peace for so long: otherwise it would hardly ever be up. */
const PEACE_MS = 10_000
/** After the last trouble every change is on all stores of its list within this, ms. */
const COPY_MS = 40_000
/** Each cron task has a few instants only that tell something. */
const RECURRING_AT_NIGHT = 30
/** Mean time between two calls of all. */
const GAPS_MS = [150, 300, 600]
/** In runs that last, users take their time: faults are what takes long there, and calls are what costs. */
const LONG_GAPS_MS = [600, 2000, 4000]
const RUSH_GAPS_MS = [40, 60]
export const LONG_MINUTES = 3
/** In a mesh with tasks a store is away for so long before it is gone: a seed is to see ranges move, and be short. */
export const GONE_AFTER_MS = 12_000
/** A store that does not come back is gone after that; then another one copies what it had, ms. */
const RENEWED_MS = GONE_AFTER_MS + 15_000
/** These leave every store where it is and let it hear everything. */
const HARMLESS = [
  ...['join', 'worker-loss', 'slow-disk', 'restart'],
  ...['clock-step', 'clock-skew', 'clock-drift'],
]

/** How many of ten seeds have tasks, where the mix is a draw. */
const TASKS_OF_TEN = 7
/** Three are the default. Of two both acknowledge: one may be lost, as ever. */
const REPLICAS = [2, 3, 3, 3, 5]

export function planMesh(options: PlanOptions): MeshPlan {
  const name = options.mix === ANY_MIX ? drawMix(options.seed, options.nodes) : options.mix
  const mix = MESH_MIXES[name]
  if (mix === undefined) throw new Error(`there is no mix ${name}`)
  const random = new SeededRandom(`mesh plan ${options.seed}`)
  const { nodesMin: least = 3, nodesMax: most = 20 } = mix
  // Small ones are more frequent.
  const bias = mix.hasTasks === true ? 6 : 2
  const size = options.nodes ?? least + Math.floor(random.float() ** bias * (most - least + 1))
  const founding = mix.founding ?? (random.float() < 0.5 ? 'alone' : 'expect')
  const isFar = random.float() < 0.2
  const faults = mix.faults.filter(() => !mix.isDrawn || random.float() < 0.4)
  const own = new SeededRandom(`mesh tasks ${options.seed}`)
  // Streams of their own: what is drawn anew leaves all else of a seed as it was.
  const shape = new SeededRandom(`mesh shape ${options.seed}`)
  const replicas = REPLICAS[pick(shape, REPLICAS.length)] as number
  const isNear = !isFar && shape.float() < 0.25
  const reserves = Array.from(
    { length: faults.includes('join') ? 1 + pick(own, RESERVES_MAX) : 0 },
    (_, at) => size + at,
  )
  const strikes = planStrikes(random, faults.map(meshFault), {
    size,
    mix,
    lastsMs: options.minutes * 60_000,
    reserves,
  })
  const profile = isFar ? 'wan' : isNear ? 'local' : 'lan'
  const ofNight = new SeededRandom(`mesh night ${options.seed}`)
  const night = mix.isNight === true ? NIGHTS[pick(ofNight, NIGHTS.length)] : undefined
  const beforeMs = Math.floor(20_000 + ofNight.float() * options.minutes * 60_000)
  return {
    mix: name,
    nodes: [...planNodes(random, size, founding), ...reserves.map(() => RESERVE)],
    replicas,
    profile,
    conditions: CONDITIONS[profile],
    faults,
    isGentle: mix.isGentle === true,
    strikes,
    isEarly: mix.isEarly === true,
    isCrowded: founding === 'crowd',
    chunkBytes: faults.includes('join') && own.float() < 0.5 ? PAGE_BYTES : undefined,
    leftDead:
      faults.includes('mass-crash') && mix.hasTasks !== true
        ? shuffled(random, size).slice(0, pick(random, size / 2))
        : [],
    tasks:
      mix.hasTasks === true
        ? planTasks(own, mix.isRush ? RUSH_GAPS_MS : gapsOf(options.minutes), night, mix.hasBadHandlers)
        : undefined,
    isRush: mix.isRush === true,
    wallMs: night === undefined ? undefined : night.at - beforeMs,
  }
}

/** What a seed drew, in a few words. */
export function drawnOf({ mix, ...plan }: MeshPlan): string {
  return `${mix}, ${shapeOf(plan)}`
}

export function shapeOf({ nodes, replicas, profile }: Omit<MeshPlan, 'mix'>): string {
  return `${nodes.length} nodes, R ${replicas}, W ${quorumOf(replicas, nodes.length)}, ${profile}`
}

/** What links are like on a good day. */
export const CONDITIONS: Readonly<Record<TimingProfile, LinkConditions>> = {
  local: LAN,
  lan: LAN,
  wan: { ...WAN, loss: 0 },
}

/** Those that so few nodes can have. */
function drawMix(seed: number, nodes = Number.POSITIVE_INFINITY): string {
  const random = new SeededRandom(`mesh mix ${seed}`)
  const mixes = random.float() * 10 < TASKS_OF_TEN ? TASK_MIXES : MEMBERSHIP_MIXES
  const names = Object.keys(mixes).filter(name => (mixes[name]?.nodesMin ?? 0) <= nodes)
  return names[pick(random, names.length)] as string
}

export const RESERVE: NodePlan = {
  startAtMs: Number.POSITIVE_INFINITY,
  expect: undefined,
  isFounder: false,
  zone: '',
  isReserve: true,
}

const gapsOf = (minutes: number): readonly number[] => (minutes < LONG_MINUTES ? GAPS_MS : LONG_GAPS_MS)

function planTasks(
  random: Random,
  gapsMs: readonly number[],
  night: Night | undefined,
  isBad = false,
): TaskPlan {
  const plan = {
    ...(isBad ? { isBad } : {}),
    clients: 1 + pick(random, 5),
    gapMs: gapsMs[pick(random, gapsMs.length)] as number,
    recurringMax: 2 + pick(random, 8),
    repeatShare: [0, 0.05, 0.2][pick(random, 3)] as number,
    embeddedShare: [0, 0.5, 1][pick(random, 3)] as number,
  }
  return night === undefined ? plan : { ...plan, night, recurringMax: RECURRING_AT_NIGHT }
}

function planNodes(random: Random, size: number, founding: 'alone' | 'expect' | 'crowd'): NodePlan[] {
  const expect = founding === 'crowd' ? size - 1 : Math.min(size, 3 + 2 * pick(random, 2))
  const spreadMs = random.float() < 0.5 ? 100 : 15_000
  return Array.from({ length: size }, (_, number) => {
    const isFounder = founding === 'alone' && number === 0
    const founds = founding === 'crowd' || (founding === 'expect' && number < expect)
    return {
      startAtMs: isFounder ? 0 : random.float() * spreadMs,
      expect: founds ? expect : undefined,
      isFounder,
      zone: ['', 'a', 'b', 'c'][pick(random, 4)] as string,
    }
  })
}

interface StrikesOptions {
  readonly size: number
  readonly mix: Mix
  readonly lastsMs: number
  readonly reserves: readonly number[]
}

function planStrikes(
  random: Random,
  faults: readonly MeshFault[],
  { size, mix, lastsMs, reserves }: StrikesOptions,
): Strike[] {
  const isGentle = mix.isGentle === true
  const hasTasks = mix.hasTasks === true
  const pace = 0.6 + 1.4 * random.float()
  const instants = faults.flatMap(fault => {
    const found: { fault: MeshFault; atMs: number }[] = []
    const next = (): number => (-Math.log(1 - random.float()) * fault.meanMs) / pace
    for (let atMs = next(); atMs < lastsMs; atMs += next()) found.push({ fault, atMs })
    return found
  })
  instants.sort((a, b) => a.atMs - b.atMs)
  const strikes: Strike[] = []
  let renewalsLeft = Math.ceil(size / 2) - 1
  for (const { fault, atMs } of instants) {
    if (fault.renewsStore === true && renewalsLeft === 0) continue
    const shape = fault.plan({ random, size, isGentle, hasTasks, reserves })
    if (shape === undefined) continue
    const strike = { fault: fault.name, atMs, ...shape }
    if (strikes.some(other => collide(strike, other, isGentle, size))) continue
    if (hasTasks && wouldLose(strike, strikes)) continue
    if (fault.renewsStore === true) renewalsLeft--
    strikes.push(strike)
  }
  return strikes
}

/** Whether the later one must not strike, because of the earlier one. */
function collide(later: Strike, earlier: Strike, isGentle: boolean, size: number): boolean {
  const overlaps = later.atMs < earlier.atMs + earlier.lastsMs
  if (overlaps && later.fault === earlier.fault && !meshFault(later.fault).takesNodes) return true
  const worst = size < HELPED_SIZE ? [...CUTTING, 'loss'] : CUTTING
  if (overlaps && isGentle && worst.includes(later.fault) && worst.includes(earlier.fault)) return true
  if (!meshFault(later.fault).takesNodes || !meshFault(earlier.fault).takesNodes) return false
  const isClose = later.atMs < earlier.atMs + earlier.lastsMs + PEACE_MS
  return isClose && later.nodes.some(node => earlier.nodes.includes(node))
}

/**
 * Whether it would take a store away while not all that should have its changes are sure to have them. What is
 * acknowledged is on two stores at least: one may always go.
 */
function wouldLose(later: Strike, earlier: readonly Strike[]): boolean {
  const renews = ({ fault }: Strike): boolean => meshFault(fault).renewsStore === true
  if (!renews(later) || !earlier.some(renews)) return false
  return earlier.some(other => {
    if (HARMLESS.includes(other.fault)) return false
    return later.atMs < other.atMs + other.lastsMs + (renews(other) ? RENEWED_MS : COPY_MS)
  })
}
