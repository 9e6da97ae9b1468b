import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter, CorruptBytes } from '../../src/lib/bytes.ts'
import { MESSAGE } from '../../src/wire/frame.ts'
import { type FakeWorker, type HostCall, TestBed, type TestRun } from './test-bed.ts'

const ends = (calls: readonly HostCall[]) => calls.map(([what, run]) => `${what} ${run}`)

describe('Dispatcher: who gets what', () => {
  test('sends nothing before flush, and the runs of one turn in one message', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    bed.offer(3, 'a')
    expect(worker.take()).toEqual([])
    bed.dispatcher.flush()
    expect(worker.take()).toEqual(['a1', 'a2', 'a3'])
    expect(worker.runsMessages).toBe(1)
  })

  test('higher priority goes first, and equal ones in the order in which they came', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1 })
    for (const priority of [0, 5, -5, 5, 0]) bed.offer(1, 'a', { priority })
    const order: string[] = []
    for (let i = 0; i < 5; i++) {
      order.push(...bed.turn(worker))
      worker.answer()
    }
    expect(order).toEqual(['a2', 'a4', 'a1', 'a5', 'a3'])
  })

  test('holds to the window of the worker and that of each handler', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 3, b: 10 }, 5)
    bed.offer(10, 'a')
    bed.offer(10, 'b')
    const first = bed.turn(worker)
    expect(first).toHaveLength(5)
    expect(first.filter(id => id.startsWith('a')).length).toBeLessThanOrEqual(3)
    expect(bed.turn(worker)).toEqual([])
    worker.answer(2)
    expect(bed.turn(worker)).toHaveLength(2)
  })

  test('claims that are being written hold the window of the worker, not only that of their handler', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10, b: 10 }, 4)
    bed.offer(4, 'a', { strict: true })
    bed.dispatcher.flush()
    bed.offer(10, 'b')
    expect(bed.turn(worker)).toEqual([])
    bed.answerClaims(true)
    expect(bed.turn(worker)).toEqual(['a1', 'a2', 'a3', 'a4'])
  })

  test('holds to the bytes that a worker may hold, but for one payload', () => {
    const bed = new TestBed({ inFlightBytesMax: 1000 })
    const worker = bed.worker({ a: 100 })
    bed.offer(10, 'a', { payloadBytes: 400 })
    expect(bed.turn(worker)).toHaveLength(3)
    worker.answer()
    expect(bed.turn(worker)).toHaveLength(3)
  })

  test('counts the bytes back that it had counted, though the task was replaced meanwhile', () => {
    const bed = new TestBed({ inFlightBytesMax: 1000 })
    const worker = bed.worker({ a: 100 })
    for (let round = 0; round < 10; round++) {
      const [run] = bed.offer(1, 'a', { payloadBytes: 900 }) as [TestRun]
      expect(bed.turn(worker)).toEqual([run.id])
      run.payloadBytes = 10
      worker.answer()
    }
    expect(worker.connection.inFlightBytes).toBe(0)
  })

  test('a message ends at about a megabyte, and the next begins', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 100 })
    bed.offer(20, 'a', { payloadBytes: 100_000 })
    expect(bed.turn(worker)).toHaveLength(20)
    expect(worker.runsMessages).toBe(2)
  })

  test('handlers take turns when the window of the worker is what is short', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1000, b: 1000, c: 1000 }, 9)
    bed.offer(300, 'a')
    bed.offer(300, 'b')
    bed.offer(300, 'c')
    const count = { a: 0, b: 0, c: 0 }
    for (let i = 0; i < 40; i++) {
      const got = bed.turn(worker)
      for (const id of got) count[id[0] as 'a' | 'b' | 'c']++
      // Slow handlers: one ends at a time, sometimes two.
      worker.answer(1 + (i % 2))
    }
    expect(Math.max(...Object.values(count)) - Math.min(...Object.values(count))).toBeLessThanOrEqual(3)
  })

  test('one flush hands out all there is credit for, also beside a handler that has none', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 500, b: 0 })
    bed.offer(300, 'a')
    bed.offer(1, 'b')
    expect(bed.turn(worker)).toHaveLength(300)
  })

  test('workers with the same handler take turns, and one without credit is passed over', () => {
    const bed = new TestBed()
    const workers = [
      bed.worker({ a: 100 }),
      bed.worker({ a: 2 }),
      bed.worker({ a: 100 }),
      bed.worker({ b: 100 }),
    ]
    bed.offer(22, 'a')
    bed.dispatcher.flush()
    expect(workers.map(worker => worker.take().length)).toEqual([10, 2, 10, 0])
  })

  test('gives out no more after pause, but what was sent goes on', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1 })
    bed.offer(2, 'a')
    bed.turn(worker)
    bed.dispatcher.pause()
    worker.answer()
    expect(bed.turn(worker)).toEqual([])
    expect(ends(bed.calls)).toEqual(['completed a1'])
    expect(bed.dispatcher.counts()).toEqual({ queued: 1, running: 0, withoutWorker: [] })
  })

  test('a handler has room for as many as stay free for the others; what was sent does not count', () => {
    const bed = new TestBed({ queueMax: 20 })
    const worker = bed.worker({ a: 4 })
    expect(bed.dispatcher.roomFor('a')).toBe(20)
    bed.offer(10, 'a')
    expect(bed.dispatcher.roomFor('a')).toBe(0)
    expect(bed.dispatcher.roomFor('b')).toBe(10)
    bed.turn(worker)
    expect(bed.dispatcher.roomFor('a')).toBe(8)
    expect(bed.dispatcher.counts()).toEqual({ queued: 6, running: 4, withoutWorker: [] })
    expect(bed.dispatcher.runningRuns().map(run => run.id)).toEqual(['a1', 'a2', 'a3', 'a4'])
  })

  test('a later hello adds handlers and changes windows', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1 })
    bed.offer(4, 'a')
    bed.offer(1, 'b')
    expect(bed.turn(worker)).toEqual(['a1'])
    worker.hello({ a: 3, b: 5 })
    expect(bed.turn(worker)).toEqual(['a2', 'a3', 'b5'])
    worker.hello({ a: 0, b: 5 })
    worker.answer()
    expect(bed.turn(worker)).toEqual([])
  })
})

