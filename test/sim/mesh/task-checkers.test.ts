/** The judges of tasks, shown histories that nobody ran: each passes a good one, and refuses the one it is there for. */

import { beforeEach, describe, expect, test } from 'vitest'
import type { Attempt, Method, Spec } from '../../../sim/history.ts'
import { cancel } from '../../../sim/mesh/checkers/cancel.ts'
import type { MeshChecker } from '../../../sim/mesh/checkers/checker.ts'
import { convergence, unconverged } from '../../../sim/mesh/checkers/convergence.ts'
import { duplicates } from '../../../sim/mesh/checkers/duplicates.ts'
import { durability } from '../../../sim/mesh/checkers/durability.ts'
import { TASK_CHECKERS } from '../../../sim/mesh/checkers/index.ts'
import { limits } from '../../../sim/mesh/checkers/limits.ts'
import { recurrence } from '../../../sim/mesh/checkers/recurrence.ts'
import { requests } from '../../../sim/mesh/checkers/requests.ts'
import { timeliness } from '../../../sim/mesh/checkers/timeliness.ts'
import type { Gauge } from '../../../sim/mesh/gauges.ts'
import { MeshHistory } from '../../../sim/mesh/history.ts'
import { planMesh } from '../../../sim/mesh/planner.ts'
import { NIGHTS, type Night } from '../../../sim/mesh/tasks/calendar-draws.ts'
import {
  type Inspection,
  type MeshOp,
  type MeshStory,
  TaskHistory,
} from '../../../sim/mesh/tasks/task-history.ts'
import { VirtualClock } from '../../../sim/virtual-clock.ts'
import type { StoreId } from '../../../src/membership/view.ts'
import { runIdOf } from '../../../src/task/ids.ts'
import { DEFAULT_POLICY, type Policy } from '../../../src/task/policy.ts'
import type { Schedule } from '../../../src/task/schedule.ts'

const PLAN = planMesh({ seed: 1, mix: 'task-calm', minutes: 3, nodes: 3 })
const ENDED_AT = 300_000

let history: MeshHistory
let tasks: TaskHistory
let serial = 0

beforeEach(() => {
  const clock = new VirtualClock({ wallMs: 0 })
  history = new MeshHistory(clock)
  // The wall clock shows what the monotonic one does.
  tasks = new TaskHistory(0)
  history.tasks = tasks
  Object.assign(history, { healedAt: 180_000, agreedAt: 185_000, restsAt: 195_000, endedAt: ENDED_AT })
})

function judged(checker: MeshChecker): string[] {
  const found: string[] = []
  checker.check(history, PLAN, text => found.push(text.split('\n')[0] as string))
  return found
}

function spec(schedule: Schedule, changes: Partial<Spec> = {}): Spec {
  return {
    name: 'quick',
    schedule,
    policy: DEFAULT_POLICY,
    payload: `${serial++}`,
    conduct: { durationMs: [1, 2], failShare: 0, failFirst: 0, hangShare: 0, fatalShare: 0, followUps: 0 },
    keyTtlMs: 0,
    ifAbsent: false,
    minted: false,
    madeAtWall: 0,
    ...changes,
  }
}

/** A call that was answered 5 ms after it was sent, unless it says otherwise. */
function call(story: MeshStory, method: Method, sentAt: number, changes: Partial<MeshOp> = {}): MeshOp {
  const op: MeshOp = {
    method,
    isRouted: false,
    story,
    caller: 'c',
    n: serial++,
    target: story.id,
    spec: undefined,
    sentAt,
    madeAtWall: sentAt,
    sendCount: 1,
    ackAt: sentAt + 5,
    outcome: method === 'schedule' ? 'created' : 'done',
    answer: undefined,
    unknown: false,
    sends: [{ at: sentAt, node: 0 }],
    answers: [{ at: sentAt + 5, node: 0, code: 'done' }],
    ...changes,
  }
  story.ops.push(op)
  return op
}

