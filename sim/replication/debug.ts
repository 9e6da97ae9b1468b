import { type Mix, worldOf } from './world.ts'
const [seed, mix] = [Number(process.argv[2]), process.argv[3] as Mix]
const world = worldOf(seed, mix)
const [range, a, b, from, to] = process.argv.slice(4)
if (range !== undefined) {
  const show = (c) => [...c.dots()].map(d => `${d.actor}:${d.n}`).join(' ')
  world.saw = (x, y, m) => {
    if (m.range !== Number(range) || world.agenda.now < Number(from ?? 0) || world.agenda.now > Number(to ?? 1e9)) return
    if (!(a.includes(x) && b.includes(y)) && !(a.includes(y) && b.includes(x))) return
    const extra = 'context' in m ? `[${show(m.context)}]` : m.type === 'append' ? m.entries.map(e => `${e.actor}:${e.n}${e.after.length ? `(after ${e.after.map(d => `${d.actor}:${d.n}`)})` : ''}`).join(' ') : m.type === 'have' ? `${m.actor}:${m.n}` : ''
    console.log(Math.round(world.agenda.now), x, y, m.type, 'kind' in m ? `${m.kind} ${m.number} ready ${m.ready} active ${m.active}` : '', extra, 'chunk' in m ? m.chunk : '')
  }
}
console.log(world.run())
console.log(world.history.faults.map(f => `${Math.round(f.at)} ${f.kind}`).join(', '), world.options, 'unsure', world.history.unsure)
for (const site of world.sites.values()) {
  const p = site.process
  console.log(site.disk.store, p?.isUp, site.table.removed)
  for (const r of p?.replication.replicas() ?? []) {
    console.log('  range', r.range, r.role, 'ready', r.ready, 'list', r.list.join(), 'owner', r.owner(), 'applied', [...r.applied.dots()].map(d => `${d.actor}:${d.n}`).join(' '), 'holes', r.applied.holes.length, 'records', p?.records.of(r.range).size, 'open lists', r.lists.open.map(l => l.members.join('')).join(' '), 'round', r.round && [...r.round.answers].map(([s, a]) => `${s}:${[...a.context.dots()].map(d => `${d.actor}:${d.n}`)}`), 'copying', r.copying.isReceiving)
  }
}
const id = process.argv[9]
if (id !== undefined) {
  for (const op of world.history.ops) if (op.id === id) console.log(op)
  for (const s of world.history.starts) if (s.id === id) console.log('start', s.life, s.instant, s.store, s.at, 'since', s.actingSince, s.unsure)
  for (const s of world.history.completions) if (s.id === id) console.log('done', s.life, s.instant, s.store, s.at, s.ackedAt)
  for (const site of world.sites.values()) {
    const r = site.process?.records.get(world.rangeOf(id), id)
    if (r) { const { definition, dirtyPrev, dirtyNext, ...rest } = r; console.log(site.disk.store, JSON.stringify({ ...rest, dots: r.dots }), definition.requestNumber) }
  }
}
