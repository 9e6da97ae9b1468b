/** Each checker passes a good history, and fails one that it is there for. */

import { describe, expect, test } from 'vitest'
import { boots } from '../../../sim/mesh/checkers/boots.ts'
import type { MeshChecker } from '../../../sim/mesh/checkers/checker.ts'
import { falseAlarm } from '../../../sim/mesh/checkers/false-alarm.ts'
import { founding } from '../../../sim/mesh/checkers/founding.ts'
import { oneView } from '../../../sim/mesh/checkers/one-view.ts'
import { quiet } from '../../../sim/mesh/checkers/quiet.ts'
import { viewIds } from '../../../sim/mesh/checkers/view-ids.ts'
import { type Alarm, MeshHistory, type StoreStart } from '../../../sim/mesh/history.ts'
import { type MeshPlan, planMesh } from '../../../sim/mesh/planner.ts'
import { VirtualClock } from '../../../sim/virtual-clock.ts'
import type { MemberState, StoreId, View } from '../../../src/membership/view.ts'

const PLAN = planMesh({ seed: 1, mix: 'all', minutes: 1 })
const CROWDED: MeshPlan = { ...PLAN, isCrowded: true }

function judged(checker: MeshChecker, fill: (history: MeshHistory) => void, plan = PLAN): string[] {
  const history = new MeshHistory(new VirtualClock())
  Object.assign(history, { healedAt: 1000, agreedAt: 2000, restsAt: 5000, endedAt: 9000 })
  fill(history)
  const found: string[] = []
  checker.check(history, plan, text => found.push(text))
  return found
}

type Entry = readonly [store: string, boot: number, state: MemberState]

function view(id: string, ...entries: Entry[]): View {
  const stores = entries.map(([store, boot, state]) => ({
    store: store as StoreId,
    node: `node of ${store}`,
    boot,
    startId: `${store}${boot}`,
    state,
    zone: '',
    weight: 1,
    addresses: [],
  }))
  return { id, meshId: 'm', ranges: 16, replicas: 3, stores }
}

function sees(history: MeshHistory, at: number, node: number, seen: View): void {
  history.views.push({ at, node, view: seen })
}

function start(node: number, store: string, boot: number, at: number, disk = 1): StoreStart {
  return { at, node, store: store as StoreId, boot, startId: `${store}${boot}`, disk }
}

describe('one-view', () => {
  test('fails when there was no agreement, unless there was a crowd', () => {
    const fill = (history: MeshHistory): void => {
      history.agreedAt = undefined
    }
    expect(judged(oneView, fill)).toHaveLength(1)
    expect(judged(oneView, fill, CROWDED)).toEqual([])
  })

  test.each<[string, boolean, View]>([
    ['stays', true, view('2', ['a', 1, 'live'], ['b', 1, 'away'])],
    ['finds gone who was away', true, view('2', ['a', 1, 'live'], ['b', 1, 'gone'])],
    ['finds away who was live', false, view('2', ['a', 1, 'away'], ['b', 1, 'away'])],
    ['finds live who was away', false, view('2', ['a', 1, 'live'], ['b', 1, 'live'])],
    ['sees another boot', false, view('2', ['a', 2, 'live'], ['b', 1, 'away'])],
    ['sees one more', false, view('2', ['a', 1, 'live'], ['b', 1, 'away'], ['c', 1, 'live'])],
    ['sees one less', false, view('2', ['a', 1, 'live'])],
  ])('of a rest in which a node %s says %s', (_what, passes, after) => {
    const found = judged(oneView, history => {
      sees(history, 1500, 0, view('1', ['a', 1, 'live'], ['b', 1, 'away']))
      sees(history, 7000, 0, after)
    })
    expect(found.length === 0).toBe(passes)
  })
})

describe('false-alarm', () => {
  const alarm: Alarm = { at: 1, node: 0, about: 1, state: 'away', healthyMs: 60_000, excuse: undefined }

  test.each<[string, number, Alarm]>([
    ['healthy for the window', 1, alarm],
    ['not healthy', 0, { ...alarm, healthyMs: undefined }],
    ['healthy for a short time', 0, { ...alarm, healthyMs: 29_999 }],
    ['healthy, while somebody was misled', 0, { ...alarm, excuse: 'n3' }],
  ])('an alarm about one that was %s: %i faults', (_what, count, each) => {
    expect(judged(falseAlarm(30_000), history => void history.alarms.push(each))).toHaveLength(count)
  })
})

