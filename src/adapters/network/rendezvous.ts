/**
 * Rendezvous: how processes of one host find each other without being told where (`join: 'local'`). One of them holds a
 * well-known port of the loopback, each dials it, and who finds nobody there listens at it, beside where it listens anyway.
 * Once connected they know each other by the roster; the port is for newcomers.
 *
 * Invariants
 * - R1 One process at most holds the port: the kernel sees to it.
 * - R2 While a node lives that was told `local`, the port is held, but for the second until one of them dials it next. So who
 *   comes later finds the mesh, whoever died.
 * - R3 Who does not hold the port founds no mesh by itself (membership's `foundsAlone`), whoever else has it: another mesh, or
 *   another program. Its operator is told, and it goes on dialling.
 *
 * The hazard: all nodes of the mesh on this host may be down, and a new one starts first. It founds a second mesh, and those
 * that come back are told OTHER_MESH. Each container has a loopback of its own, and so counts as a host.
 */

import type { Endpoint } from './addresses.ts'
import type { Dialled } from './dialler.ts'
import { listenError } from './libp2p.ts'

export interface RendezvousParts {
  /** Rejects with the system's error. */
  listen(endpoint: Endpoint): Promise<unknown>
  /** What the operator should know. */
  tell(line: string): void
}

/** A holder may be about to end, or to begin, so often in a row. */
const STRANGE_MAX = 3

export class Rendezvous {
  readonly #address: string
  readonly #endpoint: Endpoint
  readonly #parts: RendezvousParts
  #isHeld = false
  #strange = 0

  /** `address` as it was given: `local`, or with a port. */
  constructor(address: string, endpoint: Endpoint, parts: RendezvousParts) {
    this.#address = address
    this.#endpoint = endpoint
    this.#parts = parts
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  /** A dial of the port has ended so; returns how it is to be taken. Never rejects. */
  async dialled(how: Dialled): Promise<Dialled> {
    if (how.kind === 'self') this.#isHeld = true
    if (how.kind !== 'failed') {
      this.#strange = 0
      return how
    }
    if (how.why === 'refused') return (await this.#take()) ? { kind: 'self' } : how
    this.#strange += how.why === 'timeout' ? STRANGE_MAX : 1
    if (how.isTold !== true && this.#strange >= STRANGE_MAX)
      this.#tell('who has it does not answer as a node of a mesh does. Stop it')
    return how
  }

  async #take(): Promise<boolean> {
    try {
      await this.#parts.listen(this.#endpoint)
      this.#isHeld = true
      return true
    } catch (error) {
      const why = listenError(error)
      // Somebody was quicker: the next dial finds him.
      if (why === 'EADDRINUSE') return false
      this.#tell(`nobody listens there, and this node can't (${why}). Start one that can`)
      return false
    }
  }

  #tell(what: string): void {
    const { host, port } = this.#endpoint
    const where = `${host}:${port}, where nodes of this host meet (join "${this.#address}")`
    this.#parts.tell(`${where}: ${what}, or name another port on all of them, like "local:7500"`)
  }
}
