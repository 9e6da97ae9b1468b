import { expect, test } from 'vitest'
import { suspicionMsMax, suspicionMsMin, TIMINGS } from '../../src/membership/timings.ts'
import { type MemberOfTest, MeshOfTest } from '../support/membership-mesh.ts'

const LAN = TIMINGS.lan

function others(mesh: MeshOfTest, ...dead: MemberOfTest[]): MemberOfTest[] {
  return mesh.members.filter(member => !dead.includes(member))
}

for (const count of [2, 3, 10, 30]) {
  test(`a crash among ${count} is seen by all within a second and the spread`, async () => {
    const mesh = new MeshOfTest(`crash ${count}`)
    const members = await mesh.mesh(count)
    await mesh.run(5000)
    const dead = members[count - 1] as MemberOfTest
    dead.crash()
    const left = others(mesh, dead)
    const first = await mesh.until(() => left.some(member => member.sees(dead) === 'away'), 1000)
    expect(first).toBeLessThan(1000)
    await mesh.until(() => left.every(member => member.sees(dead) === 'away'), 1000)
    expect(left.every(member => member.it.suspects.length === 0)).toBe(true)
  })

  test(`a power cut among ${count} is seen within the bounds of a suspicion`, async () => {
    const mesh = new MeshOfTest(`silence ${count}`)
    const members = await mesh.mesh(count)
    await mesh.run(5000)
    const dead = members[count - 1] as MemberOfTest
    dead.crash(true)
    const left = others(mesh, dead)
    const min = suspicionMsMin(LAN, count)
    const first = await mesh.until(() => left.some(member => member.sees(dead) !== 'live'), 60_000)
    // It is probed at the latest in the second round, and tried for no more than the longest suspicion.
    expect(first).toBeGreaterThan(min)
    expect(first).toBeLessThan(Math.min(2 * count, 20) * LAN.probeMs + suspicionMsMax(LAN, count))
    await mesh.until(() => left.every(member => member.sees(dead) === 'away'), 2000)
    // Being gone is later, and everybody's.
    await mesh.until(() => left.every(member => member.sees(dead) === 'gone'), 62_000)
    expect(new Set(left.map(member => member.it.viewId)).size).toBe(1)
  })
}

test('ten of thirty crash at once, and the others agree on it', async () => {
  const mesh = new MeshOfTest('ten of thirty')
  const members = await mesh.mesh(30)
  await mesh.run(3000)
  for (const member of members.slice(20)) member.crash()
  await mesh.until(() => mesh.agreed(), 3000)
})

test('ten of thirty lose their power at once, and the others agree on it', async () => {
  const mesh = new MeshOfTest('ten of thirty dark')
  const members = await mesh.mesh(30)
  await mesh.run(3000)
  for (const member of members.slice(20)) member.crash(true)
  await mesh.until(() => mesh.agreed(), 45_000)
})

for (const count of [2, 3, 4, 10]) {
  test(`with 30 % loss for ten minutes no healthy one of ${count} is away`, async () => {
    const mesh = new MeshOfTest(`loss ${count}`)
    const members = await mesh.mesh(count)
    const { hosts } = mesh.switch
    const heal = mesh.switch.disturb(hosts, hosts, { loss: 0.3 })
    let wrong = 0
    for (let second = 0; second < 600; second++) {
      await mesh.run(1000)
      for (const a of members) for (const b of members) if (a.sees(b) !== 'live') wrong++
    }
    expect(members.reduce((sum, member) => sum + member.suspected.length, 0)).toBeGreaterThan(0)
    expect(wrong).toBe(0)
    heal()
    await mesh.until(() => mesh.agreed(), 10_000)
  })
}

test('one-way loss between two of five takes nobody away', async () => {
  const mesh = new MeshOfTest('one way')
  const members = await mesh.mesh(5)
  const [a, b] = members as [MemberOfTest, MemberOfTest]
  mesh.switch.disturb([a.host], [b.host], { loss: 1 })
  for (let second = 0; second < 120; second++) {
    await mesh.run(1000)
    expect(members.every(member => members.every(other => member.sees(other) === 'live'))).toBe(true)
  }
})

test('a link that flips every 20 s leaves one view once it rests', async () => {
  const mesh = new MeshOfTest('flip-flop')
  const members = await mesh.mesh(5)
  const [a, ...rest] = members.map(member => member.host)
  for (let flip = 0; flip < 6; flip++) {
    const heal = mesh.switch.partition([a!], rest)
    await mesh.run(20_000)
    heal()
    await mesh.run(20_000)
  }
  await mesh.until(() => mesh.agreed(), 10_000)
})

test('a node whose machine stands still for three seconds accuses nobody, and is not away', async () => {
  const mesh = new MeshOfTest('pause')
  const members = await mesh.mesh(5)
  const [a] = members as [MemberOfTest]
  await mesh.run(3000)
  for (let pause = 0; pause < 5; pause++) {
    a.process?.stop(true)
    await mesh.run(3000)
    a.process?.stop(false)
    await mesh.run(5000)
    expect(a.suspected).toEqual([])
    expect(a.it.localHealth).toBeGreaterThanOrEqual(0)
    expect(members.every(member => member.sees(a) === 'live')).toBe(true)
  }
})

test('a node that stops in an orderly way is away at once', async () => {
  const mesh = new MeshOfTest('stop')
  const members = await mesh.mesh(4)
  const last = members[3] as MemberOfTest
  await last.stop()
  await mesh.until(() => others(mesh, last).every(member => member.sees(last) === 'away'), 1000)
})

test('a partition heals into one view, whoever was thought away or gone', async () => {
  const mesh = new MeshOfTest('heal')
  const members = await mesh.mesh(6)
  const hosts = members.map(member => member.host)
  const heal = mesh.switch.partition(hosts.slice(0, 3), hosts.slice(3))
  await mesh.run(120_000)
  expect(members[0]?.sees(members[5] as MemberOfTest)).toBe('gone')
  expect(members[5]?.sees(members[0] as MemberOfTest)).toBe('gone')
  expect(members[0]?.it.quorum).toBe(2)
  heal()
  await mesh.until(() => mesh.agreed(), 30_000)
})
