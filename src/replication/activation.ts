/**
 * Activation (PROTOCOLS B3): who starts to act for a range, by a view, a restart or as a stand-in, first exchanges tails
 * with enough stores of its list and of each former one that is not retired, so that every acknowledged change is applied
 * here; a copy that it takes for that is included. Until then it starts nothing. Without enough of them it goes on after a
 * while, unsure, and says so. It goes on asking, and retires former lists of which all have been heard.
 *
 * Enough know what was acknowledged, not what runs, or has ended a moment ago, where somebody acts still: every live store
 * of these lists is waited for until it has said, under the same view, that it does not act, and what it had is applied
 * here. Who may act, as far as is known, is waited for longest; what is not connected can't be asked.
 */

import { invariant } from '../invariant.ts'
import { isExchanged, isSure, Round } from './exchange.ts'
import type { Replica } from './replica.ts'

export class Activation {
  readonly #replica: Replica
  /** When it began, of the time in which this process was awake. */
  #since = 0
  /** Somebody else has acted for the range since this process started. */
  #hasSeenOthers = false

  constructor(replica: Replica) {
    this.#replica = replica
  }

  /**
   * How often what is not answered is asked again. While it has just begun nobody may act: soon; sooner where somebody has
   * answered under another view, which it is about to leave.
   */
  get askEveryMs(): number {
    const { role, parts, round, ready } = this.#replica
    const { askMs, resendMs, unsureAfterMs, digestIdleMs } = parts.options
    // Who only has to be told of the lists is in no hurry: whoever gets to know them tells it, too.
    if (role === 'replica' && ready) return hasOtherView(round) ? resendMs : digestIdleMs
    if (role !== 'activating' || parts.awakeMs() - this.#since >= unsureAfterMs) return resendMs
    return hasOtherView(round) ? askMs / 4 : askMs
  }

  begin(now: number): void {
    this.#replica.role = 'activating'
    this.#since = this.#replica.parts.awakeMs()
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
    const isGone = (store: string): boolean => this.#isGone(store)
    return this.#knowsLists(round) && isSure(round, all, parts.self, applied, isGone)
  }

  /**
   * It was told of every list that the range has had; or fewer stores are left than it takes to acknowledge something under
   * a list of which those that have answered know nothing.
   */
  #knowsLists(round: Round): boolean {
    const { knowsLists, parts, applied } = this.#replica
    if (knowsLists) return true
    const view = parts.view()
    let unheard = 0
    for (const store of view.roster()) {
      const isHeard = store === parts.self || round.answers.get(store)?.viewId === round.viewId
      if (!(isHeard && round.isHeard(store, parts.self, applied)) && !this.#isGone(store)) unheard++
    }
    return unheard < view.quorum
  }

  /** Who was not told of the lists yet hears of them from here. */
  #toldLists(): void {
    const replica = this.#replica
    if (replica.knowsLists) return
    replica.knowsLists = true
    this.#tellList()
  }