function oneShot(id: string, sentAt: number, at: number, changes: Partial<MeshOp> = {}): MeshOp {
  const schedule: Schedule = { kind: 'at', at }
  return call(tasks.story(id), 'schedule', sentAt, {
    spec: spec(schedule, { madeAtWall: sentAt }),
    ...changes,
  })
}

/** An attempt of 10 ms on node 0 that completed, unless it says otherwise. */
function ran(op: MeshOp, startedAt: number, changes: Partial<Attempt> = {}): Attempt {
  const story = op.story as MeshStory
  const schedule = op.spec?.schedule
  const instant = changes.instant ?? (schedule?.kind === 'at' ? schedule.at : startedAt)
  const attempt: Attempt = {
    story,
    runId: runIdOf(story.id, changes.life ?? 1, true, instant),
    life: 1,
    firstLife: true,
    instant,
    attempt: 1,
    fence: undefined,
    client: 0,
    boot: 1,
    receivedAt: startedAt,
    startedAt,
    startedWall: startedAt,
    version: op,
    payloadFault: undefined,
    endedAt: startedAt + 10,
    endedWall: startedAt + 10,
    end: 'completed',
    result: undefined,
    abortedAt: undefined,
    abortReason: undefined,
    ...changes,
  }
  story.attempts.push(attempt)
  return attempt
}

function strike(fault: string, from: number, to: number, nodes: number[] = [0], others: number[] = []): void {
  history.strikes.push({ fault, from, to, nodes, others })
}

function started(node: number, at: number): void {
  history.starts.push({ at, node, store: `s${node}` as StoreId, boot: 1, startId: '', disk: 1 })
}

function heldForAway(about: number, node: number): void {
  started(about, 1000)
  history.alarms.push({ at: 21_000, node, about, state: 'away', healthyMs: undefined, excuse: 'a test' })
}

function justStarted(node: number, busy: number): void {
  started(node, 24_000)
  strike('busy-machine', 15_000, 24_500, [busy])
}

function looked(node: number, range: number, changes: Partial<Inspection> = {}): Inspection {
  return { node, range, acts: node === 0, isListed: true, records: new Map(), ...changes }
}