describe('Dispatcher: runs taken back', () => {
  test('a withdrawn run is not sent; offered again it goes to the end', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    const [first, second] = bed.offer(3, 'a') as [TestRun, TestRun]
    expect(bed.dispatcher.withdraw(first)).toBe(true)
    expect(bed.dispatcher.withdraw(first)).toBe(false)
    expect(bed.dispatcher.withdraw(second)).toBe(true)
    bed.dispatcher.offer(first)
    expect(bed.turn(worker)).toEqual(['a3', 'a1'])
    expect(bed.dispatcher.withdraw(first)).toBe(false)
  })

  test('a run is withdrawn from where it was queued, though its task has another handler by now', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10, b: 10 })
    const [run] = bed.offer(2, 'a') as [TestRun]
    run.name = 'b'
    expect(bed.dispatcher.withdraw(run)).toBe(true)
    expect(bed.dispatcher.counts().queued).toBe(1)
    bed.dispatcher.offer(run)
    expect(bed.turn(worker)).toEqual(['a2', 'a1'])
    expect(worker.handlerOf('a1')).toBe('b')
  })

  test('withdrawn runs are not kept when nobody takes from their queue', () => {
    const bed = new TestBed()
    bed.offer(10, 'a')
    for (let i = 0; i < 1000; i++) {
      const [run] = bed.offer(1, 'a') as [TestRun]
      bed.dispatcher.flush()
      expect(bed.dispatcher.withdraw(run)).toBe(true)
    }
    const worker = bed.worker({ a: 100 })
    expect(bed.turn(worker)).toEqual(Array.from({ length: 10 }, (_, i) => `a${i + 1}`))
    expect(bed.dispatcher.counts()).toEqual({ queued: 0, running: 10, withoutWorker: [] })
  })

  test('an aborted run is told to its worker, and its answer is a late end that gives the credit back', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1 })
    const [run] = bed.offer(2, 'a') as [TestRun]
    bed.turn(worker)
    bed.dispatcher.abort(run, 'cancelled')
    expect(run.place).toBe('idle')
    expect(bed.turn(worker)).toEqual([])
    expect(worker.aborts).toEqual(['a1 cancelled'])
    worker.answer()
    expect(ends(bed.calls)).toEqual(['late completed a1'])
    expect(bed.turn(worker)).toEqual(['a2'])
  })

  test('an aborted run can be offered again while its worker still holds the old attempt', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 2 })
    const [run] = bed.offer(1, 'a') as [TestRun]
    bed.turn(worker)
    const before = run.handle
    bed.dispatcher.abort(run, 'replaced')
    bed.dispatcher.offer(run)
    expect(bed.turn(worker)).toEqual(['a1'])
    worker.outcome(before)
    worker.outcome(run.handle)
    expect(ends(bed.calls)).toEqual(['late completed a1', 'completed a1'])
  })

  test('what is aborted before its turn ends never reaches the worker', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 2 })
    const [first, second] = bed.offer(3, 'a') as [TestRun, TestRun]
    bed.dispatcher.flush()
    bed.dispatcher.abort(first, 'cancelled')
    expect(worker.take()).toEqual(['a2'])
    expect(worker.aborts).toEqual([])
    expect(bed.turn(worker)).toEqual(['a3'])
    expect(second.place).toBe('sent')
    expect(bed.calls).toEqual([])
  })

  test('what an over attempt still says of progress is passed over', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1 })
    const [run] = bed.offer(1, 'a') as [TestRun]
    bed.turn(worker)
    worker.line(MESSAGE.progress, run.handle, '1')
    worker.line(MESSAGE.log, run.handle, '{}')
    const { handle } = run
    bed.dispatcher.abort(run, 'cancelled')
    worker.line(MESSAGE.progress, handle, '2')
    expect(bed.calls).toEqual([
      ['progress 1', 'a1'],
      ['log {}', 'a1'],
    ])
  })
})

