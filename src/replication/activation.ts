/**
 * Activation (PROTOCOLS B3): who starts to act for a range, by a view, a restart or as a stand-in, first exchanges tails
 * with enough stores of its list and of each former one that is not retired, so that every acknowledged change is applied
 * here; a copy that it takes for that is included. Until then it starts nothing. Without enough of them it goes on after a
 * while, unsure, and says so; who has nothing of the range yet waits longer for those that live, as one of them may well act.
 * It goes on asking, and retires former lists of which all have been heard.
 */

import { invariant } from '../invariant.ts'
import { isExchanged, isSure, Round } from './exchange.ts'
import type { Replica } from './replica.ts'

export class Activation {
  readonly #replica: Replica
  #since = 0

  constructor(replica: Replica) {
    this.#replica = replica
  }

  /** When it began. */
  get since(): number {
    return this.#since
  }

  begin(now: number): void {
    this.#replica.role = 'activating'
    this.#since = now
    this.askAnew(now)
  }

  /** Answers to what was asked before no longer count. */
  askAnew(now: number): void {
    this.#replica.round = this.newRound(now)
    this.#replica.outgoing.ask(now)
  }

  newRound(now: number): Round {
    const { parts } = this.#replica
    return new Round(parts.nextNumber(), parts.view().id, now)
  }

  /** Everything that was acknowledged under the list or a former one is known here. */
  isSure(round: Round): boolean {
    const { list, quorum, lists, parts, applied } = this.#replica
    const all = [{ members: list, quorum }, ...lists.open]
    return isSure(round, all, parts.self, applied, store => this.#isGone(store))
  }

  /** While it activates: whether it may act now. */
  check(now: number): void {
    const replica = this.#replica
    const { self, host, options, startedAt, events } = replica.parts
    const { round, range } = replica
    invariant(round !== undefined, 'who activates has asked')
    const sure = this.isSure(round)
    const isBehind = this.#isBehind(round)
    const waitMs = isBehind ? options.unsureWhenNewMs : options.unsureAfterMs
    const deadline = Math.max(this.#since + waitMs, startedAt + options.unsureAfterStartMs)
    if ((!sure || isBehind) && now < deadline) return
    invariant(replica.list.includes(self), 'who acts for a range is in its list (A5)')
    replica.role = 'owner'
    replica.unsure = !sure
    if (!sure) events.unsure(range)
    if (!replica.ready) replica.becomeReady(now)
    host.arm(range, replica.unsure)
    replica.gossip.tellAll()
    this.checkExchanged(now)
  }

  /** While it acts: whether it has become sure, and which former lists are over. */
  checkExchanged(now: number): void {
    const replica = this.#replica
    const { round, parts, range } = replica
    if (round === undefined) return
    if (replica.unsure && this.isSure(round)) {
      replica.unsure = false
      if (!replica.handingOver.isSealed) parts.host.arm(range, false)
    }
    if (!replica.unsure) this.#retire(round)
    if (!replica.unsure && replica.lists.open.length === 0) replica.round = undefined
    else if (round.viewId !== parts.view().id) replica.round = this.newRound(now)
  }

  /** This store has joined no copy yet, and one that lives and keeps or kept the range has not been heard, or not wholly. */
  #isBehind(round: Round): boolean {
    const { ready, list, lists, parts, applied } = this.#replica
    if (ready) return false
    const asked = [...list, ...lists.open.flatMap(({ members }) => members)]
    const view = parts.view()
    return asked.some(store => view.isLive(store) && !round.isHeard(store, parts.self, applied))
  }

  /** It has left the mesh, or is gone for so long that nobody waits for it any more. */
  #isGone(store: string): boolean {
    const { host, options, view } = this.#replica.parts
    const since = view().goneSince(store)
    return since !== undefined && host.now() - since >= options.goneRetireMs
  }

  #retire(round: Round): void {
    const replica = this.#replica
    const { self, host, options } = replica.parts
    const isGone = (store: string): boolean => this.#isGone(store)
    const lists = replica.lists
      .retire(list => isExchanged(round, list, self, replica.applied, isGone))
      .forget(host.now() - 2 * options.goneRetireMs)
    if (lists === replica.lists) return
    replica.lists = lists
    replica.save()
  }
}