describe('durability', () => {
  test('passes what was carried out, and refuses what was acknowledged and never started', () => {
    ran(oneShot('a', 1000, 20_000), 20_001)
    expect(judged(durability)).toEqual([])
    oneShot('b', 1000, 20_000)
    expect(judged(durability)).toEqual([
      'b was acknowledged at 1.005 s, due at 20.000 s, and was not carried out',
    ])
  })

  test('an attempt that did not end is no end, and the last of all attempts is one', () => {
    const op = oneShot('a', 1000, 20_000)
    ran(op, 20_001, { end: 'killed' })
    ran(op, 21_000, { end: 'failed', attempt: 2 })
    expect(judged(durability)).toHaveLength(1)
    ran(op, 22_000, { end: 'failed', attempt: DEFAULT_POLICY.retry.max })
    expect(judged(durability)).toEqual([])
  })

  test('a worker that was lost with the last of all attempts leaves none', () => {
    const op = oneShot('a', 1000, 20_000)
    ran(op, 20_001, { end: 'orphaned', attempt: DEFAULT_POLICY.retry.max - 1 })
    expect(judged(durability)).toHaveLength(1)
    ran(op, 22_000, { end: 'orphaned', attempt: DEFAULT_POLICY.retry.max })
    expect(judged(durability)).toEqual([])
  })

  test('asks nothing of what was cancelled, refused, not answered, or due in the last moment', () => {
    call(oneShot('a', 1000, 20_000).story as MeshStory, 'cancel', 2000, { answer: { cancelled: true } })
    oneShot('b', 1000, 20_000, { outcome: 'INVALID' })
    oneShot('c', 1000, 20_000, { ackAt: undefined, outcome: undefined })
    oneShot('d', 1000, ENDED_AT - 1000)
    expect(judged(durability)).toEqual([])
  })

  test('a cancel that found nothing to cancel excuses nothing', () => {
    call(oneShot('a', 1000, 20_000).story as MeshStory, 'cancel', 2000, { answer: { cancelled: false } })
    expect(judged(durability)).toHaveLength(1)
  })

  test('of changes that two owners may have taken it does not say which holds', () => {
    const op = oneShot('a', 1000, 20_000)
    call(op.story as MeshStory, 'schedule', 8000, { spec: op.spec, outcome: 'replaced' })
    expect(judged(durability)).toHaveLength(1)
    strike('halves', 7000, 9000, [0], [1, 2])
    expect(judged(durability)).toEqual([])
  })

  test('one change alone must last in a partition, too', () => {
    strike('halves', 500, 9000, [0], [1, 2])
    oneShot('a', 1000, 20_000)
    expect(judged(durability)).toHaveLength(1)
  })

  test('what lies ahead is on all stores that are listed for its range', () => {
    oneShot('a', 1000, ENDED_AT + 60_000)
    const has = new Map([['a', '…']])
    tasks.inspections = [looked(0, 3, { records: has }), looked(1, 3, { records: has }), looked(2, 4)]
    expect(judged(durability)).toEqual([])
    tasks.inspections = [looked(0, 3, { records: has }), looked(1, 3), looked(2, 4)]
    expect(judged(durability)).toEqual([
      'a was acknowledged at 1.005 s, lies ahead, and of n0 n1 only n0 have it',
    ])
    tasks.inspections = [looked(0, 3), looked(1, 3)]
    expect(judged(durability)).toEqual(['a was acknowledged at 1.005 s, lies ahead, and no store has it'])
  })

  test('what recurs for ever is there in the end', () => {
    const schedule: Schedule = { kind: 'every', everyMs: 5000, from: 'phase', anchor: 0 }
    const op = call(tasks.story('a'), 'schedule', 1000, { spec: spec(schedule) })
    ran(op, 5000)
    tasks.inspections = [looked(0, 3)]
    expect(judged(durability)).toEqual(['a recurs, and no store has it'])
  })

  test('a run by hand that was acknowledged is carried out', () => {
    const op = oneShot('a', 1000, ENDED_AT + 60_000)
    call(op.story as MeshStory, 'trigger', 30_000, { answer: { run: 'a@30001' } })
    expect(judged(durability)).toEqual([
      'a@30001 was asked for by hand, acknowledged at 30.005 s, and was not carried out',
    ])
    ran(op, 30_010, { instant: 30_001 })
    expect(judged(durability)).toEqual([])
  })

  test('a follow-up of what completed is carried out, and one that nobody asked for is not', () => {
    const maker = ran(oneShot('a', 1000, 20_000), 20_001)
    const story = tasks.story(`${maker.runId}/0`)
    const child = spec({ kind: 'at', at: 20_010 })
    story.parent = { runId: maker.runId, spec: child, attempts: [maker] }
    expect(judged(durability)[0]).toMatch(/^a@20000\/0 follows a@20000, .* and was not carried out$/)
    const run = ran(maker.version as MeshOp, 20_020, { story })
    story.attempts.push(run)
    expect(judged(durability)).toEqual([])
    maker.end = 'killed'
    expect(judged(durability)).toContain('a@20000/0 was started, and no run asked for it')
  })

  test('a follow-up that lies ahead, by a clock that was wrong, is in all stores that should have it', () => {
    const maker = ran(oneShot('a', 1000, 20_000), 20_001)
    const story = tasks.story(`${maker.runId}/0`)
    const child = spec({ kind: 'at', at: ENDED_AT + 60_000 })
    story.parent = { runId: maker.runId, spec: child, attempts: [maker] }
    tasks.inspections = [0, 1].map(node => looked(node, 3, { records: new Map([['other', '']]) }))
    expect(judged(durability)).toEqual(['a@20000/0 follows a@20000, lies ahead, and no store has it'])
    tasks.inspections = [0, 1].map(node => looked(node, 3, { records: new Map([[story.id, '']]) }))
    expect(judged(durability)).toEqual([])
  })
})

