import { expect, test } from 'vitest'
import { DEFAULT_MEMBERSHIP_OPTIONS } from '../../src/membership/options.ts'
import { MemberOfTest, MeshOfTest } from '../support/membership-mesh.ts'

test('a restart has a new boot, and everybody sees it in one view', async () => {
  const mesh = new MeshOfTest('restart')
  const members = await mesh.mesh(5)
  const last = members[4] as MemberOfTest
  const { store } = last
  last.crash()
  await mesh.until(() => members[0]?.sees(last) === 'away', 3000)
  last.start()
  await mesh.until(() => mesh.agreed(), 5000)
  expect(last.store).toBe(store)
  for (const member of members) {
    expect(member.it.view.stores.find(found => found.store === store)?.boot).toBe(2)
    expect(member.it.view.stores).toHaveLength(5)
  }
})

test('a restart that nobody noticed is found by its hello', async () => {
  const mesh = new MeshOfTest('quick restart')
  const members = await mesh.mesh(3)
  const last = members[2] as MemberOfTest
  last.crash()
  last.start()
  await mesh.until(() => mesh.agreed(), 5000)
  expect(
    members.every(({ it }) => it.view.stores.some(({ node, boot }) => node === last.name && boot === 2)),
  ).toBe(true)
})

test('after a power cut of all, each has its roster, and the mesh is the same', async () => {
  const mesh = new MeshOfTest('all dark')
  const members = await mesh.mesh(4)
  const { meshId } = members[0]!.it
  for (const member of members) member.crash(true)
  await mesh.run(1000)
  // One comes alone: it knows of the others, and that its own copy is no majority.
  members[1]!.start()
  await mesh.run(30_000)
  expect(members[1]!.it.view.stores).toHaveLength(4)
  expect(members[1]!.it.quorum).toBe(2)
  for (const member of members) if (!member.isUp) member.start()
  await mesh.until(() => mesh.agreed(), 10_000)
  expect(members.every(member => member.it.meshId === meshId)).toBe(true)
  expect(members[0]!.it.view.stores).toHaveLength(4)
})

test('a wiped disk comes back as a new store; the old one stays in the roster until it is forgotten', async () => {
  const mesh = new MeshOfTest('wiped')
  const members = await mesh.mesh(3)
  const [first, , last] = members as [MemberOfTest, MemberOfTest, MemberOfTest]
  const old = last.store
  last.crash()
  last.wipe()
  last.options = { ...last.options, join: [first.host.address] }
  last.start()
  await mesh.until(() => mesh.agreed(), 5000)
  expect(last.store).not.toBe(old)
  expect(first.it.view.stores).toHaveLength(4)
  expect(first.it.view.stores.find(({ store }) => store === old)?.state).toBe('away')
  await mesh.carryOut(first.it.forget(old))
  await mesh.until(() => members.every(({ it }) => it.view.stores.length === 3), 5000)
  await mesh.until(() => mesh.agreed(), 5000)
})

test('a node with a new store lives on in it: the old one is gone soon, also for who hears of both at once', async () => {
  const mesh = new MeshOfTest('succeeded')
  const members = await mesh.mesh(3)
  const [first, second, last] = members as [MemberOfTest, MemberOfTest, MemberOfTest]
  const old = last.store
  const oldAt = (member: MemberOfTest) => member.it.view.stores.find(({ store }) => store === old)?.state
  last.crash()
  await mesh.until(() => first.sees(last) === 'away', 3000)
  // Away alone moves nothing.
  await mesh.run(10_000)
  expect([first, second].map(oldAt)).toEqual(['away', 'away'])
  last.wipe()
  last.options = { ...last.options, join: [first.host.address] }
  last.start()
  await mesh.until(() => members.every(member => oldAt(member) === 'gone'), 4000)
  await mesh.until(() => mesh.agreed(), 1000)
  expect(first.it.view.stores).toHaveLength(4)
  const newcomer = mesh.add({ join: [first.host.address] })
  newcomer.start()
  await mesh.until(() => mesh.agreed(), 5000)
  expect(oldAt(newcomer)).toBe('gone')
})

test('of two processes with one identity none is gone for good: who is left is live', async () => {
  const mesh = new MeshOfTest('twins')
  const members = await mesh.mesh(4)
  const [first, , , twin] = members as [MemberOfTest, MemberOfTest, MemberOfTest, MemberOfTest]
  const other = new MemberOfTest(mesh, twin.name, { join: [first.host.address] }, 'elsewhere')
  const rest = members.filter(member => member !== twin)
  const heal = mesh.switch.partition(
    [twin.host],
    [other, ...rest].map(({ host }) => host),
  )
  await mesh.until(() => rest.every(member => member.sees(twin) === 'away'), 40_000)
  other.start()
  await mesh.until(() => rest.every(member => member.sees(other) === 'live'), 5000)
  await mesh.until(() => rest.every(member => member.sees(twin) === 'gone'), 5000)
  heal()
  await mesh.run(20_000)
  other.crash()
  await mesh.until(() => mesh.agreed(), 60_000)
  expect(rest.map(member => member.sees(twin))).toEqual(['live', 'live', 'live'])
  await mesh.until(() => rest.every(member => member.sees(other) === 'gone'), 10_000)
})

