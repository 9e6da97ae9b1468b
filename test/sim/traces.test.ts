/**
 * Traces of PROTOCOLS, part D, as far as they concern one node, through the whole engine: what its users are told and
 * what their handlers see. (test/store has the same traces for the store alone.)
 */

import { afterEach, describe, expect, test } from 'vitest'
import { channelPair } from '../../sim/channel.ts'
import { SimulatedProcess } from '../../sim/process.ts'
import { Trace } from '../../sim/trace.ts'
import { DEFAULT_OPTIONS, type EngineOptions } from '../../src/config.ts'
import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import { type DefinitionInput, writeDefinition } from '../../src/task/definition.ts'
import { MESSAGE, SCHEDULE_STATUS } from '../../src/wire/frame.ts'
import { Bed, listed, SHORT_SEGMENTS } from '../engine/bed.ts'

let bed: Bed

afterEach(() => bed.stop())

async function started(options: Partial<EngineOptions>, seed = 'traces'): Promise<void> {
  bed = new Bed(options, { seed })
  bed.handle('quick')
  await bed.start()
}

/** So many tasks come and go that all segments before are spilled and dropped. */
async function pushOut(): Promise<void> {
  for (let i = 0; i < 12; i++) await bed.done(bed.node.schedule({ name: 'quick' }))
  await bed.clock.advanceBy(100)
}

function runsOf(task: string): string[] {
  return bed.entered.filter(each => each.task === task).map(each => each.key)
}

describe('trace 10: an id that has completed is created again', () => {
  test.each([
    ['at once', 0, false],
    ['when only the index could know the first one', 0, true],
    ['after the clock went back', -60_000, true],
  ])('%s: the end of its first life does not swallow it', async (_, jumpMs, far) => {
    await started(SHORT_SEGMENTS)
    const first = await bed.done(bed.node.schedule({ id: 'a', name: 'quick' }))
    await bed.done(first.result())
    if (far) await pushOut()
    bed.crash()
    bed.clock.jump(jumpMs)
    await bed.start()
    const again = await bed.done(bed.node.schedule({ id: 'a', name: 'quick', after: '5s' }))
    expect(again.status).toBe('created')
    bed.crash()
    await bed.start()
    if (far) await pushOut()
    bed.crash()
    await bed.start()
    await bed.clock.advanceBy(6000)
    const runs = runsOf('a')
    expect(runs).toHaveLength(2)
    expect(new Set(runs).size).toBe(2)
    await bed.clock.advanceBy(70_000)
    expect(runsOf('a')).toHaveLength(2)
  })
})

describe('trace 11: the answer was lost, and the request comes again', () => {
  test('when its task is done and dropped, also over restarts: it is carried out once', async () => {
    await started(SHORT_SEGMENTS)
    const request = new Repeated({ id: 'm.a', minted: true })
    expect(await request.send()).toBe('created')
    await bed.clock.advanceBy(50)
    expect(runsOf('m.a')).toHaveLength(1)
    expect(await request.send()).toBe('created')
    await pushOut()
    expect(await request.send()).toBe('created')
    for (let i = 0; i < 3; i++) {
      bed.crash()
      await bed.start()
      expect(await request.send()).toBe('created')
      await pushOut()
    }
    expect(runsOf('m.a')).toHaveLength(1)
    expect(await bed.done(bed.node.task('m.a'))).toBeNull()
  })

  test('when its task was cancelled meanwhile: it stays cancelled', async () => {
    await started(SHORT_SEGMENTS)
    const request = new Repeated({ id: 'a', schedule: { kind: 'at', at: bed.clock.now() + 5000 } })
    expect(await request.send()).toBe('created')
    expect(await bed.done(bed.node.cancel('a'))).toBe(true)
    expect(await request.send()).toBe('created')
    bed.crash()
    await bed.start()
    expect(await request.send()).toBe('created')
    await bed.clock.advanceBy(10_000)
    expect(runsOf('a')).toEqual([])
  })

  test('when it is too old to be known: it is refused rather than carried out again', async () => {
    await started(SHORT_SEGMENTS)
    const request = new Repeated({ id: 'm.a', minted: true })
    expect(await request.send()).toBe('created')
    await bed.clock.advanceBy(3 * DEFAULT_OPTIONS.store.requestWindowMs)
    await pushOut()
    expect(await request.send()).toBe('error')
    bed.crash()
    await bed.start()
    expect(await request.send()).toBe('error')
    await bed.clock.advanceBy(1000)
    expect(runsOf('m.a')).toHaveLength(1)
  })
})

