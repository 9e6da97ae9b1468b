import { expect, test } from 'vitest'
import { type MemberOfTest, MeshOfTest } from '../support/membership-mesh.ts'

/** So many fresh nodes that know each other's addresses. */
function fresh(mesh: MeshOfTest, count: number, expect: number | undefined): MemberOfTest[] {
  const members = Array.from({ length: count }, () => mesh.add())
  const addresses = members.map(({ host }) => host.address)
  for (const member of members) {
    member.options = { expect, join: addresses.filter(address => address !== member.host.address) }
  }
  return members
}

function foundedMeshes(mesh: MeshOfTest): Set<string> {
  return new Set(mesh.members.flatMap(member => member.founded))
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map(rest => [item, ...rest]))
}

test('three found one mesh together, in each order of starts', async () => {
  for (const order of permutations([0, 1, 2])) {
    const mesh = new MeshOfTest(`found ${order}`)
    const members = fresh(mesh, 3, 3)
    for (const i of order) {
      members[i]!.start()
      await mesh.run(mesh.random.float() * 700)
    }
    await mesh.until(() => mesh.agreed(), 20_000)
    expect(foundedMeshes(mesh).size).toBe(1)
    expect(members[0]!.it.view.stores).toHaveLength(3)
  }
})

test('two of three found it without the third, which is admitted later', async () => {
  const mesh = new MeshOfTest('two of three')
  const members = fresh(mesh, 3, 3)
  members[0]!.start()
  members[2]!.start()
  await mesh.until(() => mesh.agreed(), 20_000)
  const { meshId } = members[0]!.it
  members[1]!.start()
  await mesh.until(() => mesh.agreed(), 20_000)
  expect(members[1]!.it.meshId).toBe(meshId)
})

test('one of three founds nothing, however long it waits', async () => {
  const mesh = new MeshOfTest('one of three')
  const members = fresh(mesh, 3, 3)
  members[0]!.start()
  await mesh.run(120_000)
  expect(members[0]!.it.meshId).toBeUndefined()
  expect(members[0]!.it.quorum).toBe(Number.POSITIVE_INFINITY)
  expect(members[0]!.it.view.stores).toEqual([])
})

test('four fresh nodes under expect 3, in all start orders and paces, never found two meshes (trace 14)', async () => {
  let stopped = 0
  let grown = 0
  for (const order of permutations([0, 1, 2, 3])) {
    for (const paceMs of [0, 300, 2000, 8000]) {
      const mesh = new MeshOfTest(`four ${order} ${paceMs}`)
      const members = fresh(mesh, 4, 3)
      for (const i of order) {
        members[i]!.start()
        await mesh.run(mesh.random.float() * paceMs)
      }
      await mesh.run(30_000)
      expect(foundedMeshes(mesh).size).toBeLessThanOrEqual(1)
      if (foundedMeshes(mesh).size === 0) {
        stopped++
        expect(members.every(({ refused }) => refused.includes('TOO_MANY_FRESH'))).toBe(true)
      } else {
        grown++
        expect(mesh.agreed()).toBe(true)
      }
    }
  }
  expect(stopped).toBeGreaterThan(0)
  expect(grown).toBeGreaterThan(0)
}, 120_000)

test('cuts, losses and crashes while three found never make two meshes, and one is there after healing', async () => {
  for (let seed = 0; seed < 150; seed++) {
    const mesh = new MeshOfTest(`cut founding ${seed}`)
    const members = fresh(mesh, 3, 3)
    const { hosts } = mesh.switch
    const random = mesh.random.fork('faults')
    const heals: Array<() => void> = []
    for (const member of members) member.start()
    for (let step = 0; step < 12; step++) {
      await mesh.run(random.float() * 900)
      const [one, ...others] = hosts.toSorted(() => random.float() - 0.5)
      const member = members[Math.floor(random.float() * 3)]!
      const fault = random.float()
      if (fault < 0.3) heals.push(mesh.switch.partition([one!], others))
      else if (fault < 0.45) heals.push(mesh.switch.disturb([one!], others, { cut: true }))
      else if (fault < 0.6)
        heals.push(mesh.switch.disturb(hosts, hosts, { loss: 0.3, duplicate: 0.2, late: 0.2 }))
      else if (fault < 0.8) heals.pop()?.()
      else if (member.isUp) member.crash(random.float() < 0.5)
      else member.start()
    }
    expect(foundedMeshes(mesh).size).toBeLessThanOrEqual(1)
    mesh.switch.heal()
    for (const member of members) if (!member.isUp) member.start()
    await mesh.until(() => mesh.agreed(), 90_000)
    expect(foundedMeshes(mesh).size).toBe(1)
  }
}, 120_000)

