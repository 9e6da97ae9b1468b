/** The same without a test framework: `node --test examples/testing/nightly.mjs`, in a project that has carillon installed. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestMesh } from 'carillon/testing'

const sendDigest = async run => ({ sent: run.payload })

test('the digest goes out at nine in Paris, on workdays, in winter and in summer', async () => {
  const mesh = await createTestMesh({ startAt: '2026-03-27T12:00:00Z', handlers: { digest: sendDigest } })
  await mesh.node.schedule({ id: 'd', name: 'digest', payload: 7, cron: '0 9 * * 1-5', tz: 'Europe/Paris' })
  await mesh.advance('4 days')
  assert.deepEqual(
    mesh.ran('digest').map(run => new Date(run.at).toISOString()),
    ['2026-03-30T07:00:00.000Z', '2026-03-31T07:00:00.000Z'],
  )
  await mesh.close()
})

test('three nodes fire it once', async () => {
  const mesh = await createTestMesh({ nodes: 3, handlers: { digest: sendDigest } })
  await mesh.node.schedule({ id: 'd', name: 'digest', payload: 7, cron: '0 9 * * *' })
  await mesh.advance('3 weeks')
  assert.equal(mesh.ran('digest').length, 21)
  assert.deepEqual(mesh.runs[0].result, { sent: 7 })
  await mesh.close()
})