describe('trace 22: a record is spilled while the cursor that should find it is open', () => {
  test.each([1, 2, 3])(
    'every task fires, once and in time, with a horizon of two seconds (%i)',
    async seed => {
      const { store, horizon } = DEFAULT_OPTIONS
      const journal = { ...store.journal, segmentChangesMax: 8 }
      await started(
        { store: { ...store, ranges: 2, journal }, horizon: { ...horizon, aheadMs: 2000, pageMax: 1 } },
        `horizon ${seed}`,
      )
      let draw = seed
      const due = new Map<string, number>()
      const calls: Array<Promise<unknown>> = []
      for (let i = 0; i < 1500; i++) {
        draw = (draw * 48_271) % 0x7fffffff
        const id = `task-${i}`
        due.set(id, bed.now + 1 + (draw % 6000))
        calls.push(bed.node.schedule({ id, name: 'quick', at: bed.clock.now() + 1 + (draw % 6000) }))
        await bed.clock.advanceBy(0.1 + (draw % 70) / 10)
      }
      await bed.clock.advanceBy(7000)
      await bed.done(Promise.all(calls))
      expect(bed.entered).toHaveLength(due.size)
      for (const { task, at, scheduledAt } of bed.entered) {
        expect([task, scheduledAt]).toEqual([task, due.get(task)])
        expect(at).toBeGreaterThanOrEqual(scheduledAt)
        // A call takes a moment, also one for what is due in a millisecond.
        expect(at - scheduledAt).toBeLessThanOrEqual(20)
      }
    },
  )
})

describe('trace 23: a crash between spill and drop', () => {
  test.each([true, false])('replays no old segment over newer state (power cut: %s)', async powerCut => {
    const outcomes = new Set<boolean>()
    for (let step = 0; step < 120; step++) {
      await started(SHORT_SEGMENTS, `spill ${step}`)
      const { node } = bed
      await bed.done(node.schedule({ id: 'paused', name: 'quick', after: '10m' }))
      await bed.done(node.pause('paused'))
      await bed.done(node.schedule({ id: 'cancelled', name: 'quick', after: '10m' }))
      await bed.done(node.cancel('cancelled'))
      await bed.done(node.schedule({ id: 'done', name: 'quick' }).then(task => task.result()))
      // The end of a run at its old schedule says that it is due in an hour; its new one says in some minutes.
      // Both are to lie in one segment, which is made to begin at one change or the next.
      if (step % 2 === 1) await bed.done(node.schedule({ id: 'push', name: 'quick', after: '1d' }))
      const anchor = bed.clock.now() + 100
      await bed.done(node.schedule({ id: 'later', name: 'quick', every: '1h', anchor }))
      await bed.clock.advanceBy(100.5)
      let isReplaced = false
      node.schedule({ id: 'later', name: 'quick', every: '20m', anchor: anchor + 700_000 }).then(
        () => {
          isReplaced = true
        },
        () => {},
      )
      for (let i = 0; i < 4; i++) node.schedule({ id: 'push', name: 'quick', after: `${i}d` }).catch(() => {})
      await bed.clock.advanceBy(Math.floor(step / 2) * 0.05)
      bed.crash({ powerCut })
      const entered = bed.entered.length
      await bed.start()
      const tasks = await bed.done(listed(bed.node.tasks()))
      const [later, paused, ...others] = tasks.filter(task => task.id !== 'push')
      expect(others).toEqual([])
      expect(paused).toMatchObject({ id: 'paused', state: 'paused' })
      const next = isReplaced || later?.nextAt === anchor + 700_000 ? anchor + 700_000 : anchor + 3_600_000
      expect(later).toMatchObject({ id: 'later', nextAt: next })
      outcomes.add(isReplaced)
      await bed.clock.advanceBy(15 * 60_000)
      const fired = bed.entered.slice(entered).filter(each => each.task !== 'push')
      expect(fired.map(each => each.task)).toEqual(next === anchor + 700_000 ? ['later'] : [])
      await bed.stop()
    }
    expect(outcomes).toEqual(new Set([false, true]))
  })
})

