/**
 * Routing: what a node asks of the others. It holds a link to each live member, sends calls of this node's clients on to
 * whoever acts for their tasks (router.ts), lists the tasks of all (listing.ts), and takes in the runs that others have for
 * the handlers here.
 */

import type { View } from '../membership/view.ts'
import type { Clock } from '../ports/clock.ts'
import type { WorkerChannel } from '../ports/worker-channel.ts'
import type { Definition } from '../task/definition.ts'
import type { CallAnswers, CallRequest, TasksRequest } from '../wire/calls.ts'
import type { Asker } from '../work/calls.ts'
import type { Forwarding, FrontDesk } from '../work/front-desk.ts'
import type { Guests } from '../work/guests.ts'
import type { Session } from '../work/session.ts'
import { type AskingParts, nodeToAsk } from './asking.ts'
import { Listing } from './listing.ts'
import type { LinkLimits } from './peer-link.ts'
import { PeerLinks } from './peer-links.ts'
import type { TaskRequest } from './routed-call.ts'
import { Router, type RouterOptions } from './router.ts'
import { Skews } from './skews.ts'

export interface RoutingOptions extends RouterOptions {
  /** What lies unanswered at one other node. */
  readonly link: LinkLimits
  /** How often another node is asked what its clock shows, ms. */
  readonly skewMs: number
}

/** Who acts for which range, as this node knows it. */
export interface Acting {
  /** This node may change tasks of the range now. */
  isOpen(range: number): boolean
  /** The node that acts for it; this one, if it is about to. */
  nodeFor(range: number): string | undefined
}

export interface RoutingParts {
  readonly clock: Clock
  readonly self: string
  readonly ranges: number
  readonly rangeOf: (id: string) => number
  readonly acting: Acting
  readonly desk: FrontDesk
  readonly guests: Guests
  readonly tasksHere: (request: TasksRequest) => Promise<CallAnswers['tasks']>
  readonly forgetHere: (asker: Asker) => void
  /** This node no longer acts for these: who waits here for an end there is told so. */
  readonly ceased: (isCeased: (range: number) => boolean) => void
  /** A session with the engine of that node; undefined: it is not connected. */
  readonly open: (node: string) => WorkerChannel | undefined
  readonly stir: () => void
  readonly failed: (error: unknown) => void
}

export class Routing implements Forwarding {
  readonly #parts: RoutingParts
  readonly #links: PeerLinks
  readonly #router: Router
  readonly #listing: Listing
  readonly skews: Skews
  /** Ranges for which this node has ceased to act in this turn. */
  readonly #ceased = new Set<number>()
  /** It has begun to act for others. */
  #hasBegun = false

  constructor(parts: RoutingParts, options: RoutingOptions) {
    this.#parts = parts
    const { clock, self, ranges, rangeOf, acting, desk, guests, stir, failed } = parts
    this.#links = new PeerLinks(
      {
        clock,
        self,
        open: parts.open,
        workerFor: node => guests.link(node),
        opened: link => {
          this.skews.opened(link)
          this.#router.hurry()
        },
        stir,
        failed,
      },
      options.link,
    )
    this.skews = new Skews({ clock, links: () => this.#links.all }, options.skewMs)
    const link = (node: string): ReturnType<PeerLinks['get']> => this.#links.get(node)
    const asking: AskingParts = {
      self,
      isOpen: range => acting.isOpen(range),
      nodeFor: range => acting.nodeFor(range),
      link,
    }
    this.#router = new Router(
      {
        ...asking,
        clock,
        rangeOf,
        scheduleHere: (definitions, mark, asker, round) => desk.scheduleHere(definitions, mark, asker, round),
        callHere: (request, asker, round) => desk.callHere(asker, 0, request, round),
        forgetHere: parts.forgetHere,
      },
      options,
    )
    const target = (range: number): string | undefined => nodeToAsk(asking, range)
    this.#listing = new Listing(
      { clock, self, ranges, rangeOf, target, link, here: parts.tasksHere },
      options,
    )
  }

  // --- Forwarding

  schedule(session: Session, call: number, definitions: readonly Definition[], mark: number): void {
    this.#router.schedule(session, call, definitions, mark)
  }

  call(session: Session, call: number, request: CallRequest): boolean {
    if (isAboutTask(request)) this.#router.call(session, call, request)
    else if (request.method === 'forget') {
      this.#router.forget(session, request.call)
      session.answer(call, {})
    } else if (request.method === 'tasks' && request.ranges === undefined) this.#list(session, call, request)
    else return false
    return true
  }

  gone(session: Session): void {
    this.#router.gone(session)
  }

  #list(session: Session, call: number, { filter, after, limit }: TasksRequest): void {
    this.#listing.page(filter, after, limit).then(
      page => session.answer(call, page),
      (error: unknown) => this.#parts.desk.refuse(session, call, error),
    )
  }

  // --- the mesh

  connected(node: string): void {
    this.#links.connected(node)
  }

  disconnected(node: string): void {
    this.#links.disconnected(node)
  }

  viewChanged(view: View): void {
    this.#links.viewChanged(view)
    this.#router.viewChanged()
  }

  acts(range: number, acts: boolean): void {
    if (acts) {
      this.#ceased.delete(range)
      this.#hasBegun = true
    } else this.#ceased.add(range)
    this.#parts.stir()
  }

  /** The end of a turn. */
  flush(): void {
    // Once for all of them: a take-over begins with many ranges, and each look is at all that waits.
    if (this.#hasBegun) this.#router.hurry()
    this.#hasBegun = false
    if (this.#ceased.size > 0) {
      const ceased = new Set(this.#ceased)
      this.#ceased.clear()
      this.#parts.ceased(range => ceased.has(range))
    }
    this.#links.flush()
  }

  stop(): void {
    this.skews.stop()
    this.#router.stop()
    this.#links.stop()
  }

  // --- to look at

  /** Calls of this node's clients without an answer, and how often one was asked again. */
  status(): { readonly pending: number; readonly repeated: number } {
    return { pending: this.#router.pending, repeated: this.#router.repeated }
  }
}

/** By method: any request may have a field `id`, and only of these it was checked. */
const ABOUT_TASKS: ReadonlySet<string> = new Set<TaskRequest['method']>([
  'cancel',
  'pause',
  'resume',
  'trigger',
  'retry',
  'task',
  'runs',
  'result',
  'end',
  'logs',
])

function isAboutTask(request: CallRequest): request is TaskRequest {
  return ABOUT_TASKS.has(request.method)
}
