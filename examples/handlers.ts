/** The handlers of the example mesh, the same on each node: small, and without effects outside their process. */

import type { Run } from '../src/index.ts'

function heartbeat(run: Run<{ of: string }>): string {
  return run.payload.of
}

/** Pretends to send a mail; the first attempt of every third one fails, to show a retry. */
async function sendEmail(run: Run<{ to: string; n: number }>): Promise<{ sentTo: string }> {
  await new Promise(resolve => setTimeout(resolve, 30))
  run.log('connected for', run.payload.to)
  if (run.payload.n % 3 === 0 && run.attempt === 1) throw new Error('421 the mail server is busy, try again')
  return { sentTo: run.payload.to }
}

/** Builds a report, and has it sent: the mail is scheduled together with this completion, or not at all. */
async function buildReport(run: Run<{ n: number }>): Promise<{ rows: number }> {
  for (const percent of [25, 50, 75, 100]) {
    if (run.signal.aborted) throw run.signal.reason
    run.progress({ percent })
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  run.schedule({ name: 'email.send', payload: { to: 'team@example.com', n: run.payload.n } })
  return { rows: 1000 + run.payload.n }
}

export const handlers = { heartbeat, 'email.send': sendEmail, 'report.build': buildReport }