describe('Dispatcher: claims', () => {
  test('a strict run is sent only when its claim is synced', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    const [run] = bed.offer(1, 'a', { strict: true }) as [TestRun]
    expect(bed.turn(worker)).toEqual([])
    expect(run.place).toBe('claiming')
    expect(bed.dispatcher.counts().running).toBe(1)
    bed.answerClaims(true)
    expect(run.place).toBe('sent')
    expect(bed.turn(worker)).toEqual(['a1'])
  })

  test('a claim may be answered at once', () => {
    const bed = new TestBed()
    bed.claimsAtOnce = true
    const worker = bed.worker({ a: 10 })
    bed.offer(3, 'a', { strict: true })
    expect(bed.turn(worker)).toEqual(['a1', 'a2', 'a3'])
  })

  test('a refused claim gives the credit back, and the run is let go', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1 })
    const [run] = bed.offer(2, 'a', { strict: true }) as [TestRun]
    bed.turn(worker)
    bed.answerClaims(false)
    expect(run.place).toBe('idle')
    bed.turn(worker)
    bed.answerClaims(true)
    expect(bed.turn(worker)).toEqual(['a2'])
  })

  test('a run withdrawn while its claim is written is not sent; its credit is held until then', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1 })
    const [run] = bed.offer(1, 'a', { strict: true }) as [TestRun]
    bed.offer(1, 'a')
    bed.turn(worker)
    expect(bed.dispatcher.withdraw(run)).toBe(true)
    expect(bed.turn(worker)).toEqual([])
    bed.answerClaims(true)
    expect(bed.turn(worker)).toEqual(['a2'])
    expect(run.place).toBe('idle')
  })

  test.each([true, false])('an old claim (%s) is not taken for the one of a later offer', go => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    const [run] = bed.offer(1, 'a', { strict: true }) as [TestRun]
    bed.turn(worker)
    bed.dispatcher.withdraw(run)
    bed.dispatcher.offer(run)
    bed.turn(worker)
    expect(bed.claims).toHaveLength(2)
    bed.claims.shift()?.(go)
    expect(run.place).toBe('claiming')
    expect(bed.turn(worker)).toEqual([])
    bed.answerClaims(true)
    expect(bed.turn(worker)).toEqual(['a1'])
    expect(worker.connection.room).toBe(999)
  })

  test('a claim whose worker went away serves the next worker, before what waits there', () => {
    const bed = new TestBed()
    const gone = bed.worker({ a: 1 })
    const [run] = bed.offer(2, 'a', { strict: true }) as [TestRun]
    bed.turn(gone)
    gone.close()
    bed.answerClaims(true)
    expect(run.place).toBe('queued')
    const next = bed.worker({ a: 10 })
    expect(bed.turn(next)).toEqual(['a1'])
    expect(bed.claims).toHaveLength(1) // of a2 alone
    expect(bed.calls).toEqual([])
  })

  test('a claimed run that waits for another worker can be withdrawn, and then needs a new claim', () => {
    const bed = new TestBed()
    const gone = bed.worker({ a: 1 })
    const [run] = bed.offer(1, 'a', { strict: true }) as [TestRun]
    bed.turn(gone)
    gone.close()
    bed.answerClaims(true)
    expect(bed.dispatcher.withdraw(run)).toBe(true)
    bed.dispatcher.offer(run)
    const next = bed.worker({ a: 10 })
    expect(bed.turn(next)).toEqual([])
    bed.answerClaims(true)
    expect(bed.turn(next)).toEqual(['a1'])
  })

  test('to answer a claim twice is a fault', () => {
    const bed = new TestBed()
    bed.worker({ a: 10 })
    bed.offer(1, 'a', { strict: true })
    bed.dispatcher.flush()
    const [done] = bed.claims
    done?.(true)
    expect(() => done?.(true)).toThrow('answered once')
  })
})

