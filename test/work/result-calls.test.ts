/** Who waits for a result waits from the question on, also while what is there is read. */

import { expect, test } from 'vitest'
import { Calls, type CallsParts } from '../../src/work/calls.ts'
import type { LiveRecord } from '../../src/work/live-run.ts'
import { NO_ROUND } from '../../src/work/rounds.ts'
import { TaskOrder } from '../../src/work/task-order.ts'

const LIVE = { nextAt: 1, hasOpenRun: true, runs: [], kept: [] } as unknown as LiveRecord

function slowCalls(): { calls: Calls; read: () => Promise<void> } {
  let read = (): void => undefined
  const store = {
    rangeOf: () => 0,
    peek: () => undefined,
    release: () => undefined,
    load: () => new Promise<readonly LiveRecord[]>(resolve => (read = () => resolve([LIVE]))),
  }
  const ownership = { isShared: false, refusal: () => undefined }
  const order = new TaskOrder()
  const parts = { store, order, ownership: () => ownership, stir: () => undefined } as unknown as CallsParts
  const calls = new Calls({ logTasksMax: 1, logLinesMax: 1, waitersMax: 10 }, parts)
  return {
    calls,
    read: async () => {
      read()
      await new Promise(resolve => setImmediate(resolve))
    },
  }
}

function asker(): { answered: unknown[]; refused: unknown[]; answer: () => void; refuse: () => void } {
  const answered: unknown[] = []
  const refused: unknown[] = []
  return {
    answered,
    refused,
    answer: (...all: unknown[]) => void answered.push(all),
    refuse: (...all: unknown[]) => void refused.push(all),
  }
}

test('it is given up while the task is read: nobody waits then', async () => {
  const { calls, read } = slowCalls()
  const who = asker()
  void calls.answer(who, 1, { method: 'result', id: 't' }, NO_ROUND)
  await calls.answer(who, 2, { method: 'forget', call: 1 }, NO_ROUND)
  await read()
  calls.ceased(() => true)
  expect(who.refused).toEqual([])
})

test('another node begins to act while the task is read: whoever waits is told', async () => {
  const { calls, read } = slowCalls()
  const who = asker()
  void calls.answer(who, 1, { method: 'result', id: 't' }, NO_ROUND)
  calls.ceased(() => true)
  expect(who.refused).toMatchObject([[1, { code: 'NOT_OWNER' }]])
  await read()
  calls.ceased(() => true)
  expect(who.refused).toHaveLength(1)
  expect(who.answered).toEqual([])
})
