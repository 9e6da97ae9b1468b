/** The tasks of the example mesh, which its first node schedules at each start. */

import type { TaskOptions } from '../src/index.ts'

/** What has an id is left alone by a second start; the mail is sent each time. */
export const tasks: readonly TaskOptions[] = [
  ...['red', 'green', 'blue', 'white', 'black', 'brown'].map(of => ({
    id: `heartbeat-${of}`,
    name: 'heartbeat',
    payload: { of },
    cron: '*/3 * * * * *',
  })),
  { id: 'report', name: 'report.build', payload: { n: 7 }, every: '15s' },
  {
    name: 'email.send',
    payload: { to: 'someone@example.com', n: 3 },
    after: '2s',
    retry: { base: '500ms', jitter: false },
  },
]
