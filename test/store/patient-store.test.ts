import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { MemoryStore } from '../../src/adapters/memory-store.ts'
import { CarillonError, type ErrorCode } from '../../src/errors.ts'
import { PatientStore } from '../../src/store/patient-store.ts'

/** Fails the next calls with these codes; notes all of them. */
class FailingStore extends MemoryStore {
  readonly calls: string[] = []
  failures: ErrorCode[] = []

  override async write(...[ops, options]: Parameters<MemoryStore['write']>): Promise<void> {
    this.#call('write')
    return super.write(ops, options)
  }

  override async clear(range: Parameters<MemoryStore['clear']>[0]): Promise<void> {
    this.#call('clear')
    return super.clear(range)
  }

  override async reopen(): Promise<void> {
    this.#call('reopen')
  }

  #call(name: string): void {
    this.calls.push(name)
    const code = this.failures.shift()
    if (code !== undefined) throw new CarillonError(code, `${name} failed`)
  }
}

describe('a store that waits for space', () => {
  const key = Uint8Array.of(1)
  let clock: VirtualClock
  let store: FailingStore
  let patient: PatientStore
  let fullness: boolean[]

  beforeEach(async () => {
    clock = new VirtualClock()
    store = new FailingStore()
    await store.open()
    fullness = []
    patient = new PatientStore(store, clock, 1000, full => fullness.push(full))
  })

  async function outcome(promise: Promise<void>): Promise<string> {
    let said = 'waits'
    promise.then(
      () => {
        said = 'done'
      },
      (error: CarillonError) => {
        said = error.code
      },
    )
    await clock.advanceBy(10_000)
    return said
  }

  test('opens it again until there is space, then makes the same call again', async () => {
    store.failures = ['STORE_FULL', 'STORE_FULL', 'STORE_FULL']
    expect(await outcome(patient.write([{ type: 'put', key, value: key }], true))).toBe('done')
    expect(store.calls).toEqual(['write', 'reopen', 'reopen', 'reopen', 'write'])
    expect(await store.get(key)).toEqual(key)
    expect(fullness).toEqual([true, false])
  })

  test('shares one wait among all who call, and clears as patiently as it writes', async () => {
    store.failures = ['STORE_FULL', 'STORE_FULL']
    const writes = [patient.write([], true), patient.clear({ gte: key, lt: Uint8Array.of(2) })]
    expect(await outcome(Promise.all(writes).then(() => undefined))).toBe('done')
    expect(store.calls.filter(call => call === 'reopen').length).toBe(1)
    expect(fullness).toEqual([true, false])
  })

  test('hands every other error on, and tries nothing again', async () => {
    for (const code of ['STORE_FAILED', 'STORE_CORRUPT', 'CLOSED'] as const) {
      store.calls.length = 0
      store.failures = [code]
      expect(await outcome(patient.write([], true))).toBe(code)
      expect(store.calls).toEqual(['write'])
    }
    store.failures = ['STORE_FULL', 'STORE_FAILED']
    expect(await outcome(patient.write([], true))).toBe('STORE_FAILED')
    expect([patient.isFull, fullness]).toEqual([false, [true, false]])
  })

  test('gives up when it is stopped', async () => {
    store.failures = ['STORE_FULL']
    const written = outcome(patient.write([], true))
    patient.stop()
    expect(await written).toBe('STORE_FULL')
    expect(store.calls).toEqual(['write'])
  })
})