describe('cancel', () => {
  const cancelled = (firm: boolean): MeshOp => {
    const op = oneShot('a', 1000, 20_000)
    call(op.story as MeshStory, 'cancel', 19_000, { answer: { cancelled: true, firm } })
    return op
  }

  test.each([true, false])('refuses a start after it in a calm mesh, firm: %s', firm => {
    ran(cancelled(firm), 20_001)
    expect(judged(cancel)).toHaveLength(1)
  })

  test('passes a start before it, or under way when it was answered', () => {
    ran(cancelled(true), 19_009)
    expect(judged(cancel)).toEqual([])
  })

  test('a trigger that was refused, and is carried out when it is sent again after a pause, starts what it asked for', () => {
    const { story } = oneShot('a', 1000, 200_000)
    const trigger = call(story as MeshStory, 'trigger', 2000, { outcome: 'NOT_FOUND' })
    call(story as MeshStory, 'pause', 3000, { answer: { paused: true, firm: true } })
    ran(trigger, 5002, { instant: 5001 })
    trigger.answers[0] = { at: 2005, node: 0, code: 'NOT_FOUND' }
    trigger.sends.push({ at: 5000, node: 0 })
    trigger.answers.push({ at: 5003, node: 0, code: 'NOT_FOUND' })
    expect(judged(cancel)).toHaveLength(1)
    trigger.answers[1] = { at: 5003, node: 0, code: 'done' }
    expect(judged(cancel)).toEqual([])
    // Not what started before, nor what an answered one asked for.
    trigger.sends[1] = { at: 5003, node: 0 }
    expect(judged(cancel)).toHaveLength(1)
    Object.assign(trigger, { outcome: 'done', sends: [{ at: 5000, node: 0 }] })
    expect(judged(cancel)).toHaveLength(1)
  })

  test('a cancel that cancelled nothing forbids nothing', () => {
    const op = oneShot('a', 1000, 20_000)
    call(op.story as MeshStory, 'cancel', 19_000, { answer: { cancelled: false, firm: true } })
    ran(op, 20_001)
    expect(judged(cancel)).toEqual([])
  })

  test('a crash is no reason, and two are one for who takes over if it was not firm', () => {
    history.ends.push({ at: 19_500, node: 0 })
    const [firm, soft] = [cancelled(true), oneShot('b', 1000, 20_000)]
    call(soft.story as MeshStory, 'cancel', 19_000, { answer: { cancelled: true, firm: false } })
    ran(firm, 20_001)
    ran(soft, 20_001)
    expect(judged(cancel).map(text => text.slice(0, 2))).toEqual(['a@', 'b@'])
    history.ends.push({ at: 19_600, node: 1 })
    expect(judged(cancel).map(text => text.slice(0, 2))).toEqual(['a@'])
    expect(history.counters['started after a cancel: several down']).toBe(1)
  })

  test('who is cut off may start it still, and the others may not', () => {
    strike('isolate', 19_500, 40_000, [2], [0, 1])
    const op = cancelled(true)
    ran(op, 20_001, { client: 2 })
    expect(judged(cancel)).toEqual([])
    ran(op, 20_002, { client: 1 })
    expect(judged(cancel)).toHaveLength(1)
  })

  test('a call that was refused is a new one when it comes again; one that was carried out only to who acts unsure', () => {
    const op = oneShot('a', 1000, 20_000)
    const story = op.story as MeshStory
    const again = (at: number): void => void op.sends.push({ at, node: 0 })
    call(story, 'cancel', 19_000, { answer: { cancelled: true, firm: true } })
    ran(op, 20_001)
    again(19_500)
    expect(judged(cancel)).toHaveLength(1)
    history.ends.push({ at: 19_400, node: 0 }, { at: 19_400, node: 1 })
    expect(judged(cancel)).toEqual([])
    history.ends.length = 0
    const sends = [1500, 20_002].map(at => ({ at, node: 0 }))
    const refused = call(story, 'resume', 1500, { outcome: 'NOT_FOUND', sends })
    story.ops.unshift(...story.ops.splice(-1))
    expect(judged(cancel)).toHaveLength(1)
    refused.sends.push({ at: 19_600, node: 0 })
    refused.answers.push({ at: 19_700, node: 0, code: 'done' })
    expect(judged(cancel)).toEqual([])
  })

  test('a pause holds back what falls due after it, until somebody resumes', () => {
    const op = oneShot('a', 1000, 20_000)
    call(op.story as MeshStory, 'pause', 19_000, { answer: { paused: true, firm: true } })
    ran(op, 25_000)
    expect(judged(cancel)).toHaveLength(1)
    call(op.story as MeshStory, 'resume', 24_000)
    expect(judged(cancel)).toEqual([])
  })
})

