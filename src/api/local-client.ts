/** The client in the user's hands: a front of the thread that relays to the mesh. */

import { Front, type FrontOptions, type FrontParts } from './front.ts'
import { CLIENT_EVENTS } from './listeners.ts'

export class LocalClient extends Front {
  constructor(parts: FrontParts, options: FrontOptions) {
    super(parts, options, { what: 'client', events: CLIENT_EVENTS })
  }
}