describe('Dispatcher: timeouts', () => {
  test('an attempt times out so long after it was started, and not before', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    const [run] = bed.offer(1, 'a', { timeoutMs: 100 }) as [TestRun]
    bed.turn(worker)
    bed.clock.advance(5000) // it waits in the worker: no timeout
    expect(bed.calls).toEqual([])
    const { handle } = run
    worker.started(handle)
    bed.clock.advance(99)
    expect(ends(bed.calls)).toEqual(['started a1'])
    bed.clock.advance(1)
    expect(ends(bed.calls)).toEqual(['started a1', 'timed out a1'])
    expect(run.place).toBe('idle')
    bed.turn(worker)
    expect(worker.aborts).toEqual(['a1 timeout'])
    worker.outcome(handle)
    expect(ends(bed.calls).at(-1)).toBe('late completed a1')
  })

  test('a late `unstarted` is told as well: its worker holds it no longer', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    const [run] = bed.offer(1, 'a') as [TestRun]
    bed.turn(worker)
    const { handle } = run
    bed.dispatcher.abort(run, 'cancelled')
    bed.turn(worker)
    worker.outcome(handle, 'unstarted')
    expect(ends(bed.calls)).toEqual(['late unstarted a1'])
    expect(worker.connection.room).toBe(1000)
  })

  test('an attempt that ended in time does not time out; said twice, `started` counts once', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    const [run] = bed.offer(1, 'a', { timeoutMs: 100 }) as [TestRun]
    bed.turn(worker)
    worker.started(run.handle)
    bed.clock.advance(50)
    worker.started(run.handle)
    worker.outcome(run.handle)
    bed.clock.advance(1000)
    expect(ends(bed.calls)).toEqual(['started a1', 'completed a1'])
  })

  test('deadlines are kept in their order, with one timer', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1000 })
    const runs = [300, 100, 200, 100].flatMap(timeoutMs => bed.offer(1, 'a', { timeoutMs }))
    bed.turn(worker)
    for (const run of runs) worker.started(run.handle)
    bed.calls.length = 0
    expect(bed.clock.pending).toBe(1)
    bed.clock.advance(100)
    expect(ends(bed.calls.splice(0))).toEqual(['timed out a2', 'timed out a4'])
    bed.clock.advance(100)
    expect(ends(bed.calls.splice(0))).toEqual(['timed out a3'])
    bed.clock.advance(100)
    expect(ends(bed.calls.splice(0))).toEqual(['timed out a1'])
    expect(bed.clock.pending).toBe(0)
  })

  test('a timeout that makes the host abort another due attempt is no fault', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    const runs = bed.offer(2, 'a', { timeoutMs: 100 }) as [TestRun, TestRun]
    bed.turn(worker)
    for (const run of runs) worker.started(run.handle)
    bed.onTimedOut = () => bed.dispatcher.abort(runs[1], 'overlap')
    bed.clock.advance(100)
    expect(ends(bed.calls)).toEqual(['started a1', 'started a2', 'timed out a1'])
    bed.turn(worker)
    expect(worker.aborts).toEqual(['a1 timeout', 'a2 overlap'])
  })

  test('stop cancels the timer, for good', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    const runs = bed.offer(2, 'a', { timeoutMs: 100 }) as [TestRun, TestRun]
    bed.turn(worker)
    worker.started(runs[0].handle)
    bed.dispatcher.stop()
    bed.dispatcher.stop()
    worker.started(runs[1].handle)
    expect(bed.clock.pending).toBe(0)
  })
})

