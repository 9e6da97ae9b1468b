/** Random faults, then rest: whatever happened, there is one mesh with one view, and who was removed stays so. */

import { expect, test } from 'vitest'
import { MeshOfTest } from '../support/membership-mesh.ts'

const SEEDS = 20

test('after any faults the mesh has one view within a minute of rest', async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const mesh = new MeshOfTest(`healing ${seed}`)
    const members = await mesh.mesh(3 + (seed % 4))
    const { meshId } = members[0]!.it
    const random = mesh.random.fork('faults')
    const pick = <T>(items: readonly T[]) => items[Math.floor(random.float() * items.length)]!
    const removed = new Set<string>()
    const heals: Array<() => void> = []
    const { hosts } = mesh.switch
    for (let step = 0; step < 25; step++) {
      await mesh.run(random.float() * 12_000)
      const shuffled = hosts.toSorted(() => random.float() - 0.5)
      const half = shuffled.splice(0, 1 + Math.floor(random.float() * (hosts.length - 1)))
      const member = pick(members)
      const fault = random.float()
      if (fault < 0.15) heals.push(mesh.switch.partition(half, shuffled))
      else if (fault < 0.25) heals.push(mesh.switch.disturb(half, shuffled, { cut: true }))
      else if (fault < 0.35)
        heals.push(mesh.switch.disturb(hosts, hosts, { loss: 0.3, duplicate: 0.2, late: 0.2 }))
      else if (fault < 0.6) heals.pop()?.()
      else if (!member.isUp) {
        // One disk is never lost: with all of them the mesh would be, too.
        if (member !== members[0] && random.float() < 0.3) member.wipe()
        member.options = { ...member.options, join: hosts.map(({ address }) => address) }
        member.start()
      } else if (fault < 0.9) member.crash(random.float() < 0.5)
      else if (member.membership?.isAdmitted) {
        const dead = member.it.view.stores.find(({ state, store }) => state !== 'live' && isPast(mesh, store))
        if (dead === undefined) continue
        await mesh.carryOut(member.it.forget(dead.store))
        removed.add(dead.store)
      }
    }
    mesh.switch.heal()
    for (const member of members) {
      if (member.isUp) continue
      member.options = { ...member.options, join: hosts.map(({ address }) => address) }
      member.start()
    }
    await mesh.until(() => mesh.agreed(), 60_000)
    expect(new Set(members.flatMap(({ founded }) => founded)), `seed ${seed}`).toEqual(new Set([meshId]))
    const stores = members[0]!.it.view.stores.map(({ store }) => store)
    expect(stores.filter(store => removed.has(store))).toEqual([])
    for (const { rolledBack, refused } of members) expect([...rolledBack, ...refused]).toEqual([])
    // It rests: nobody is accused, and the view stays.
    const { viewId } = members[0]!.it
    await mesh.run(10_000)
    const gone = members[0]!.it.view.stores.filter(({ state }) => state === 'gone').length
    expect(gone).toBeLessThanOrEqual(stores.length - members.length)
    if (stores.length === members.length) expect(members.every(({ it }) => it.viewId === viewId)).toBe(true)
  }
}, 180_000)

/** No disk has this store any more. */
function isPast(mesh: MeshOfTest, store: string): boolean {
  return !mesh.members.some(member => member.store === store)
}