  #tellList(): void {
    const { others, outgoing } = this.#replica
    for (const store of others) outgoing.tell(store, 'tell', 0)
  }

  /** While it activates: whether it may act now. */
  check(now: number): void {
    const replica = this.#replica
    const { self, host, options, startedAt, events } = replica.parts
    const { round, range } = replica
    invariant(round !== undefined, 'who activates has asked')
    const sure = this.isSure(round)
    const waitMs = this.#waitMs(round, sure)
    const startMs = this.#hasSeenOthers ? 0 : options.unsureAfterStartMs
    const deadline = Math.max(this.#since + waitMs, startedAt + startMs)
    if (waitMs > 0 && replica.parts.awakeMs() < deadline) return
    // What a copy has brought so far may have ended where the rest of it says so.
    if (!replica.ready && replica.copying.isComing) return
    invariant(replica.list.includes(self), 'who acts for a range is in its list (A5)')
    replica.role = 'owner'
    replica.unsure = !sure
    if (!sure) events.unsure(range)
    if (!replica.ready) replica.becomeReady(now)
    host.arm(range, replica.unsure)
    replica.gossip.tellAll()
    if (sure) this.#toldLists()
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
      this.#toldLists()
    }
    if (!replica.unsure) this.#retire(round)
    if (!replica.unsure && replica.lists.open.length === 0) replica.round = undefined
    else if (round.viewId !== parts.view().id) replica.round = this.newRound(now)
  }

  /** The store does not act under this view, and what it had when it said so is applied here. */
  hasCeased(round: Round, store: string): boolean {
    const { parts, applied } = this.#replica
    const answer = round.answers.get(store)
    if (answer === undefined || answer.active || answer.viewId !== round.viewId) return false
    // It may have begun to act since.
    if (this.#replica.peers.get(store)?.active === true) return false
    return round.isHeard(store, parts.self, applied)
  }

  /** Another store acts, by its own word. */
  othersAct(): void {
    this.#hasSeenOthers = true
  }

  /** It says something of itself while it is waited for: what, it is asked at once. */
  told(store: string): void {
    const { role, round, outgoing } = this.#replica
    if (role === 'activating' && round !== undefined && !this.hasCeased(round, store))
      outgoing.tell(store, 'ask', round.number)
  }

  /**
   * Whom it has to hear: the list, and former ones. As long as it has nothing, and has heard nobody that is ready, all that
   * live: those of the list may all be as new, and know of no other that kept the range. The same as long as it may not know
   * of all lists.
   */
  asked(round: Round): Set<string> {
    const { list, lists, ready, parts, applied } = this.#replica
    const stores = new Set([...list, ...lists.open.flatMap(({ members }) => members)])
    const knowsAny = [...round.answers].some(
      ([store, answer]) => answer.ready && round.isHeard(store, parts.self, applied),
    )
    if ((!ready && !knowsAny) || !this.#knowsLists(round))
      for (const store of parts.view().live()) stores.add(store)
    return stores
  }

  /** How long it waits at most for those that it needs to hear, and has not; 0: there are none. */
  #waitMs(round: Round, sure: boolean): number {
    const { parts } = this.#replica
    const view = parts.view()
    let waitMs = sure ? 0 : parts.options.unsureAfterMs
    for (const store of this.asked(round)) {
      if (store === parts.self || !view.isLive(store) || this.hasCeased(round, store)) continue
      waitMs = Math.max(waitMs, this.#waitMsFor(round, store))
    }
    return waitMs
  }

  /** Who has joined no copy yet has nothing but what others tell it, whoever acts. */
  #waitMsFor(round: Round, store: string): number {
    const { ready, parts, peers, applied } = this.#replica
    const { unsureAfterMs, unsureWhenActsMs, unsureWhenNewMs } = parts.options
    const isConnected = parts.host.isConnected(store)
    if (!ready && isConnected && !round.isHeard(store, parts.self, applied)) return unsureWhenNewMs
    const mayAct = isConnected && peers.get(store)?.active !== false
    return mayAct || !ready ? unsureWhenActsMs : unsureAfterMs
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
    const retired = replica.lists.retire(list => isExchanged(round, list, self, replica.applied, isGone))
    // Not in one step: who has heard of no end of a list brings it back.
    const isNews = retired !== replica.lists
    const lists = isNews ? retired : retired.forget(host.now() - 2 * options.goneRetireMs)
    if (lists === replica.lists) return
    replica.lists = lists
    replica.save()
    if (!isNews) return
    // As long as they hold one for open they wait for its members before they let go of what has ended.
    this.#tellList()
  }
}

/** Somebody has answered under another view than it was asked under. */
function hasOtherView(round: Round | undefined): boolean {
  return round !== undefined && [...round.answers.values()].some(({ viewId }) => viewId !== round.viewId)
}