test('different expectations are refused on both sides', async () => {
  const mesh = new MeshOfTest('expect differs')
  const [a, b] = fresh(mesh, 2, 2) as [MemberOfTest, MemberOfTest]
  b.options = { ...b.options, expect: 3 }
  a.start()
  b.start()
  await mesh.until(() => a.refused.includes('EXPECT_DIFFERS') && b.refused.includes('EXPECT_DIFFERS'), 10_000)
  await mesh.run(20_000)
  expect(foundedMeshes(mesh).size).toBe(0)
})

test('a store that promised keeps to its founding when it is started without expect', async () => {
  const mesh = new MeshOfTest('bound')
  const [a, b] = fresh(mesh, 2, 3) as [MemberOfTest, MemberOfTest]
  a.start()
  b.start()
  await mesh.until(() => mesh.agreed(), 20_000)
  // Of a third mesh that b never took part in.
  const other = mesh.add()
  other.start()
  await mesh.run(1000)
  b.crash()
  b.options = { join: [other.host.address] }
  b.start()
  await mesh.run(5000)
  expect(b.it.meshId).toBe(a.it.meshId)
  expect(b.refused).toContain('OTHER_MESH')
})

/** Three that have a mesh, and `count` that expect three as well, join them, and know each other: not started. */
async function newcomers(mesh: MeshOfTest, count: number) {
  const old = fresh(mesh, 3, 3)
  for (const member of old) member.start()
  await mesh.until(() => mesh.agreed(), 20_000)
  const late = Array.from({ length: count }, () => mesh.add())
  const addresses = mesh.members.map(({ host }) => host.address)
  for (const member of late) {
    member.options = { expect: 3, join: addresses.filter(address => address !== member.host.address) }
  }
  const hosts = (members: readonly MemberOfTest[]) => members.map(({ host }) => host)
  return { old, late, cut: mesh.switch.partition(hosts(old), hosts(late)) }
}

test('newcomers that meet each other before they reach the mesh that they join found no other', async () => {
  for (const [count, cutMs] of [
    [3, 3000],
    [3, 12_000],
    [10, 3000],
  ] as const) {
    const mesh = new MeshOfTest(`newcomers ${count} ${cutMs}`)
    const { late, cut } = await newcomers(mesh, count)
    for (const member of late) {
      member.start()
      // Three are there alone for a while.
      if (member === late[2]) await mesh.run(1500)
    }
    await mesh.run(cutMs)
    expect(late.flatMap(({ founded }) => founded)).toEqual([])
    cut()
    await mesh.until(() => mesh.agreed(), 30_000)
    expect(foundedMeshes(mesh).size).toBe(1)
  }
})

test('a machine that never answers stops no founding for ever', async () => {
  const mesh = new MeshOfTest('never answers')
  const members = fresh(mesh, 3, 3)
  const hosts = members.map(({ host }) => host)
  mesh.switch.partition([hosts[2]!], hosts.slice(0, 2))
  for (const member of members) member.start()
  await mesh.run(10_000)
  expect(foundedMeshes(mesh).size).toBe(0)
  await mesh.until(() => members[0]!.founded.length + members[1]!.founded.length === 2, 20_000)
  expect(foundedMeshes(mesh).size).toBe(1)
})