describe('duplicates', () => {
  test('passes a retry of what failed, and refuses one of what completed, or runs', () => {
    const failed = oneShot('a', 1000, 20_000)
    ran(failed, 20_001, { end: 'failed' })
    ran(failed, 21_001, { attempt: 2, client: 1 })
    expect(judged(duplicates)).toEqual([])
    const twice = oneShot('b', 1000, 20_000)
    ran(twice, 20_001)
    ran(twice, 25_000, { client: 1 })
    const atOnce = oneShot('c', 1000, 20_000)
    ran(atOnce, 20_001, { endedAt: 29_000 })
    ran(atOnce, 25_000, { client: 1 })
    expect(judged(duplicates).map(text => text.slice(0, 1))).toEqual(['b', 'c'])
  })

  test.each<[string, (op: MeshOp) => void]>([
    ['crash', () => history.ends.push({ at: 21_000, node: 0 })],
    ['worker loss', () => tasks.workerLosses.push({ at: 20_005, node: 0 })],
    ['partition', () => strike('halves', 15_000, 22_000, [0], [1, 2])],
    ['pause', () => strike('pause', 15_000, 22_000, [1])],
    ['orderly stop', () => history.stops.push({ at: 20_005, node: 0, graceMs: 0 })],
    ['held for away', () => heldForAway(0, 1)],
    ['held for away', () => heldForAway(1, 2)],
    ['out of reach', () => justStarted(1, 0)],
    ['out of reach', () => justStarted(0, 1)],
    ['several down', () => history.ends.push({ at: 22_000, node: 1 }, { at: 23_000, node: 2 })],
  ])('bears and counts one after a %s', (kind, happen) => {
    const op = oneShot('a', 1000, 20_000)
    ran(op, 20_001)
    ran(op, 25_000, { client: 1 })
    happen(op)
    expect(judged(duplicates)).toEqual([])
    expect(history.counters[`duplicates, completed twice: ${kind}`]).toBe(1)
  })

  test('a node that was stopping and lived on was held for away by mistake, if it was live again', () => {
    const op = oneShot('a', 1000, 20_000)
    ran(op, 20_001)
    ran(op, 25_000, { client: 1 })
    heldForAway(0, 1)
    history.stops.push({ at: 20_100, node: 0, graceMs: 10_000 })
    expect(judged(duplicates)).toHaveLength(1)
    const stores = [{ store: 's0', boot: 1, state: 'live' }]
    history.views.push({ at: 21_500, node: 1, view: { stores } as never })
    expect(judged(duplicates)).toEqual([])
  })

  test('who stood still, had no worker, and gave the run to another when it went on, explains the second start', () => {
    const op = oneShot('a', 1000, 20_000)
    ran(op, 20_001)
    ran(op, 40_000)
    strike('pause', 22_000, 39_999, [2])
    expect(judged(duplicates)).toHaveLength(1)
    strike('worker-loss', 19_500, 45_000, [2])
    expect(judged(duplicates)).toEqual([])
  })

  test('a run that went to another node, as its own had no worker, is lost with its own', () => {
    const op = oneShot('a', 1000, 20_000)
    ran(op, 20_001, { end: undefined, endedAt: undefined })
    ran(op, 25_000, { client: 1 })
    history.stops.push({ at: 21_000, node: 2, graceMs: 0 })
    expect(judged(duplicates)).toHaveLength(1)
    strike('worker-loss', 15_000, 19_500, [2])
    expect(judged(duplicates)).toEqual([])
  })

  test.each<[string, () => void]>([
    ['a crash of another node', () => history.ends.push({ at: 21_000, node: 2 })],
    ['a worker that was lost later', () => tasks.workerLosses.push({ at: 21_000, node: 0 })],
    ['an orderly end', () => history.ends.push({ at: 21_000, node: 0, isOrderly: true })],
    ['a stop that gave it the time', () => history.stops.push({ at: 20_005, node: 0, graceMs: 10_000 })],
    ['a stop after it', () => history.stops.push({ at: 20_100, node: 0, graceMs: 0 })],
    ['a stop of who starts it again', () => history.stops.push({ at: 20_005, node: 1, graceMs: 0 })],
    ['a view that changed', () => history.views.push({ at: 19_900, node: 1, view: {} as never })],
    ['another that was held for away', () => heldForAway(2, 1)],
    [
      'one that had ended, and was held for away',
      () => {
        history.ends.push({ at: 20_900, node: 0, isOrderly: true })
        heldForAway(0, 1)
      },
    ],
    ['a busy machine', () => strike('busy-machine', 15_000, 30_000, [0, 1, 2])],
    ['a pause of another node', () => strike('pause', 15_000, 22_000, [2])],
    ['a crash before', () => history.ends.push({ at: 19_000, node: 0 })],
    ['a crash long after', () => history.ends.push({ at: 31_000, node: 0 })],
    ['a restart long after', () => history.stops.push({ at: 31_000, node: 0, graceMs: 0 })],
    ['a slow disk', () => strike('slow-disk', 15_000, 30_000)],
    ['a partition that is long over', () => strike('halves', 1000, 3000, [0], [1, 2])],
  ])('%s is no reason', (_what, happen) => {
    const op = oneShot('a', 1000, 20_000)
    ran(op, 20_001)
    ran(op, 35_000, { client: 1 })
    happen()
    expect(judged(duplicates)).toHaveLength(1)
    // What comes after the end of all is not judged.
    history.endedAt = 34_000
    expect(judged(duplicates)).toEqual([])
  })
})