describe('Dispatcher: workers that come and go', () => {
  test('what a worker held is lost when it goes away, each once', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    const runs = bed.offer(3, 'a', { timeoutMs: 50 }) as [TestRun, TestRun, TestRun]
    bed.turn(worker)
    worker.started(runs[1].handle)
    bed.dispatcher.abort(runs[2], 'cancelled')
    worker.close()
    worker.close()
    expect(ends(bed.calls)).toEqual(['started a2', 'lost a1', 'lost a2', 'late gone a3'])
    expect(bed.dispatcher.counts()).toEqual({ queued: 0, running: 0, withoutWorker: [] })
    bed.clock.advance(1000)
    expect(bed.calls).toHaveLength(4)
  })

  test('what was not sent yet is given back unstarted, and a claim of it is kept', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    bed.claimsAtOnce = true
    const [, strict] = [...bed.offer(1, 'a'), ...bed.offer(1, 'a', { strict: true })]
    bed.dispatcher.flush()
    worker.close()
    expect(ends(bed.calls)).toEqual(['unstarted a1'])
    expect(strict?.place).toBe('queued')
    bed.claimsAtOnce = false
    expect(bed.turn(bed.worker({ a: 10 }))).toEqual(['a2'])
  })

  test('a lost attempt that makes the host abort another of that worker is no fault', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    const runs = bed.offer(3, 'a') as [TestRun, TestRun, TestRun]
    bed.turn(worker)
    bed.onLost = run => {
      if (run === runs[0]) bed.dispatcher.abort(runs[1], 'overlap')
    }
    worker.close()
    expect(ends(bed.calls)).toEqual(['lost a1', 'late gone a2', 'lost a3'])
    expect(bed.dispatcher.counts().running).toBe(0)
  })

  test('what is lost can be offered again at once, and goes to the next worker', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 10 })
    bed.offer(2, 'a')
    bed.turn(worker)
    bed.onLost = run => bed.dispatcher.offer(run)
    worker.close()
    expect(bed.turn(bed.worker({ a: 10 }))).toEqual(['a1', 'a2'])
  })

  test('says once that nobody runs a handler, and once that somebody does again', () => {
    const bed = new TestBed()
    const spell = () => bed.calls.splice(0).filter(([what]) => what.startsWith('no worker'))
    bed.offer(2, 'a')
    expect(spell()).toEqual([])
    bed.dispatcher.flush()
    bed.offer(1, 'a')
    bed.dispatcher.flush()
    expect(spell()).toEqual([['no worker 2', 'a']])
    expect(bed.dispatcher.counts().withoutWorker).toEqual([{ name: 'a', waiting: 3 }])
    const other = bed.worker({ b: 10 })
    expect(spell()).toEqual([])
    other.hello({ b: 10, a: 1 })
    expect(spell()).toEqual([['no worker 0', 'a']])
    expect(bed.turn(other)).toEqual(['a1'])
    other.close()
    bed.dispatcher.flush()
    expect(spell()).toEqual([['no worker 2', 'a']])
    expect(bed.dispatcher.counts().withoutWorker).toEqual([{ name: 'a', waiting: 2 }])
  })

  test('when somebody runs a handler again, it is told once, and runs go out as ever', () => {
    const bed = new TestBed()
    bed.offer(1, 'a')
    bed.dispatcher.flush()
    const worker = bed.worker({ a: 10 })
    expect(bed.turn(worker)).toEqual(['a1'])
    worker.hello({ a: 10 })
    bed.offer(1, 'a')
    expect(bed.turn(worker)).toEqual(['a2'])
    expect(bed.calls).toEqual([
      ['no worker 1', 'a'],
      ['no worker 0', 'a'],
    ])
  })

  test('a worker with no credit left is still a worker', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 0 })
    bed.offer(1, 'a')
    expect(bed.turn(worker)).toEqual([])
    expect(bed.calls).toEqual([])
  })

  test('a spell ends when nothing waits any more; the next is told again', () => {
    const bed = new TestBed()
    const [run] = bed.offer(1, 'a') as [TestRun]
    bed.dispatcher.flush()
    bed.dispatcher.withdraw(run)
    bed.dispatcher.flush()
    expect(bed.dispatcher.counts().withoutWorker).toEqual([])
    bed.dispatcher.offer(run)
    bed.dispatcher.flush()
    expect(bed.calls).toEqual([
      ['no worker 1', 'a'],
      ['no worker 1', 'a'],
    ])
  })
})