test.each([
  ['one observer starts again', 1],
  ['all observers start again', 2],
])('away for long is gone, though %s: there the time begins anew', async (_, restarts) => {
  const mesh = new MeshOfTest('away and gone')
  const members = await mesh.mesh(3)
  const [first, second, last] = members as [MemberOfTest, MemberOfTest, MemberOfTest]
  last.crash()
  await mesh.until(() => [first, second].every(member => member.sees(last) === 'away'), 3000)
  await mesh.run(30_000)
  for (const member of [first, second].slice(0, restarts)) {
    member.crash(true)
    member.start()
  }
  await mesh.run(25_000)
  expect(first.sees(last)).toBe('away')
  const ms = await mesh.until(() => [first, second].every(member => member.sees(last) === 'gone'), 60_000)
  expect(ms > 15_000).toBe(restarts === 2)
})

test('who never comes back after a power cut of all is gone in the end', async () => {
  const mesh = new MeshOfTest('one stays dark')
  const members = await mesh.mesh(3)
  const [first, second, last] = members as [MemberOfTest, MemberOfTest, MemberOfTest]
  for (const member of members) member.crash(true)
  first.start()
  second.start()
  await mesh.run(1000)
  await mesh.until(() => [first, second].every(member => member.sees(last) === 'gone'), 100_000)
})

test('a restored disk image is found out by its boot (trace 27)', async () => {
  const mesh = new MeshOfTest('image')
  const members = await mesh.mesh(3)
  const last = members[2] as MemberOfTest
  last.crash()
  const image = last.image()
  last.start()
  await mesh.until(() => mesh.agreed(), 5000)
  last.crash()
  last.restore(image)
  last.start()
  await mesh.until(() => last.rolledBack.length > 0, 5000)
  expect(last.boot).toBe(2)
  expect(last.it.isAdmitted).toBe(false)
  expect(last.it.quorum).toBe(Number.POSITIVE_INFINITY)
})

test('a restored image is found out by the starts it tells of, though it was started unseen meanwhile', async () => {
  const mesh = new MeshOfTest('image unseen')
  const members = await mesh.mesh(3)
  const last = members[2] as MemberOfTest
  last.crash()
  const image = last.image()
  last.start()
  await mesh.until(() => mesh.agreed(), 5000)
  last.crash()
  last.restore(image)
  const heal = mesh.switch.partition([last.host], mesh.switch.hosts.slice(0, 2))
  for (let start = 0; start < 3; start++) {
    last.start()
    await mesh.run(2000)
    expect(last.rolledBack).toEqual([])
    last.crash()
  }
  heal()
  last.start()
  await mesh.until(() => last.rolledBack.length > 0, 10_000)
  expect(last.boot).toBe(5)
})

test('a start behind the journal that its peers know is found out, also after it has written more', async () => {
  const mesh = new MeshOfTest('journal')
  const members = await mesh.mesh(3)
  const last = members[2] as MemberOfTest
  last.journal = 100
  await mesh.run(20_000)
  last.crash()
  // The journal lost its end, the boot did not.
  last.journal = 60
  const heal = mesh.switch.partition([last.host], mesh.switch.hosts.slice(0, 2))
  last.start()
  await mesh.run(1000)
  last.journal = 140
  heal()
  await mesh.until(() => last.rolledBack.length > 0, 30_000)
})

test('who remembers keeps it over a restart of its own', async () => {
  const mesh = new MeshOfTest('memory')
  const members = await mesh.mesh(3)
  const [a, b, last] = members as [MemberOfTest, MemberOfTest, MemberOfTest]
  last.journal = 100
  await mesh.run(20_000)
  for (const member of members) member.crash(true)
  last.journal = 60
  last.start()
  a.start()
  b.start()
  await mesh.until(() => last.rolledBack.length > 0, 30_000)
})

test('a store that leaves is gone from every view, and stays so after merges and restarts', async () => {
  const mesh = new MeshOfTest('leave')
  const members = await mesh.mesh(5)
  const [a, b, c, d, last] = members as [MemberOfTest, MemberOfTest, MemberOfTest, MemberOfTest, MemberOfTest]
  // One is cut off meanwhile, and still has the leaver in its roster.
  const heal = mesh.switch.partition(
    [d.host],
    [a, b, c, last].map(({ host }) => host),
  )
  await mesh.run(1000)
  await mesh.carryOut(last.it.leave())
  expect(last.it.isAdmitted).toBe(false)
  expect(last.refused).toEqual([])
  await mesh.until(() => [a, b, c].every(({ it }) => it.view.stores.length === 4), 3000)
  await last.stop()
  c.crash()
  c.start()
  await mesh.run(3000)
  expect(d.it.view.stores).toHaveLength(5)
  heal()
  await mesh.until(() => mesh.agreed(), 30_000)
  expect([a, b, c, d].every(({ it }) => it.view.stores.length === 4)).toBe(true)
  // Its disk says so, too; and so does everybody whom it asks.
  last.start()
  await mesh.run(5000)
  expect(last.refused).toEqual(['REMOVED'])
  expect(last.it.isAdmitted).toBe(false)
  expect(a.it.view.stores).toHaveLength(4)
})