describe('requests', () => {
  test('passes one life and one run of what was sent many times, and refuses two', () => {
    const op = oneShot('a', 1000, 20_000, { sendCount: 4 })
    ran(op, 20_001)
    expect(judged(requests)).toEqual([])
    ran(op, 21_000, { life: 2, runId: 'a~2@20000' })
    expect(judged(requests)).toEqual(['a was created once, and has lived 2 times'])
  })

  test('a trigger makes one run', () => {
    const op = oneShot('a', 1000, 20_000)
    call(op.story as MeshStory, 'trigger', 19_000)
    ran(op, 19_006, { instant: 19_005 })
    ran(op, 20_001)
    expect(judged(requests)).toEqual([])
    ran(op, 20_100, { instant: 20_099 })
    expect(judged(requests)).toEqual(['a was created once and triggered 1 times, and has 3 runs'])
  })

  test('an id that was made again may live again', () => {
    const op = oneShot('a', 1000, 2000)
    ran(op, 2001)
    ran(oneShot('a', 5000, 6000), 6001, { life: 2 })
    expect(judged(requests)).toEqual([])
  })

  test('refuses a call that nobody ever answered', () => {
    oneShot('a', 1000, ENDED_AT + 1, { ackAt: undefined, outcome: undefined })
    expect(judged(requests)[0]).toMatch(/^schedule a n=\d+ was never answered$/)
  })
})

describe('timeliness', () => {
  test('refuses a start before its instant, by the clock of whoever may have found it due', () => {
    ran(oneShot('a', 1000, 20_000), 20_000)
    expect(judged(timeliness)).toEqual([])
    ran(oneShot('b', 1000, 20_000), 19_950, { client: 1 })
    expect(judged(timeliness)).toEqual(['b@20000 started on n1 at 19.950 s, 50 ms before its instant'])
    tasks.skews.push({ at: 10_000, node: 1, ms: 80 })
    expect(judged(timeliness)).toEqual([])
  })

  test('refuses a late start where nothing is the matter', () => {
    ran(oneShot('a', 1000, 100_000), 102_000)
    expect(judged(timeliness)).toEqual(['a@100000 started 2000 ms late, and nothing was the matter for long'])
    strike('crash', 90_000, 95_000)
    expect(judged(timeliness)).toEqual([])
  })

  test('what was late itself is not carried out late', () => {
    ran(oneShot('a', 100_000, 50_000), 100_007)
    ran(oneShot('b', 100_000, 50_000, { sends: [{ at: 109_000, node: 1 }], ackAt: 109_800 }), 109_010)
    expect(judged(timeliness)).toEqual([])
  })
})

