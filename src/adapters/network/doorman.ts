/**
 * The doorman: makes connections of links, whoever dialled. A stranger may open one lane, for its admission, and has
 * little time and few bytes for it; whatever else it does ends the link.
 */

import type { Clock } from '../../ports/clock.ts'
import type { Plane } from '../../ports/network.ts'
import type { Random } from '../../ports/random.ts'
import { type Endpoint, endpointText } from './addresses.ts'
import { type AdmissionContext, type AdmissionOutcome, admitAsDialler, admitAsListener } from './admission.ts'
import type { ConnectionHello, RefusalReason, TokenClaim } from './admission-messages.ts'
import type { Dialled } from './dialler.ts'
import type { JoinToken } from './join-token.ts'
import type { Lane, Link, LinkEnd, Wire } from './libp2p.ts'
import type { MeshKeys } from './mesh-secret.ts'
import type { PeerConnection } from './peer-connection.ts'
import { PLANES } from './peer-connection.ts'
import type { RefusalFacts } from './refusals.ts'

export const ADMISSION_PROTOCOL = '/carillon/admit/1'

export function protocolOf(plane: Plane): string {
  return `/carillon/${plane}/1`
}

export interface DoormanHost {
  readonly self: string
  keys(): MeshKeys | undefined
  token(): JoinToken | undefined
  useToken(claim: TokenClaim): Promise<RefusalReason | undefined>
  /** A token has brought them. */
  gotSecrets(secrets: readonly string[]): Promise<void>
  /** The peer at the other end is no stranger. */
  proven(link: Link, id: string, address: string | undefined): PeerConnection
  hello(peer: string): ConnectionHello
  decide(connection: PeerConnection, theirs: ConnectionHello): boolean
  /** It is the one that stays: by our own decision, or the peer's. */
  take(connection: PeerConnection): void
  /** It is not. */
  leave(connection: PeerConnection): void
  isConnected(peer: string): boolean
  refused(facts: Omit<RefusalFacts, 'mesh'>): void
}

export interface DoormanOptions {
  readonly dialMs: number
  readonly admissionMs: number
}

export class Doorman {
  readonly #ports: { readonly clock: Clock; readonly random: Random }
  readonly #options: DoormanOptions
  readonly #host: DoormanHost

  constructor(ports: { clock: Clock; random: Random }, options: DoormanOptions, host: DoormanHost) {
    this.#ports = ports
    this.#options = options
    this.#host = host
  }

  /** Dials, and lets itself be admitted. Never rejects. */
  async dial(wire: Wire, endpoint: Endpoint, address: string, signal: AbortSignal): Promise<Dialled> {
    const dialling = this.#deadline(this.#options.dialMs, signal)
    const link = await wire.dial(endpoint, dialling.signal)
    dialling.clear()
    if (link === 'self') return { kind: 'self' }
    if (typeof link === 'string') return { kind: 'failed', why: link }
    if (signal.aborted) {
      link.abort()
      return { kind: 'later' }
    }
    const visit = new Visit(link)
    // Whom we dialled opens nothing.
    link.listen({ lane: () => link.abort(), closed: why => visit.ended(why) })
    const { keys, token } = { keys: this.#host.keys(), token: this.#host.token() }
    if (keys === undefined && token?.issuer !== link.peer) {
      void link.close()
      return { kind: 'failed', why: 'rejected' }
    }
    const admitting = this.#deadline(this.#options.admissionMs, signal)
    admitting.signal.addEventListener('abort', () => {
      if (visit.connection?.state !== 'up') link.abort()
    })
    const outcome = await this.#ask(visit, address, admitting.signal)
    const dialled = await this.#dialled(outcome, visit, address, admitting.signal)
    admitting.clear()
    return dialled
  }

  /** Somebody has dialled us. */
  greet(link: Link): void {
    const visit = new Visit(link)
    const timer = this.#ports.clock.setTimer(this.#options.admissionMs, () => link.abort())
    let isAsked = false
    link.listen({
      lane: (protocol, lane) => {
        const plane = PLANES.find(each => protocolOf(each) === protocol)
        if (plane !== undefined && visit.connection !== undefined) {
          visit.attach(plane, lane)
        } else if (protocol === ADMISSION_PROTOCOL && !isAsked) {
          isAsked = true
          void this.#answer(visit, lane).finally(() => timer.cancel())
        } else {
          link.abort()
        }
      },
      closed: why => {
        timer.cancel()
        visit.ended(why)
      },
    })
  }

  async #ask(visit: Visit, address: string, signal: AbortSignal): Promise<AdmissionOutcome> {
    let lane: Lane
    try {
      lane = await visit.link.open(ADMISSION_PROTOCOL, signal)
    } catch {
      return { kind: 'broken' }
    }
    return admitAsDialler(this.#context(visit, address), lane)
  }

  async #dialled(
    outcome: AdmissionOutcome,
    visit: Visit,
    address: string,
    signal: AbortSignal,
  ): Promise<Dialled> {
    const { link, connection } = visit
    const host = this.#host
    switch (outcome.kind) {
      case 'taken':
        if (connection === undefined || connection.state === 'over') return { kind: 'later' }
        host.take(connection)
        await this.#openPlanes(connection, signal)
        return host.isConnected(link.peer) ? { kind: 'attached', peer: link.peer } : { kind: 'later' }
      case 'duplicate':
        if (connection !== undefined) host.leave(connection)
        return host.isConnected(link.peer) ? { kind: 'attached', peer: link.peer } : { kind: 'later' }
      case 'refused': {
        const { reason, byThem, version } = outcome
        host.refused({ address, host: address, peer: link.peer, reason, byThem, version })
        void link.close()
        return { kind: 'failed', why: 'rejected', isTold: true }
      }
      case 'secrets':
        void link.close()
        await host.gotSecrets(outcome.secrets)
        return { kind: 'again' }
      default: {
        if (connection !== undefined) host.leave(connection)
        link.abort()
        return { kind: 'failed', why: signal.aborted ? 'timeout' : 'rejected' }
      }
    }
  }

