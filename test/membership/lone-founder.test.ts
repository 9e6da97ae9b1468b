import { expect, test } from 'vitest'
import { MeshOfTest } from '../support/membership-mesh.ts'

/** Nobody ever listens at this host. */
const NOBODY = 'nobody:7400'

test('who stands for all founds alone once it has waited, and who does not never does', async () => {
  const mesh = new MeshOfTest('lone')
  const lone = mesh.add({ join: [NOBODY], foundsAlone: () => true })
  const other = mesh.add({ join: [lone.host.address], foundsAlone: () => false })
  other.start()
  await mesh.run(60_000)
  expect(other.founded).toEqual([])
  lone.start()
  await mesh.run(2900)
  expect(lone.founded).toEqual([])
  await mesh.until(() => mesh.agreed(), 10_000)
  expect(new Set([...lone.founded, ...other.founded]).size).toBe(1)
})

test('the wait begins when it comes to stand for all, and anew each time', async () => {
  const mesh = new MeshOfTest('since')
  let stands = false
  const lone = mesh.add({ join: [NOBODY], foundsAlone: () => stands })
  lone.start()
  await mesh.run(10_000)
  for (let times = 0; times < 3; times++) {
    stands = true
    await mesh.run(2500)
    stands = false
    await mesh.run(200)
  }
  expect(lone.founded).toEqual([])
  stands = true
  await mesh.until(() => lone.founded.length > 0, 3500)
})

test('a member that finds it while it waits admits it', async () => {
  for (const afterMs of [0, 1000, 2500]) {
    const mesh = new MeshOfTest(`found after ${afterMs}`)
    const [member] = await mesh.mesh(2)
    const lone = mesh.add({ join: [NOBODY], foundsAlone: () => true })
    lone.start()
    await mesh.run(afterMs)
    member?.network?.connect(lone.host.address)
    await mesh.until(() => mesh.agreed(), 10_000)
    expect(lone.founded).toEqual([member?.it.meshId])
  }
})

test('who has seen a founded mesh founds none, also when that is gone', async () => {
  const mesh = new MeshOfTest('seen')
  let stands = false
  const first = mesh.add({ mayAdmit: () => false })
  const late = mesh.add({ join: [first.host.address], foundsAlone: () => stands })
  first.start()
  late.start()
  await mesh.until(() => late.refused.includes('NOT_ADMITTED'), 10_000)
  first.crash()
  stands = true
  await mesh.run(60_000)
  expect(late.founded).toEqual([])
  // Only of this start: a person who starts it anew is told that it founds.
  await late.stop()
  late.start()
  await mesh.until(() => late.founded.length > 0, 10_000)
})

test('with expect it takes part in that founding, and founds none alone', async () => {
  const mesh = new MeshOfTest('expect')
  const members = [0, 1].map(() => mesh.add())
  const [first, second] = members.map(({ host }) => host.address) as [string, string]
  for (const member of members) member.options = { join: [first, second], expect: 3, foundsAlone: () => true }
  for (const member of members) member.start()
  await mesh.until(() => mesh.agreed(), 30_000)
  expect(new Set(members.flatMap(({ founded }) => founded)).size).toBe(1)
  const alone = new MeshOfTest('expect, alone')
  const one = alone.add({ join: [NOBODY], expect: 3, foundsAlone: () => true })
  one.start()
  await alone.run(60_000)
  expect(one.founded).toEqual([])
})
