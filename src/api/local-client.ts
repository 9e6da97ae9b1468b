/** The client in the user's hands: a front of the thread that relays to the mesh. */

import { Front, type FrontOptions, type FrontParts } from './front.ts'
import type { ClientEvents } from './types.ts'

const EVENTS: Readonly<Record<keyof ClientEvents, true>> = {
  run: true,
  retry: true,
  missed: true,
  'no-worker': true,
  'late-end': true,
  'clock-jump': true,
  member: true,
  refused: true,
  'store-full': true,
}

export class LocalClient extends Front {
  constructor(parts: FrontParts, options: FrontOptions) {
    super(parts, options, { what: 'client', events: EVENTS })
  }
}