describe('founding', () => {
  const founded = (history: MeshHistory, node: number, meshId: string): void => {
    history.founded.push({ at: node, node, store: `${node}` as StoreId, meshId })
  }

  test('passes one mesh, and fails two', () => {
    const one = (history: MeshHistory): void => {
      founded(history, 0, 'm')
      founded(history, 1, 'm')
      sees(history, 5, 1, view('1', ['a', 1, 'live']))
    }
    expect(judged(founding, one)).toEqual([])
    expect(
      judged(founding, history => {
        one(history)
        founded(history, 2, 'n')
      }),
    ).toHaveLength(1)
  })

  test('fails a view of a mesh that nobody has founded', () => {
    const found = judged(founding, history => {
      founded(history, 0, 'n')
      sees(history, 5, 1, view('1', ['a', 1, 'live']))
    })
    expect(found).toHaveLength(1)
  })
})

describe('boots', () => {
  test('fails a view that goes back, also over a restart of who sees it', () => {
    const restarted = (disk: 'kept' | 'wiped') =>
      judged(boots, history => {
        history.starts.push(start(0, 'a', 1, 0), start(1, 'b', 1, 0), start(1, 'b', 2, 10))
        sees(history, 20, 0, view('1', ['a', 1, 'live'], ['b', 2, 'live']))
        history.starts.push(disk === 'kept' ? start(0, 'a', 2, 30) : start(0, 'c', 5, 30, 2))
        sees(history, 40, 0, view('2', ['a', 2, 'live'], ['b', 1, 'live']))
      })
    expect(restarted('kept')).toHaveLength(1)
    expect(restarted('wiped')).toEqual([])
  })

  test('excuses who ended before what it saw was on its disk, and nobody else', () => {
    const ended = (at: number) =>
      judged(boots, history => {
        history.starts.push(start(0, 'a', 1, 0))
        sees(history, 2000, 0, view('1', ['b', 2, 'live']))
        history.ends.push({ at, node: 0 })
        history.starts.push(start(0, 'a', 2, 9000))
        sees(history, 9500, 0, view('2', ['b', 1, 'live']))
      })
    expect(ended(2500)).toEqual([])
    expect(ended(3500)).toHaveLength(1)
  })

  test.each(['noticed', 'not noticed', 'known to nobody'])('a start from an old disk that was %s', how => {
    const found = judged(boots, history => {
      history.starts.push(start(0, 'a', 1, 0), start(1, 'z', 1, 0), start(0, 'a', 2, 10))
      if (how !== 'known to nobody') sees(history, 15, 1, view('0', ['a', 2, 'live']))
      history.starts.push(start(0, 'a', 2, 20, 2))
      if (how === 'noticed') {
        history.refusals.push({ at: 25, node: 0, store: 'a' as StoreId, code: 'ROLLED_BACK' })
        history.starts.push(start(0, 'b', 3, 30))
      }
      sees(history, 40, 1, view('1', ['a', 2, how === 'noticed' ? 'away' : 'live']))
    })
    expect(found).toHaveLength(how === 'not noticed' ? 1 : 0)
  })
})

describe('view-ids', () => {
  test('passes equal views under one id, fails one id for two and two for one', () => {
    const [one, other] = [view('1', ['a', 1, 'live']), view('2', ['a', 1, 'away'])]
    const of = (...views: View[]) =>
      judged(viewIds, history => {
        for (const [at, each] of views.entries()) sees(history, at, at, each)
      })
    expect(of(one, one, other)).toEqual([])
    expect(of(one, { ...other, id: '1' })).toHaveLength(1)
    expect(of(one, { ...one, id: '3' })).toHaveLength(1)
  })
})

test('quiet fails when timers were left', () => {
  expect(judged(quiet, () => {})).toEqual([])
  const fill = (history: MeshHistory): void => {
    history.timersLeft = 2
  }
  expect(judged(quiet, fill)).toHaveLength(1)
})