describe('trace 24: an fsync error is not retried', () => {
  test('it ends the engine, and what the disk holds is asked again at the next start', async () => {
    const outcomes = new Set<boolean>()
    for (let seed = 0; seed < 20; seed++) {
      await started(SHORT_SEGMENTS, `sync ${seed}`)
      await bed.done(bed.node.schedule({ id: 'kept', name: 'quick', after: '5s' }))
      bed.disk.failNextSync()
      const doubtful = bed.node.schedule({ id: 'doubtful', name: 'quick', after: '5s' })
      await expect(bed.done(doubtful)).rejects.toMatchObject({ code: 'STORE_FAILED' })
      await expect(bed.engine.stopped).rejects.toMatchObject({ code: 'STORE_FAILED' })
      const { syncCount, writeCount } = bed.disk
      await expect(bed.done(bed.node.schedule({ id: 'b', name: 'quick' }))).rejects.toThrow()
      await bed.clock.advanceBy(10_000)
      expect(bed.entered).toEqual([])
      expect(bed.disk).toMatchObject({ syncCount, writeCount })
      bed.crash()
      await bed.start()
      await bed.clock.advanceBy(100)
      expect(runsOf('kept')).toHaveLength(1)
      expect(runsOf('doubtful').length).toBeLessThanOrEqual(1)
      expect(runsOf('b')).toEqual([])
      outcomes.add(runsOf('doubtful').length === 1)
      await bed.stop()
    }
    expect(outcomes).toEqual(new Set([true, false]))
  })
})

/** A schedule call of a client that repeats it byte for byte, each time over a new channel: after a restart too. */
class Repeated {
  readonly #definition: Uint8Array

  constructor(definition: Pick<DefinitionInput, 'id'> & Partial<DefinitionInput>) {
    const out = new ByteWriter(256)
    const madeAt = bed.clock.now()
    const rest = { minted: false, ifAbsent: false, keyTtlMs: 0, policyText: '', payload: undefined }
    const input = {
      name: 'quick',
      madeAt,
      schedule: { kind: 'at', at: madeAt } as const,
      ...rest,
      ...definition,
    }
    writeDefinition(out, input, new Uint8Array(8).fill(7), 0)
    this.#definition = out.take().slice()
  }

  /** The status that it is answered with. */
  async send(): Promise<string | undefined> {
    const { clock } = bed
    const process = new SimulatedProcess(clock, new Trace(clock, {}))
    const random = { float: () => 0, bytes: (n: number) => new Uint8Array(n) }
    const [theirs, ours] = channelPair({ clock, random }, process, process)
    bed.engine.attach(theirs)
    let status: string | undefined
    ours.start({
      frame: bytes => {
        const reader = new ByteReader(bytes)
        if (reader.u8() !== MESSAGE.scheduled) return
        expect([reader.varuint(), reader.varuint()]).toEqual([1, 1])
        reader.varuint() // copies
        status = reader.u8() === 1 ? SCHEDULE_STATUS[reader.u8()] : 'created'
      },
      closed: () => undefined,
    })
    const out = new ByteWriter(512)
    out.u8(MESSAGE.hello)
    out.utf8(JSON.stringify({ worker: 'repeats', window: 1, handlers: [], running: [], events: false }))
    out.u8(MESSAGE.schedule)
    out.varuint(1)
    out.varuint(0)
    out.varuint(1)
    out.u32le(this.#definition.length)
    out.bytes(this.#definition)
    ours.send(out.take())
    await clock.advanceBy(20)
    ours.close()
    return status
  }
}