describe('Dispatcher: near and far', () => {
  test('near workers come first, far ones get what is left, and take turns', () => {
    const bed = new TestBed()
    const far = [bed.worker({ a: 10 }, 10, true), bed.worker({ a: 10 }, 10, true)] as const
    const near = bed.worker({ a: 3 })
    bed.offer(5, 'a')
    expect(bed.turn(near)).toEqual(['a1', 'a2', 'a3'])
    expect(far.map(worker => worker.take())).toEqual([['a4'], ['a5']])
    near.answer(1)
    bed.offer(2, 'a')
    expect(bed.turn(near)).toEqual(['a6'])
    expect(far.map(worker => worker.take())).toEqual([['a7'], []])
  })

  test('a guest waits for a near worker, and is in nobody’s way to a far one', () => {
    const bed = new TestBed()
    const near = bed.worker({ a: 1 })
    const far = bed.worker({ a: 10 }, 10, true)
    bed.offer(1, 'a')
    expect(bed.turn(near)).toEqual(['a1'])
    bed.offer(2, 'a', { isGuest: true })
    bed.offer(1, 'a')
    expect(bed.turn(far)).toEqual(['a4'])
    near.answer()
    bed.offer(1, 'a')
    // First come, first served; the far one takes who may go there.
    expect(bed.turn(near)).toEqual(['a2'])
    expect(far.take()).toEqual(['a5'])
    near.answer()
    expect(bed.turn(near)).toEqual(['a3'])
  })

  test('a busy far worker is a worker; one that is gone is none, until it is back', () => {
    const bed = new TestBed()
    const far = bed.worker({ a: 0 }, 10, true)
    bed.offer(2, 'a')
    expect(bed.turn(far)).toEqual([])
    expect(bed.calls).toEqual([])
    expect(bed.dispatcher.handlerNames()).toEqual(['a'])
    far.hello({ a: 'gone' })
    bed.turn(far)
    expect(ends(bed.calls)).toEqual(['no worker 2 a'])
    expect(bed.dispatcher.handlerNames()).toEqual([])
    expect(bed.dispatcher.counts().withoutWorker).toEqual([{ name: 'a', waiting: 2 }])
    far.hello({ a: 1 })
    expect(bed.turn(far)).toEqual(['a1'])
    expect(ends(bed.calls)).toEqual(['no worker 2 a', 'no worker 0 a'])
  })

  test('what is gone takes nothing, and still may tell of what it has', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 5 })
    const [run] = bed.offer(1, 'a') as [TestRun]
    bed.turn(worker)
    const { handle } = run
    worker.hello({ a: 'gone' })
    bed.offer(1, 'a')
    expect(bed.turn(worker)).toEqual([])
    worker.outcome(handle)
    expect(ends(bed.calls)).toEqual(['no worker 1 a', 'completed a1'])
  })

  test('an attempt that is said to be lost is lost, and only that one', () => {
    const bed = new TestBed()
    const far = bed.worker({ a: 5 }, 5, true)
    const [first] = bed.offer(2, 'a') as [TestRun]
    bed.turn(far)
    far.outcome(first.handle, 'lost')
    expect(ends(bed.calls)).toEqual(['lost a1'])
    expect(far.connection.room).toBe(4)
    expect(bed.dispatcher.runningRuns().map(({ id }) => id)).toEqual(['a2'])
  })

  test('what near workers have room for is without far ones', () => {
    const bed = new TestBed()
    bed.worker({ a: 10, b: 2 }, 100, true)
    const [one, two] = [bed.worker({ a: 3 }, 2), bed.worker({ a: 4, c: 1 })]
    bed.offer(3, 'a')
    bed.dispatcher.flush()
    expect(Object.fromEntries(bed.dispatcher.nearLoads())).toEqual({
      a: { window: 7, used: 3 },
      c: { window: 1, used: 0 },
    })
    expect(bed.dispatcher.nearRoom).toBe(999)
    one.take()
    expect(two.take()).toHaveLength(1)
    // It has two, and wants none any more: of what the other takes nothing is used by that.
    one.hello({ a: 0 }, 0)
    expect(bed.dispatcher.nearLoads().get('a')).toEqual({ window: 4, used: 1 })
    expect(bed.dispatcher.runsNear('b')).toBe(false)
  })
})

