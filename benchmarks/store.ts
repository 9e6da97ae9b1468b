/**
 * The disk store alone. Hypothesis: one synced blob of many records costs little more than the fdatasync that it
 * needs, so the journal's speed is the disk's; records one by one, or in batches, cost LevelDB microseconds each.
 * The baseline is an append and fdatasync of the same size on a plain file in the same directory.
 */

import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelStore } from '../src/adapters/level-store.ts'
import type { Store, StoreOp } from '../src/ports/store.ts'
import type { Benchmark, BenchmarkResult } from './benchmark.ts'

const KB = 1024

export const store: Benchmark = {
  name: 'store',
  about:
    'LevelDB as the store: synced blobs, batches of small records, cursor pages, next to a bare fdatasync',
  async run({ quick, say }) {
    const scale = quick ? 1 : 10
    const directory = await mkdtemp(join(tmpdir(), 'carillon-bench-store-'))
    const level = new LevelStore(join(directory, 'db'))
    const results: BenchmarkResult[] = []
    const report = (result: BenchmarkResult): void => {
      results.push(result)
      say(`${result.name}: ${Math.round(result.perSec ?? 0)}/s`)
    }
    try {
      for (const size of [1 * KB, 100 * KB]) report(await plainAppends(directory, size, 100 * scale))
      await level.open()
      for (const size of [1 * KB, 100 * KB]) report(await syncedBlobs(level, size, 100 * scale))
      report(await deleteBlobs(level, 100 * scale))
      report(await indexBatches(level, 50 * scale))
      report(await cursorPages(level, 50 * scale))
      report(await singleReads(level, 2000 * scale, 50 * scale))
    } finally {
      await level.close()
      await rm(directory, { recursive: true })
    }
    return results
  },
}

async function plainAppends(directory: string, size: number, count: number): Promise<BenchmarkResult> {
  const file = await open(join(directory, `plain-${size}`), 'w')
  const bytes = noise(size)
  const result = await measured(`baseline: append of ${size / KB} KB and fdatasync`, count, 1, async () => {
    await file.write(bytes)
    await file.datasync()
  })
  await file.close()
  return result
}

function syncedBlobs(level: Store, size: number, count: number): Promise<BenchmarkResult> {
  const value = noise(size)
  return measured(`synced put of ${size / KB} KB`, count, 1, at =>
    level.write([{ type: 'put', key: blobKey(size, at), value }], { sync: true }),
  )
}

/** As the journal drops a segment: 50 keys in one write that is not synced. */
function deleteBlobs(level: Store, count: number): Promise<BenchmarkResult> {
  const perCall = 50
  return measured('delete of journal keys, 50 a write', count / perCall, perCall, at => {
    const ops = Array.from({ length: perCall }, (_, offset): StoreOp => {
      return { type: 'del', key: blobKey(100 * KB, at * perCall + offset) }
    })
    return level.write(ops, { sync: false })
  })
}

/** Keys come in no order, as those of an index by hash do. */
function indexBatches(level: Store, count: number): Promise<BenchmarkResult> {
  const value = noise(100)
  return measured('index records of 124 bytes, batches of 1000, synced', count, 1000, at => {
    const ops = Array.from({ length: 1000 }, (_, offset): StoreOp => {
      return { type: 'put', key: recordKey(at * 1000 + offset), value }
    })
    return level.write(ops, { sync: true })
  })
}

async function cursorPages(level: Store, count: number): Promise<BenchmarkResult> {
  const cursor = level.cursor({ gte: Uint8Array.of(2), lt: Uint8Array.of(3) })
  const result = await measured('records read by a cursor, pages of 1000', count, 1000, async () => {
    await cursor.next(1000)
  })
  await cursor.close()
  return result
}

function singleReads(level: Store, count: number, batches: number): Promise<BenchmarkResult> {
  return measured('reads of one record', count, 1, async at => {
    await level.get(recordKey((at * 7919) % (batches * 1000)))
  })
}

/** Calls `call` one after the other; `n` and `perSec` count items, of which each call has `perCall`. */
async function measured(
  name: string,
  calls: number,
  perCall: number,
  call: (at: number) => Promise<void>,
): Promise<BenchmarkResult> {
  const durationsMs: number[] = []
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  for (let at = 0; at < calls; at++) {
    const calledAt = performance.now()
    await call(at)
    durationsMs.push(performance.now() - calledAt)
  }
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(cpu)
  durationsMs.sort((a, b) => a - b)
  const quantile = (part: number): number => durationsMs[Math.floor(part * (calls - 1))] ?? 0
  const n = calls * perCall
  return {
    name,
    n,
    perSec: n / seconds,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: quantile(1),
    cpuUsPerTask: (user + system) / n,
    rssBytes: process.memoryUsage.rss(),
  }
}

function blobKey(size: number, at: number): Uint8Array {
  return numbered(1, size, at)
}

function recordKey(at: number): Uint8Array {
  return numbered(2, Math.imul(at, 2654435761) >>> 0, at)
}

function numbered(prefix: number, major: number, minor: number): Uint8Array {
  const key = new Uint8Array(24)
  key[0] = prefix
  const view = new DataView(key.buffer)
  view.setUint32(8, major)
  view.setUint32(20, minor)
  return key
}

/** Bytes that compress by about a half, as records do. */
function noise(length: number): Uint8Array {
  let state = 1
  return Uint8Array.from({ length }, (_, at) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return at % 2 === 0 ? state >> 16 : 0
  })
}
