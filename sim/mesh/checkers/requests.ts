/**
 * Each request is answered in the end, and makes one task, however often it was sent, and wherever: an id that was created once has one life, a one-shot
 * one run, and each trigger one more.
 */

import type { MeshHistory } from '../history.ts'
import type { MeshOp, MeshStory } from '../tasks/task-history.ts'
import type { MeshChecker } from './checker.ts'
import { told } from './task-story.ts'
import { reasonToRepeat } from './trouble.ts'

export const requests: MeshChecker = {
  name: 'requests',
  check(history, _plan, fail) {
    for (const story of history.tasks?.stories.values() ?? []) {
      const open = story.ops.find(({ ackAt }) => ackAt === undefined)
      if (open !== undefined)
        fail(`${open.method} ${story.id} n=${open.n} was never answered\n${told(history, story)}`)
      const [made, ...more] = story.ops.filter(({ method }) => method === 'schedule')
      if (more.length > 0 || story.loose || (made === undefined && story.parent === undefined)) continue
      const lives = new Set(story.attempts.map(({ life }) => life))
      if (lives.size > 1) {
        // Carried out on both sides of a cut; the one that made other tasks meanwhile gives it a later life. Both are its
        // first, so their runs have the same keys, which is looked at below.
        const reason = made === undefined ? undefined : repeated(history, made)
        if (reason !== 'partition' && reason !== 'pause') {
          fail(`${story.id} was created once, and has lived ${lives.size} times\n${told(history, story)}`)
          continue
        }
        history.count(`created on two sides: ${reason}`)
      }
      if (made !== undefined && made.spec?.schedule.kind !== 'at') continue
      const runs = new Set(story.attempts.map(({ runId }) => runId))
      const triggers = story.ops.filter(({ method }) => method === 'trigger')
      if (runs.size <= 1 + triggers.length) continue
      const reason = triggers.map(op => repeated(history, op)).find(each => each !== undefined)
      if (reason !== undefined && wasRepeated(story)) history.count(`runs by hand made twice: ${reason}`)
      else {
        fail(
          `${story.id} was created once and triggered ${triggers.length} times, and has ${runs.size} runs\n${told(history, story)}`,
        )
      }
    }
  },
}

/** A trigger went to more than one node: who was cut off could not know. */
function wasRepeated(story: MeshStory): boolean {
  return story.ops.some(
    ({ method, answers, isRouted }) =>
      method === 'trigger' && (isRouted || new Set(answers.map(({ node }) => node)).size > 1),
  )
}

/** Why a call may have been carried out at two nodes. */
function repeated(history: MeshHistory, op: MeshOp): string | undefined {
  const until = op.ackAt ?? history.endedAt
  const nodes = op.isRouted ? everyNode(history) : [op.answers[0]?.node ?? 0]
  return nodes
    .map(node => reasonToRepeat(history, { node, since: op.sentAt, settledAt: until, until }))
    .find(each => each !== undefined)
}

function everyNode({ starts }: MeshHistory): number[] {
  return [...new Set(starts.map(({ node }) => node))]
}
