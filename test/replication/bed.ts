/** A small mesh without chance faults, for one trace at a time: three or more stores, one range unless said otherwise. */

import type { Op } from '../../sim/replication/history.ts'
import { type Site, World, type WorldOptions } from '../../sim/replication/world.ts'
import type { ReplicationOptions } from '../../src/replication/options.ts'

export class Bed {
  readonly world: World

  constructor(options: Partial<WorldOptions> = {}, protocol: Partial<ReplicationOptions> = {}) {
    this.world = new World({
      ...{ seed: 1, stores: 3, replicas: 3, ranges: 1, mix: 'calm', stormMs: 0, healMs: 0 },
      ...options,
    })
    Object.assign(this.world.protocol, protocol)
    this.world.clients.lostOf = 0
    this.world.begin()
    this.pass(300)
  }

  pass(ms: number): void {
    this.world.agenda.until(this.world.agenda.now + ms)
  }

  site(store: string): Site {
    const site = this.world.sites.get(store)
    if (site === undefined) throw new Error(`there is no store ${store}`)
    return site
  }

  /** The list of a range as the first store that is up has it. */
  list(range = 0): readonly string[] {
    return this.world.upSites()[0]?.process?.replication.view.list(range) ?? []
  }

  armed(range = 0): string[] {
    return this.world.upSites().flatMap(({ disk, process }) => (process?.acting.has(range) ? disk.store : []))
  }

  crash(store: string): void {
    this.world.crash(this.site(store))
  }

  restart(store: string): void {
    this.world.start(this.site(store))
  }

  /** Nothing passes between the two sides, either way. */
  cut(one: readonly string[], other: readonly string[]): void {
    for (const a of one) {
      for (const b of other) {
        this.world.network.cut(a, b)
        this.world.network.cut(b, a)
      }
    }
  }

  heal(): void {
    this.world.network.heal()
  }

  inMs(ms: number): number {
    return Math.floor(this.world.wall + ms)
  }

  /** Passes time until the call has its answer, or so long. */
  answered(op: Op, ms = 3000): Op {
    for (let i = 0; i < ms / 20 && Number.isNaN(op.answeredAt); i++) this.pass(20)
    return op
  }

  starts(id: string): string[] {
    return this.world.history.starts.filter(start => start.id === id).map(({ store }) => store)
  }

  /** Stores that have a live record of the id. */
  holders(id: string): string[] {
    const range = this.world.rangeOf(id)
    return this.world
      .upSites()
      .flatMap(({ disk, process }) => {
        const record = process?.records.get(range, id)
        return record !== undefined && !record.ended && !record.cancelled ? disk.store : []
      })
      .sort()
  }

  role(store: string, range = 0): string | undefined {
    return this.site(store).process?.replication.replica(range)?.role
  }
}