describe('recurrence', () => {
  const every: Schedule = { kind: 'every', everyMs: 50_000, from: 'phase', anchor: 0 }
  const story = (): MeshStory => tasks.story('a')

  test('refuses an occurrence that was passed over, unless there was trouble', () => {
    const op = call(story(), 'schedule', 1000, { spec: spec(every) })
    for (const at of [50_000, 150_000, 200_000, 250_000]) ran(op, at)
    expect(judged(recurrence)[0]).toMatch(/^a was due at 100.000 s, and that was passed over; /)
    strike('isolate', 99_000, 110_000, [0], [1, 2])
    expect(judged(recurrence)).toEqual([])
  })

  test('where all is to be caught up no trouble excuses, nor is a pause one', () => {
    const policy: Policy = { ...DEFAULT_POLICY, misfire: { kind: 'all', max: 100, afterMs: 60_000 } }
    strike('isolate', 99_000, 110_000, [0], [1, 2])
    const op = call(story(), 'schedule', 1000, { spec: spec(every, { policy }) })
    for (const at of [50_000, 150_000, 200_000, 250_000]) ran(op, at)
    expect(judged(recurrence)[0]).toMatch(/^a was due at 100.000 s, and that was never caught up; /)
    ran(op, 170_000, { instant: 100_000 })
    expect(judged(recurrence)).toEqual([])
    call(story(), 'pause', 260_000)
    expect(judged(recurrence)).toEqual([])
  })

  test('asks only for as many as were asked for, and takes no more', () => {
    const op = call(story(), 'schedule', 1000, { spec: spec({ ...every, max: 2 }) })
    ran(op, 50_000)
    expect(judged(recurrence)).toHaveLength(1)
    ran(op, 100_000)
    expect(judged(recurrence)).toEqual([])
    ran(op, 150_000)
    expect(judged(recurrence)[0]).toBe('a has 3 occurrences, its max is 2')
  })

  test('refuses a run at an instant of no calendar, unless it was asked for by hand', () => {
    const op = call(story(), 'schedule', 1000, { spec: spec(every) })
    for (const at of [50_000, 100_000, 150_000, 200_000, 250_000]) ran(op, at)
    ran(op, 120_000)
    expect(judged(recurrence)[0]).toMatch(/^a@120000 is at none of the instants of its schedule /)
    call(story(), 'trigger', 119_990, { answer: { run: 'a@120000' } })
    expect(judged(recurrence)).toEqual([])
  })

  test('knows a night on which clocks change: what its gap moved is due an hour later, and once', () => {
    const [{ at, tz }] = NIGHTS as [Night]
    tasks = new TaskHistory(at - 100_000)
    history.tasks = tasks
    // 2:01 is not there; 3:01 is a minute after the change.
    const schedule: Schedule = {
      kind: 'cron',
      pattern: '1 2 * * *',
      tz,
      dst: { gap: 'shift', overlap: 'auto' },
    }
    const op = call(story(), 'schedule', 1000, { spec: spec(schedule, { madeAtWall: at - 99_000 }) })
    expect(judged(recurrence)[0]).toMatch(/^a was due at 160.000 s, and that was passed over; /)
    ran(op, 160_000, { instant: at + 60_000 })
    expect(judged(recurrence)).toEqual([])
    ran(op, 161_000, { instant: at + 61_000 })
    expect(judged(recurrence)).toHaveLength(1)
  })
})

