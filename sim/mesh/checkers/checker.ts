/** A checker judges a mesh by its history, and by nothing else. */

import type { MeshHistory } from '../history.ts'
import type { MeshPlan } from '../planner.ts'

export interface MeshChecker {
  readonly name: string
  check(history: MeshHistory, plan: MeshPlan, fail: (text: string) => void): void
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`
}
