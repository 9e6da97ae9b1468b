/** Test meshes that are closed after the test that made them. */

import { afterEach } from 'vitest'
import { createTestMesh, type TestMesh } from '../../testing/index.ts'

const open: TestMesh[] = []

export async function meshOf(...args: Parameters<typeof createTestMesh>): Promise<TestMesh> {
  const mesh = await createTestMesh(...args)
  open.push(mesh)
  return mesh
}

afterEach(async () => {
  for (const mesh of open.splice(0)) await mesh.close()
})