test('who was forgotten while it was cut off hears of it, and owns nothing', async () => {
  const mesh = new MeshOfTest('forgotten')
  const members = await mesh.mesh(4)
  const [a, , , last] = members as [MemberOfTest, MemberOfTest, MemberOfTest, MemberOfTest]
  const heal = mesh.switch.partition(
    [last.host],
    members.slice(0, 3).map(({ host }) => host),
  )
  await expect(mesh.carryOut(a.it.forget(last.store))).rejects.toMatchObject({ code: 'CONFLICT' })
  await mesh.until(() => a.sees(last) === 'away', 40_000)
  await mesh.carryOut(a.it.forget(last.store))
  expect(a.it.view.stores).toHaveLength(3)
  await mesh.run(3000)
  heal()
  await mesh.until(() => last.refused.includes('REMOVED'), 30_000)
  expect(last.it.isAdmitted).toBe(false)
  await mesh.run(20_000)
  expect(members.slice(0, 3).every(({ it }) => it.view.stores.length === 3)).toBe(true)
})

test('two meshes never merge', async () => {
  const mesh = new MeshOfTest('two meshes')
  const a = mesh.add()
  const b = mesh.add()
  a.start()
  b.start()
  await mesh.run(1000)
  const meshOfB = b.it.meshId
  expect(a.it.meshId).not.toBe(meshOfB)
  b.crash()
  b.options = { join: [a.host.address] }
  b.start()
  await mesh.until(() => b.refused.includes('OTHER_MESH'), 10_000)
  await mesh.run(10_000)
  expect(b.it.meshId).toBe(meshOfB)
  expect(a.it.view.stores).toHaveLength(1)
  expect(b.it.view.stores).toHaveLength(1)
})

test('who is not let in waits, and acknowledges nothing', async () => {
  const mesh = new MeshOfTest('not let in')
  let open = false
  const a = mesh.add({ mayAdmit: () => open })
  const b = mesh.add({ join: [a.host.address] })
  a.start()
  b.start()
  await mesh.until(() => b.refused.includes('NOT_ADMITTED'), 10_000)
  expect(b.it.quorum).toBe(Number.POSITIVE_INFINITY)
  expect(b.it.meshId).toBeUndefined()
  open = true
  await mesh.until(() => mesh.agreed(), 5000)
})

test('a member whose welcome was lost by a crash of both still belongs to one mesh', async () => {
  for (let at = 0; at < 60; at += 3) {
    const mesh = new MeshOfTest(`welcome ${at}`)
    const a = mesh.add()
    a.start()
    await mesh.run(1000)
    const b = mesh.add({ join: [a.host.address] })
    b.start()
    await mesh.run(at / 3)
    a.crash(true)
    b.crash(true)
    b.start()
    await mesh.run(2000)
    a.start()
    await mesh.until(() => mesh.agreed(), 20_000)
    expect(a.it.view.stores).toHaveLength(2)
  }
})

test('more strangers than may be kept are admitted one after the other', async () => {
  const mesh = new MeshOfTest('strangers')
  const { limits } = DEFAULT_MEMBERSHIP_OPTIONS
  await mesh.mesh(12, { limits: { ...limits, strangersMax: 2 } })
  expect(mesh.agreed()).toBe(true)
})

test('who left knows it by its own disk, with nobody there to tell', async () => {
  const mesh = new MeshOfTest('left alone')
  const members = await mesh.mesh(3)
  const last = members[2] as MemberOfTest
  await mesh.carryOut(last.it.leave())
  for (const member of members) member.crash()
  last.start()
  await mesh.run(2000)
  expect(last.refused).toEqual(['REMOVED'])
  expect(last.it.isAdmitted).toBe(false)
})

test('a mark is kept over restarts: one who still has the forgotten store brings it back to nobody', async () => {
  const mesh = new MeshOfTest('mark kept')
  const members = await mesh.mesh(4)
  const [a, b, stale, dead] = members as [MemberOfTest, MemberOfTest, MemberOfTest, MemberOfTest]
  dead.crash()
  await mesh.until(() => [a, b, stale].every(member => member.sees(dead) === 'away'), 3000)
  stale.crash()
  await mesh.carryOut(a.it.forget(dead.store))
  await mesh.until(() => b.it.view.stores.length === 3, 3000)
  for (const member of [a, b]) member.crash(true)
  for (const member of [a, b, stale]) member.start()
  await mesh.until(() => mesh.agreed(), 20_000)
  expect([a, b, stale].every(({ it }) => it.view.stores.length === 3)).toBe(true)
})
