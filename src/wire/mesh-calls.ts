/** The calls of who looks after a mesh, of the node that is asked. */

import type { DrainView, RingView } from '../task/views.ts'

export type MeshRequest =
  /** Removes stores that are not live from the roster, for ever: one by its id, or all such of a node. Ids may be cut. */
  | { readonly method: 'forget-stores'; readonly who: string }
  /** Begins to leave the mesh, or tells how far that is. */
  | { readonly method: 'drain' }
  /** Who acts for what, and keeps what; with an id, of its range. */
  | { readonly method: 'ring'; readonly id: string | undefined }

export interface ForgottenStore {
  readonly store: string
  readonly node: string
}

export interface MeshAnswers {
  'forget-stores': { readonly forgotten: readonly ForgottenStore[] }
  drain: { readonly drain: DrainView }
  ring: { readonly ring: RingView }
}

/** What answers them. */
export interface MeshCalls {
  answer(request: MeshRequest): Promise<MeshAnswers[MeshRequest['method']]>
}
