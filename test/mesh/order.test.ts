/** A node that begins to act keeps the order of what others sent it while it did not (work/rounds.ts). */

import { afterEach, expect, test } from 'vitest'
import { PeerLink } from '../../src/mesh/peer-link.ts'
import type { TaskRequest } from '../../src/mesh/routed-call.ts'
import { channelPair } from '../support/channel-pair.ts'
import { type BedNode, MeshBed } from './bed.ts'

let bed: MeshBed

afterEach(() => bed.stop())

/** A session of another engine with that of the node. */
function linkTo({ engine }: BedNode): PeerLink {
  const [near, far] = channelPair()
  engine.attach(far, { engine: true, far: true })
  const host = { stir: () => undefined, closed: () => undefined, failed: () => undefined }
  const link = new PeerLink('near', near, { callsMax: 100, bytesMax: 1e6 }, host, undefined)
  link.start()
  return link
}

test('a change behind one that was refused is refused until that has been heard of', async () => {
  bed = new MeshBed(3)
  bed.handle('work')
  await bed.found()
  await bed.call(api => api.schedule({ id: 'kept', name: 'work', after: 600_000 }))
  const owner = bed.ownerOf('kept')
  const links = bed.up.filter(node => node !== owner).map(node => ({ node, link: linkTo(node), n: 0 }))
  const ask = async (of: (typeof links)[number], method: 'pause' | 'task', round = 0): Promise<string> => {
    const request = { method, id: 'kept', caller: '0011223344556677', n: ++of.n, madeAt: bed.clock.now() }
    let told = 'nothing'
    const asker = {
      answered: (json: string) => (told = json),
      refused: ({ code }: { code: string }) => (told = code),
      lost: () => (told = 'lost'),
      scheduled: () => undefined,
    }
    of.link.call(request as TaskRequest, asker, round)
    of.link.flush()
    await bed.advance(1000)
    return told
  }
  for (const each of links) expect(await ask(each, 'pause')).toBe('NOT_OWNER')
  owner.crash()
  await bed.settled()
  const heir = bed.ownerOf('kept')
  const each = links.find(({ node }) => node === heir) as (typeof links)[number]
  expect(await ask(each, 'task')).toBe('NOT_OWNER')
  expect(await ask(each, 'pause')).toBe('NOT_OWNER')
  expect(await ask(each, 'pause', 1)).toContain('"paused":true')
  expect(await ask(each, 'task', 1)).toContain('"state":"paused"')
})
