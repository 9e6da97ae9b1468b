/** Mutants that sit below the engine: what it believes to be on the disk is not. */

import type { Store, StoreOp } from '../../src/ports/store.ts'
import type { Mutant, MutantPorts } from './mutant.ts'

const T = 0x74
const J = 0x6a

function lying(
  name: string,
  breaks: string,
  write: (store: Store, ports: MutantPorts) => Store['write'],
  mix = 'crash',
): Mutant {
  return {
    name,
    breaks,
    mix,
    apply: ports => ({ store: store => wrapped(store, write(store, ports)), undo: () => {} }),
  }
}

/** The store with another `write`, or another `cursor`. */
function wrapped(
  store: Store,
  write: Store['write'],
  cursor: Store['cursor'] = options => store.cursor(options),
): Store {
  return {
    durable: store.durable,
    open: () => store.open(),
    write,
    get: key => store.get(key),
    getMany: keys => store.getMany(keys),
    cursor,
    clear: range => store.clear(range),
    reopen: () => store.reopen(),
    space: () => store.space(),
    close: () => store.close(),
  }
}

export const LYING_DISKS: readonly Mutant[] = [
  lying(
    'ack-before-sync',
    'a commit is acknowledged when it was handed to the disk',
    store => (ops, options) => {
      // The caller reuses its buffers once it was told.
      const kept = ops.map(op => (op.type === 'put' ? { ...op, value: op.value.slice() } : op))
      store.write(kept, options).catch(() => undefined)
      return Promise.resolve()
    },
  ),
  lying('no-sync', 'nothing is ever synced', store => ops => store.write(ops, { sync: false })),
  lying(
    'failed-sync-ignored',
    'an fsync that failed is taken for one that did not',
    store => {
      return (ops, options) => store.write(ops, options).catch(() => undefined)
    },
    'disk',
  ),
  lying(
    'spill-forgets',
    'now and then a spill leaves a record out',
    (store, { random }) =>
      (ops, options) => {
        return store.write(
          ops.filter(op => op.key[0] !== T || op.type === 'del' || random.float() < 0.9),
          options,
        )
      },
  ),
  lying('journal-dropped-early', 'the journal goes before its records are in the index', store => {
    // Records are held back in memory until there are many of them, as by a cache that nobody syncs.
    const later: StoreOp[] = []
    return async (ops, options) => {
      const now: StoreOp[] = []
      for (const op of ops) {
        // The caller reuses its buffers once it was told.
        if (op.key[0] !== T) now.push(op)
        else later.push(op.type === 'put' ? { ...op, key: op.key.slice(), value: op.value.slice() } : op)
      }
      await store.write(now, options)
      if (later.length > 400) await store.write(later.splice(0), options)
    }
  }),
  lying(
    'torn-in-the-middle',
    'now and then an acknowledged commit is cut short on the disk',
    (store, { random }) =>
      (ops, options) => {
        const torn = ops.map(op =>
          isBlob(op) && random.float() < 0.002 ? { ...op, value: op.value.slice(0, -3) } : op,
        )
        return store.write(torn, options)
      },
  ),
  {
    name: 'replay-stops-early',
    breaks: 'a replay takes its first page of the journal for all of it',
    mix: 'crash',
    apply: () => ({
      store: store =>
        wrapped(
          store,
          (ops, options) => store.write(ops, options),
          options => {
            const cursor = store.cursor(options)
            if (options.gte[0] !== J) return cursor
            let pages = 0
            return { ...cursor, next: async max => (pages++ === 0 ? cursor.next(max) : []) }
          },
        ),
      undo: () => {},
    }),
  },
]

function isBlob(op: StoreOp): op is Extract<StoreOp, { type: 'put' }> {
  return op.type === 'put' && op.key[0] === J
}
