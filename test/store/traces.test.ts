/** Traces of PROTOCOLS, part D, where they concern the store: each broke a looser text once. */

import { beforeEach, describe, expect, test } from 'vitest'
import { isCarillonError } from '../../src/errors.ts'
import { dueFrom, dueIdOf, taskKey } from '../../src/store/keys.ts'
import { RequestLog } from '../../src/store/requests.ts'
import type { Run, TaskRecord } from '../../src/task/record.ts'
import { Judge } from './judge.ts'
import { carryOut, IDS } from './scripts.ts'
import { CALLER, Crashed, OPTIONS, StoreBed } from './test-bed.ts'

describe('traces that concern the store', () => {
  let bed: StoreBed
  let judge: Judge

  beforeEach(async () => {
    bed = new StoreBed()
    await bed.open()
    judge = new Judge(bed, IDS)
  })

  async function restart(): Promise<void> {
    bed.crash()
    await bed.open()
    await judge.restarted()
  }

  async function lifeOf(id: string): Promise<number | undefined> {
    return (await bed.run(bed.tasks.load([id])))[0]?.life
  }

  test('trace 10: an id that ended is created again, and the end of its first life does not swallow it', async () => {
    await carryOut(bed, judge, [
      ['+a', 'sync'],
      ['>a', 'sync'],
      ['.a', 'sync'],
      ['+a', 'sync'],
    ])
    await restart()
    expect(await lifeOf('a')).toBeDefined()
    await bed.settle()
    await restart()
    expect(await lifeOf('a')).toBeDefined()
  })

  test('trace 10: a clock that went back gives no life twice, also if only the index knows the last one', async () => {
    await carryOut(bed, judge, [['+a', 'sync']])
    const first = (await lifeOf('a')) ?? Number.NaN
    await carryOut(bed, judge, [
      ['>a', 'sync'],
      ['.a', 'settle'],
      ['+b =b =b =b =b', 'settle'],
    ])
    await restart()
    await bed.settle()
    await restart()
    expect(bed.tasks.history.find('a')).toHaveProperty('stored')
    bed.clock.jump(-100_000)
    await carryOut(bed, judge, [['+a', 'sync']])
    expect(await lifeOf('a')).toBe(first + 1)
    await restart()
    expect(await lifeOf('a')).toBe(first + 1)
  })

  test('trace 10: a life whose start is no longer in the journal ends: the one before does not come back', async () => {
    // The first life is in the index.
    await carryOut(bed, judge, [
      ['+a', 'settle'],
      ['>a', 'settle'],
      ['!a', 'settle'],
    ])
    await restart()
    await bed.settle()
    expect((await bed.dump('t')).length).toBe(1)
    // The second begins in one segment, and ends in the next, while the first is not spilled yet.
    bed.disk.full(false)
    const spills: string[] = []
    bed.onWrite = (call, sync) => {
      spills.push(call)
      if (call === 'clear') queueMicrotask(() => bed.crash({ powerCut: false }))
      expect(typeof sync).toBe('boolean')
    }
    const turns = carryOut(bed, judge, [
      ['+a +b =b =b =b', 'flush'],
      ['-a', 'sync'],
      ['+c', 'settle'],
    ])
    await expect(turns).rejects.toBeInstanceOf(Crashed)
    bed.onWrite = () => undefined
    expect(spills).toContain('clear')
    await bed.open()
    await judge.restarted()
    expect(await lifeOf('a')).toBeUndefined()
    await bed.settle()
    expect((await bed.dump('t')).map(([key]) => Buffer.from(key).toString('latin1')).join()).not.toMatch(/a$/)
  })

  test('trace 11: a request is known after its task is done and dropped, also after restarts and spills', async () => {
    await carryOut(bed, judge, [
      ['+a', 'sync'],
      ['>a', 'sync'],
      ['.a', 'sync'],
    ])
    const knows = (): unknown => bed.tasks.requests.find(CALLER, 0, bed.clock.now(), bed.clock.now())
    expect(knows()).toBeDefined()
    await restart()
    expect([knows() !== undefined, await lifeOf('a')]).toEqual([true, undefined])
    await bed.settle()
    expect(await bed.dump('j')).toEqual([])
    await restart()
    expect([knows() !== undefined, await lifeOf('a')]).toEqual([true, undefined])
  })

  test('trace 11: a request that was lost with the crash is not known: its retry is carried out', async () => {
    judge.create('a', undefined)
    expect(bed.tasks.requests.find(CALLER, 0, bed.clock.now(), bed.clock.now())).toBeDefined()
    await restart()
    expect(bed.tasks.requests.find(CALLER, 0, bed.clock.now(), bed.clock.now())).toBeUndefined()
  })

  test('trace 11: the index knows no request, and no end, before the journal has it', async () => {
    let chunks = 0
    bed.onWrite = (call, sync) => {
      // While the records are written a task is made and another ends, and nobody ends the turn.
      if (call === 'write' && !sync && chunks++ === 0) {
        judge.create('f', undefined)
        const [record] = bed.tasks.records()
        judge.cancel(record as TaskRecord<Run>)
      }
      if (call === 'clear') bed.crash()
    }
    await expect(carryOut(bed, judge, [['+a +b +c +d +e', 'settle']])).rejects.toBeInstanceOf(Crashed)
    expect(chunks).toBe(1)
    bed.onWrite = () => undefined
    await bed.open()
    await judge.restarted()
    expect(await lifeOf('f')).toBeDefined()
  })

  test('trace 11: the answer to another call comes back with its request', async () => {
    await carryOut(bed, judge, [['+a', 'sync']])
    const [record] = (await bed.run(bed.tasks.load(['a']))) as [TaskRecord<Run>]
    const request = { caller: CALLER, n: 7, answer: '{"id":"a"}' }
    record.setPaused(true, 1, bed.tasks.identity.actor.index)
    bed.tasks.updated(record, { register: 'paused', times: true, request })
    bed.tasks.requests.add(CALLER, 7, 7, bed.clock.now(), request.answer)
    await bed.drain()
    bed.crash()
    await bed.open()
    expect(bed.tasks.requests.find(CALLER, 7, bed.clock.now(), bed.clock.now())).toEqual({
      answer: '{"id":"a"}',
    })
  })

  test('trace 22: a record that is due in the window of a cursor is read by it, or stays in memory', async () => {
    // At any instant of a spill: raise the horizon, wait for the spill under way, open the cursor.
    for (let steps = 0; steps < 60; steps++) {
      const each = new StoreBed({}, steps)
      await each.open()
      const judgeOf = new Judge(each, IDS)
      await carryOut(each, judgeOf, [
        ['+a +b +c', 'sync'],
        ['+d +e +f +g', 'flush'],
      ])
      for (let step = 0; step < steps; step++) await each.clock.step()
      const horizonEnd = each.clock.now() + 60_000
      each.holds = record => record.dueAt < horizonEnd
      await each.run(each.tasks.spillsIdle())
      const read = new Set<string>()
      for (const range of [0, 1]) {
        const cursor = each.tasks.dueCursor(range, dueFrom(range), horizonEnd)
        for (const [key] of await each.run(cursor.next(100))) read.add(dueIdOf(key))
        await cursor.close()
      }
      await each.settle()
      for (const record of each.tasks.records()) read.add(record.id)
      expect([...read].sort(), `after ${steps} steps`).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
    }
  })

  test('trace 23: a crash between spill and drop replays no old segment over newer state', async () => {
    await carryOut(bed, judge, [['+a +b', 'sync']])
    const left: number[] = []
    bed.onWrite = call => {
      if (call === 'clear') bed.crash()
    }
    // The segment is closed, spilled, and its blobs are about to be deleted.
    await expect(
      carryOut(bed, judge, [
        ['=a =a =a', 'sync'],
        ['=a', 'settle'],
      ]),
    ).rejects.toBeInstanceOf(Crashed)
    left.push((await bed.dump('j')).length)
    expect(await bed.dump('t')).not.toEqual([])
    bed.onWrite = () => undefined
    await bed.open()
    await judge.restarted()
    expect((await bed.run(bed.tasks.load(['a'])))[0]?.pausedVersion?.rev).toBe(4)
    // The start itself deletes what no longer counts.
    await bed.settle()
    expect(left[0]).toBeGreaterThan((await bed.dump('j')).length)
  })

  test('trace 23: what neither the journal nor the index has is said, not guessed', async () => {
    await carryOut(bed, judge, [
      ['+a +b', 'settle'],
      ['=a =b =a', 'settle'],
      ['=a', 'sync'],
    ])
    expect((await bed.dump('t')).length).toBe(2)
    bed.crash()
    await bed.overwrite(taskKey(bed.tasks.rangeOf('a'), 'a'), undefined)
    await expect(bed.open()).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining('"a"'),
    })
    bed.crash()
    await bed.open({ repair: true })
    expect(await lifeOf('a')).toBeUndefined()
    expect(await lifeOf('b')).toBeDefined()
  })
})

