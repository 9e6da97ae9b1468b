/** `carillon/testing`: the shipped engine on virtual time, for users' own tests. */

import '../src/check-node.ts'

export { createTestMesh } from './create-test-mesh.ts'
export type {
  CrashOptions,
  RestartOptions,
  RunFilter,
  SleepOptions,
  TestMesh,
  TestMeshOptions,
  TestRun,
  UntilOptions,
} from './types.ts'
