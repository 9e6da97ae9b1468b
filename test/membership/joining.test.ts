import { expect, test } from 'vitest'
import { DEFAULT_MEMBERSHIP_OPTIONS } from '../../src/membership/options.ts'
import { MeshOfTest } from '../support/membership-mesh.ts'

for (const count of [1, 2, 3, 10]) {
  test(`${count} nodes join and have one view`, async () => {
    const mesh = new MeshOfTest(count)
    const members = await mesh.mesh(count)
    const [first] = members
    expect(first?.it.view.stores).toHaveLength(count)
    expect(new Set(members.map(member => member.it.meshId)).size).toBe(1)
    expect(new Set(members.map(member => member.it.view.id)).size).toBe(1)
    expect(first?.it.quorum).toBe(count >= 2 ? 2 : 1)
    expect(members.every(member => member.views.at(-1)?.id === first?.it.viewId)).toBe(true)
    expect(members.map(member => member.founded)).toEqual(members.map(() => [first?.it.meshId]))
  })
}

test('the first view of a newcomer has all that its admitter knows', async () => {
  const mesh = new MeshOfTest('first view')
  const members = await mesh.mesh(5)
  const late = mesh.add({ join: members.map(({ host }) => host.address) })
  late.start()
  await mesh.until(() => late.views.some(({ stores }) => stores.length > 1), 10_000)
  const sizes = late.views.map(({ stores }) => stores.length).filter(size => size > 1)
  expect(sizes[0]).toBe(6)
})

test('so it has where a roster takes many frames, frames are lost, and others join meanwhile', async () => {
  const mesh = new MeshOfTest('many frames')
  // Room for two or three members.
  const limits = { ...DEFAULT_MEMBERSHIP_OPTIONS.limits, chunkBytes: 200 }
  const members = [...(await mesh.mesh(9, { limits }))]
  const join = members.map(({ host }) => host.address)
  const late = [1, 2, 3].map(() => mesh.add({ limits, join }))
  const hosts = members.map(({ host }) => host)
  mesh.switch.disturb(
    hosts,
    late.map(({ host }) => host),
    { loss: 0.3 },
  )
  for (const each of late) each.start()
  const firstOf = ({ views }: (typeof late)[number]) =>
    views.map(({ stores }) => stores.length).find(size => size > 1) ?? 0
  await mesh.until(() => late.every(each => firstOf(each) > 0), 60_000)
  for (const each of late) expect(firstOf(each)).toBeGreaterThanOrEqual(10)
})