describe('convergence', () => {
  const equal = new Map([['a', 'text']])

  test('passes one that acts and equal records, and tells what is wrong with a range', () => {
    const good = [0, 1, 2].map(node => looked(node, 3, { records: equal }))
    expect(unconverged(good).size).toBe(0)
    const why = (...changed: Inspection[]): string | undefined => unconverged(changed).get(3)
    expect(why(...good.map(each => ({ ...each, acts: false })))).toBe('range 3: nobody acts for it')
    expect(why(...good.map(each => ({ ...each, acts: true })))).toBe('range 3: n0 n1 n2 act for it')
    const left = [...good, looked(4, 3, { isListed: false, records: equal })]
    expect(why(...left)).toBeUndefined()
    expect(unconverged(left, true).get(3)).toMatch(/n4 are not listed, and still have records/)
    expect(why(...good.slice(1), looked(0, 3, { isListed: false }))).toMatch(/n0 acts, and is not listed/)
    expect(why(...good.slice(0, 2), looked(2, 3))).toMatch(/n0 and n2 differ in 1 records, one is a/)
    expect(why(...good.slice(0, 2), looked(2, 3, { records: new Map([['a', 'other']]) }))).toMatch(/differ/)
    expect(why(...good, looked(4, 3, { isListed: false }))).toBeUndefined()
  })

  test('refuses a mesh that did not come there in time, and one that did not stay', () => {
    // A change may be under way in the last moment; a second one that acts may not.
    tasks.inspections = [looked(0, 3, { records: equal }), looked(1, 3)]
    expect(judged(convergence)).toEqual([])
    tasks.apart = new Map([[3, 'range 3: nobody acts for it']])
    expect(judged(convergence)).toEqual([
      'not within the bound after the views were at rest, nor later: range 3: nobody acts for it',
    ])
    tasks.inspections = [looked(0, 3, { records: equal }), looked(1, 3, { records: equal })]
    expect(judged(convergence)).toEqual([
      'not within the bound after the views were at rest, but later: range 3: nobody acts for it',
    ])
    tasks.apart = new Map()
    tasks.inspections = [looked(0, 3), looked(1, 3, { acts: true })]
    expect(judged(convergence)).toEqual(['in the end range 3: n0 n1 act for it'])
  })

  test('says nothing where the engines do not tell', () => {
    expect(judged(convergence)).toEqual([])
  })
})

describe('limits', () => {
  const calm = { timers: 5, connections: 2, queued: 0, running: 1, takesWork: true, withoutWorker: [] }

  /** Three nodes, twice. */
  function gauged(changes: Partial<Gauge>, later: Partial<Gauge> = {}): string[] {
    tasks.gauges.length = 0
    for (const at of [200_000, 230_000]) {
      for (const node of [0, 1, 2])
        tasks.gauges.push({
          ...calm,
          at,
          node,
          ...(node === 1 ? changes : {}),
          ...(at > 200_000 ? later : {}),
        })
    }
    return judged(limits)
  }

  test('passes nodes at rest, and tells what a node has left over', () => {
    expect(gauged({})).toEqual([])
    const both = (what: string): string[] =>
      ['200.000', '230.000'].map(at => `n1 at ${at} s, though all is well, ${what}`)
    expect(gauged({ timers: 80 })).toEqual(both('has 80 timers'))
    expect(gauged({ connections: 3 })).toEqual(both('has 3 connections with 2 others'))
    expect(gauged({ queued: 60 })).toEqual(both('has 60 runs that wait'))
    expect(gauged({ running: 120 })).toEqual(both('has 120 attempts under way'))
    expect(gauged({ takesWork: false })).toEqual(both('takes no work'))
    expect(gauged({ withoutWorker: ['quick'] })).toEqual(both('finds nobody for runs of quick'))
  })

  test('refuses timers that grow though nothing happens', () => {
    expect(gauged({}, { timers: 15 })).toEqual([])
    expect(gauged({}, { timers: 20 })[0]).toBe(
      'n0 has 15 timers more than 30.000 s ago, and nothing happened',
    )
  })
})

test('without tasks there is nothing to judge', () => {
  oneShot('a', 1000, 20_000)
  history.tasks = undefined
  expect(TASK_CHECKERS.length).toBeGreaterThan(0)
  for (const checker of TASK_CHECKERS) expect(judged(checker)).toEqual([])
})
