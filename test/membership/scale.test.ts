import { expect, test } from 'vitest'
import { MeshOfTest } from '../support/membership-mesh.ts'

/** Bytes a second that each node sends on the liveness plane of a quiet mesh, with all headers: the mean, and the most. */
async function quietTraffic(mesh: MeshOfTest, ms: number): Promise<{ mean: number; most: number }> {
  const sent = () => mesh.members.map(({ host }) => host.traffic.planes.liveness.sentBytes)
  const before = sent()
  await mesh.run(ms)
  const each = sent().map((bytes, i) => ((bytes - before[i]!) * 1000) / ms)
  return { mean: each.reduce((sum, bytes) => sum + bytes, 0) / each.length, most: Math.max(...each) }
}

test('a quiet mesh costs each node the same, and little, among three and among sixty', async () => {
  const means: number[] = []
  for (const count of [3, 60]) {
    const mesh = new MeshOfTest(`quiet ${count}`)
    await mesh.mesh(count)
    await mesh.run(20_000)
    const { mean, most } = await quietTraffic(mesh, 60_000)
    expect(most).toBeLessThan(1000)
    means.push(mean)
  }
  expect(Math.max(...means) / Math.min(...means)).toBeLessThan(1.1)
}, 120_000)

test('among a hundred a crash is seen by all within a second, and a silent death in time', async () => {
  const mesh = new MeshOfTest('hundred')
  const members = await mesh.mesh(100)
  await mesh.run(5000)
  const [crashed, dark] = [members[57]!, members[21]!]
  crashed.crash()
  const left = members.filter(member => member !== crashed)
  await mesh.until(() => left.every(member => member.sees(crashed) === 'away'), 1000)
  dark.crash(true)
  const lit = left.filter(member => member !== dark)
  const first = await mesh.until(() => lit.some(member => member.sees(dark) === 'away'), 30_000)
  expect(first).toBeGreaterThan(8000)
  await mesh.until(() => lit.every(member => member.sees(dark) === 'away'), 2000)
  expect(new Set(lit.map(member => member.it.viewId)).size).toBe(1)
}, 120_000)