describe('the requests that are remembered', () => {
  test('are forgotten below the mark and beyond the window, and then refused', () => {
    const log = new RequestLog(1000)
    const code = (n: number, madeAt: number, now: number): string => {
      try {
        return log.find(CALLER, n, madeAt, now) === undefined ? 'new' : 'known'
      } catch (error) {
        if (!isCarillonError(error)) throw error
        return error.code
      }
    }
    log.add(CALLER, 0, 9, 100)
    log.add(CALLER, 20, 29, 100)
    expect([code(0, 100, 100), code(9, 100, 100), code(10, 100, 100), code(25, 100, 100)]).toEqual([
      'known',
      'known',
      'new',
      'known',
    ])
    log.raiseMark(CALLER, 15, 200)
    expect([code(9, 100, 200), code(14, 100, 200), code(15, 100, 200), code(20, 100, 200)]).toEqual([
      'TOO_OLD',
      'TOO_OLD',
      'new',
      'known',
    ])
    log.add(CALLER, 40, 40, 900)
    log.sweep(1500)
    expect([code(29, 1400, 1500), code(30, 1400, 1500), code(40, 1400, 1500)]).toEqual([
      'TOO_OLD',
      'new',
      'known',
    ])
    // Made before the window: nobody can tell whether it was carried out.
    expect(code(50, 400, 1500)).toBe('TOO_OLD')
    expect(OPTIONS.requestWindowMs).toBeGreaterThan(1000)
  })
})
