import { test } from 'vitest'
import { rangeOf } from '../../src/lib/hash.ts'
import { MeshBed } from './bed.ts'
test('x', async () => {
  const bed = new MeshBed(3)
  bed.handle('first', async run => {
    for (let i = 0; i < 5; i++) console.log('made', await run.schedule({ name: 'second' }))
  })
  bed.handle('second')
  await bed.found()
  const t = await bed.call(node => node.schedule({ name: 'first', id: 'parent', after: 10 }))
  await bed.advance(2000)
  for (const n of bed.nodes) { try { console.log(n.number, JSON.stringify(await bed.done(n.api.runs('parent')))) } catch (e) { console.log(String(e)) } }
  for (const n of bed.nodes) { for (let r = 0; r < 16; r++) { const i = await bed.done(n.engine.mesh!.tasks.inspect(r)); if (i.records.size) console.log(n.number, r, i.acts, [...i.records.keys()]) } }
  console.log(t.id, bed.entered)
}, 60000)
