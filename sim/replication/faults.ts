/** What goes wrong in a world, and when. */

import type { Site, World } from './world.ts'

type Kind =
  | 'crash'
  | 'cut'
  | 'one-way'
  | 'slow'
  | 'slow-crash'
  | 'lossy'
  | 'power'
  | 'slow-power'
  | 'join'
  | 'leave'
  | 'wipe'
  | 'lone-wipe'
  | 'rollback'
  | 'absence'

const KINDS: Readonly<Record<World['options']['mix'], readonly Kind[]>> = {
  calm: [],
  crashes: ['crash', 'crash', 'slow', 'slow-crash', 'slow-crash', 'power', 'slow-power'],
  cuts: ['cut', 'cut', 'one-way', 'lossy'],
  moves: ['join', 'leave', 'absence', 'crash', 'lossy', 'slow'],
  storm: [
    ...(['crash', 'cut', 'one-way', 'slow', 'slow-crash', 'lossy', 'power', 'slow-power'] as const),
    ...(['join', 'leave', 'wipe', 'lone-wipe', 'rollback', 'absence'] as const),
  ],
}

export class Faults {
  readonly #world: World
  readonly #gone = new Set<Site>()
  #disksLost = 0
  #joined = 0
  #left = 0
  #isOver = false

  constructor(world: World) {
    this.#world = world
  }

  begin(stormMs: number): void {
    const { options, agenda, random } = this.#world
    const kinds = KINDS[options.mix]
    if (kinds.length === 0) return
    const count = 2 + this.#world.int(6)
    for (let i = 0; i < count; i++) {
      const kind = this.#world.pick(kinds) as Kind
      agenda.after(200 + random.float() * (stormMs - 500), () => {
        if (!this.#isOver) this.#strike(kind)
      })
    }
  }

  #strike(kind: Kind): void {
    const world = this.#world
    const { agenda, random, history, network } = world
    const up = world.upSites()
    const site = world.pick(up)
    if (site === undefined) return
    history.fault(kind, agenda.now)
    const later = (ms: number, run: () => void): void => agenda.after(ms, () => !this.#isOver && run())
    switch (kind) {
      case 'crash':
        return this.#down(site, 50 + random.float() * 1500)
      case 'absence':
        return this.#down(site, 2500 + random.float() * 4000)
      case 'power':
        for (const each of up) this.#down(each, 50 + random.float() * 1500)
        return
      case 'slow-crash':
      case 'slow-power': {
        // What others got may not be on the disk yet.
        const hit = kind === 'slow-crash' ? [site] : up
        for (const each of hit) each.slowUntil = agenda.now + 700
        return later(200 + random.float() * 500, () => {
          for (const each of hit) this.#down(each, 50 + random.float() * 500)
        })
      }
      case 'lone-wipe': {
        // Alone, it must acknowledge nothing: nobody else would have it.
        for (const other of up) {
          if (other === site) continue
          network.cut(site.disk.store, other.disk.store)
          network.cut(other.disk.store, site.disk.store)
        }
        return later(1200 + random.float() * 2000, () => {
          this.#loseDisk('wipe', site)
          network.heal()
        })
      }
      case 'slow':
        site.slowUntil = agenda.now + 1000 + random.float() * 2000
        return
      case 'lossy':
        network.lossOf = 0.3 * random.float()
        network.doubleOf = 0.1
        network.slowOf = 0.2 * random.float()
        return later(500 + random.float() * 3000, () => network.calm())
      case 'cut':
      case 'one-way': {
        const side = new Set(up.filter(() => random.float() < 0.5))
        for (const a of up) {
          for (const b of up) {
            if (side.has(a) === side.has(b)) continue
            if (kind === 'cut' || side.has(a)) network.cut(a.disk.store, b.disk.store)
          }
        }
        return later(300 + random.float() * 5000, () => network.heal())
      }
      case 'join':
        if (this.#joined++ < 2) world.admit(site)
        return
      case 'leave':
        return this.#leave(site, up)
      case 'wipe':
      case 'rollback':
        return this.#loseDisk(kind, site)
    }
  }

  #down(site: Site, ms: number): void {
    this.#world.crash(site)
    this.#world.agenda.after(ms, () => {
      if (!this.#isOver && site.process === undefined && !this.#gone.has(site)) this.#world.start(site)
    })
  }

  #leave(site: Site, up: readonly Site[]): void {
    if (this.#left > 0 || up.length < 4) return
    this.#left++
    const { agenda } = this.#world
    const { process } = site
    if (process === undefined) return
    process.replication.handOver()
    agenda.after(500, () => {
      if (!this.#isOver) this.#world.remove(site.disk.store)
    })
  }

  /** One disk at most: with two, an acknowledged change may be lost. */
  #loseDisk(kind: 'wipe' | 'rollback', site: Site): void {
    const world = this.#world
    if (this.#disksLost > 0) return
    const others = world.upSites().filter(each => each !== site)
    const by = others.find(each => each.table.members.has(site.disk.store))
    if (by === undefined) return
    this.#disksLost++
    const image = site.disk.image()
    const kept = kind === 'wipe' ? [] : image.slice(0, world.int(image.length + 1))
    world.crash(site)
    if (kind === 'rollback' && world.flaws.keepsRolledBack === true) {
      site.disk.entries.length = kept.length
      site.disk.synced = kept.length
      site.disk.boot--
      world.agenda.after(500, () => {
        if (site.process === undefined) world.start(site)
      })
      return
    }
    this.#gone.add(site)
    world.agenda.after(500, () => {
      world.admit(this.#anyUp() ?? by, kept)
    })
  }

  #anyUp(): Site | undefined {
    return this.#world.upSites()[0]
  }

  heal(): void {
    const { network, history, agenda, sites } = this.#world
    this.#isOver = true
    history.fault('heal', agenda.now)
    network.heal()
    network.calm()
    for (const site of sites.values()) {
      site.slowUntil = 0
      if (site.process === undefined && !this.#gone.has(site)) this.#world.start(site)
    }
  }
}