  async #openPlanes(connection: PeerConnection, signal: AbortSignal): Promise<void> {
    const open = async (plane: Plane): Promise<void> => {
      connection.attach(plane, await connection.link.open(protocolOf(plane), signal))
    }
    try {
      // In this order on the wire: it is the order in which they may write.
      await Promise.all(PLANES.map(open))
    } catch {
      connection.fail('reset')
    }
  }

  async #answer(visit: Visit, lane: Lane): Promise<void> {
    const { link } = visit
    const outcome = await admitAsListener(this.#context(visit, undefined), lane)
    const { connection } = visit
    switch (outcome.kind) {
      case 'taken':
        if (connection === undefined) return
        this.#host.take(connection)
        visit.release()
        return
      case 'refused': {
        const { reason, byThem, version } = outcome
        const address = endpointText(link.remote)
        this.#host.refused({ address, host: link.remote.host, peer: link.peer, reason, byThem, version })
        void link.close()
        return
      }
      case 'duplicate':
        if (connection !== undefined) this.#host.leave(connection)
        return
      case 'broken':
        if (connection !== undefined) this.#host.leave(connection)
        link.abort()
        return
      default:
        void link.close()
    }
  }

  #context(visit: Visit, address: string | undefined): AdmissionContext {
    const host = this.#host
    const { link } = visit
    return {
      random: this.#ports.random,
      self: host.self,
      peer: link.peer,
      keys: host.keys(),
      token: host.token(),
      proven: id => {
        visit.connection = host.proven(link, id, address)
      },
      hello: () => host.hello(link.peer),
      decide: (_, theirs) => visit.connection !== undefined && host.decide(visit.connection, theirs),
      useToken: claim => host.useToken(claim),
    }
  }

  #deadline(ms: number, outer: AbortSignal): { signal: AbortSignal; clear: () => void } {
    const controller = new AbortController()
    const abort = (): void => controller.abort()
    const timer = this.#ports.clock.setTimer(ms, abort)
    outer.addEventListener('abort', abort)
    if (outer.aborted) abort()
    const clear = (): void => {
      timer.cancel()
      outer.removeEventListener('abort', abort)
    }
    return { signal: controller.signal, clear }
  }
}

/** A link on its way to be a connection. */
class Visit {
  readonly link: Link
  connection: PeerConnection | undefined
  /** Planes that the dialler opened before its verdict was read here: they come the same way, and may overtake it. */
  #held: { readonly plane: Plane; readonly lane: Lane }[] | undefined = []

  constructor(link: Link) {
    this.link = link
  }

  attach(plane: Plane, lane: Lane): void {
    if (this.#held === undefined) this.connection?.attach(plane, lane)
    else this.#held.push({ plane, lane })
  }

  /** It was taken. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const { plane, lane } of held) this.connection?.attach(plane, lane)
  }

  ended(why: LinkEnd): void {
    this.connection?.linkEnded(why)
  }
}