describe('WorkerConnection: a worker that is wrong', () => {
  test('outcomes of unknown attempts, or a second time, are counted and passed over', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1 })
    const [run] = bed.offer(2, 'a') as [TestRun]
    bed.turn(worker)
    const { handle } = run
    worker.outcome(4711)
    worker.outcome(handle)
    worker.outcome(handle)
    expect(ends(bed.calls)).toEqual(['completed a1'])
    expect(worker.connection.strayCount).toBe(2)
    expect(bed.turn(worker)).toEqual(['a2'])
    expect(worker.connection.room).toBe(999)
  })

  test('nothing is believed about an attempt before it was sent, or that another worker has', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1 })
    const other = bed.worker({ b: 1 })
    const [run] = bed.offer(1, 'a', { timeoutMs: 10 }) as [TestRun]
    bed.dispatcher.flush()
    worker.started(run.handle)
    worker.outcome(run.handle)
    worker.line(MESSAGE.progress, run.handle, '1')
    other.outcome(run.handle)
    expect(bed.calls).toEqual([])
    expect(worker.take()).toEqual(['a1'])
    other.outcome(run.handle)
    other.started(run.handle)
    expect(bed.calls).toEqual([])
    worker.outcome(run.handle)
    expect(ends(bed.calls)).toEqual(['completed a1'])
  })

  test('leaves messages that are not of the worker protocol to others', () => {
    const { connection } = new TestBed().worker({})
    const reader = new ByteReader(Uint8Array.of(1, 2, 3))
    expect(connection.handleMessage(MESSAGE.schedule, reader)).toBe(false)
    expect(connection.handleMessage(200, reader)).toBe(false)
    expect(reader.position).toBe(0)
  })

  const hellos: Array<[string, unknown]> = [
    ['null', null],
    ['no handlers', { window: 1, events: false }],
    ['a window that is not a count', { window: -1, handlers: [], events: false }],
    ['a handler without a window', { window: 1, handlers: [{ name: 'a' }], events: false }],
    ['a handler without a name', { window: 1, handlers: [{ window: 1 }], events: false }],
    ['a handler that is null', { window: 1, handlers: [null], events: false }],
    [
      'a handler twice',
      { window: 1, handlers: [1, 2].map(window => ({ name: 'a', window })), events: false },
    ],
    ['no wish about events', { window: 1, handlers: [] }],
  ]
  test.each(hellos)('refuses a hello with %s', (_, hello) => {
    const { connection } = new TestBed().worker({})
    expect(() => say(connection, MESSAGE.hello, out => out.utf8(JSON.stringify(hello)))).toThrow(CorruptBytes)
  })

  test('refuses a hello that is not JSON, or moves a handler', () => {
    const worker = new TestBed().worker({ a: 1, b: 1 })
    expect(() => say(worker.connection, MESSAGE.hello, out => out.utf8('{'))).toThrow(CorruptBytes)
    expect(() => worker.hello({ b: 1 })).toThrow('moves handler "b"')
  })

  test('clamps windows', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 2 ** 50 }, 2 ** 50)
    expect(worker.connection.room).toBe(100_000)
    expect(worker.connection.credits.get('a')?.window).toBe(100_000)
  })

  test('refuses messages that are cut off, too long, or from no time at all', () => {
    const bed = new TestBed()
    const worker = bed.worker({ a: 1 })
    const [run] = bed.offer(1, 'a') as [TestRun]
    bed.turn(worker)
    const { connection } = worker
    expect(() => say(connection, MESSAGE.outcomes, out => out.varuint(1))).toThrow(CorruptBytes)
    expect(() => say(connection, MESSAGE.outcomes, out => out.varuint(100_001))).toThrow(CorruptBytes)
    expect(() => say(connection, MESSAGE.started, out => out.varuint(run.handle))).toThrow(CorruptBytes)
    for (const at of [Number.NaN, -1, 1e300, Number.POSITIVE_INFINITY]) {
      expect(() => worker.started(run.handle, at)).toThrow(CorruptBytes)
      expect(() => worker.outcome(run.handle, 'completed', at)).toThrow(CorruptBytes)
    }
    expect(bed.calls).toEqual([])
  })
})

function say(connection: FakeWorker['connection'], type: number, write: (out: ByteWriter) => void): void {
  const out = new ByteWriter()
  write(out)
  connection.handleMessage(type, new ByteReader(out.take()))
}
