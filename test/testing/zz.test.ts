import { test } from 'vitest'
import { createTestMesh } from '../../testing/index.ts'
test('three', { timeout: 60_000 }, async () => {
  const mesh = await createTestMesh({ nodes: 3, handlers: { x: async (run: { payload: number }) => run.payload * 2 } })
  await mesh.node.schedule({ id: 'n', name: 'x', payload: 1, cron: '0 3 * * *' })
  const show = () => (mesh as any).dump?.()
  await mesh.advance('10s'); console.log(show())
  await mesh.advance('1 hour'); console.log(show())
  await mesh.advance('1 hour'); console.log(show())
  await mesh.close()
})
