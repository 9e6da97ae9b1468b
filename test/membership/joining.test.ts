import { expect, test } from 'vitest'
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
