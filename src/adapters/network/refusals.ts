/** What an operator is told when a node is not let in: on both sides, in words that say what to do, and not too often. */

import type { ErrorCode } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import { ADMISSION_VERSION, type RefusalReason } from './admission-messages.ts'

export type RefusalCode = Extract<
  ErrorCode,
  'SECRET_DIFFERS' | 'OTHER_MESH' | 'OTHER_VERSION' | 'TOKEN_REFUSED' | 'UNREACHABLE'
>

export interface Refusal {
  /** As it was dialled, or from where it came. */
  readonly address: string
  /** The node id of the far side; empty where none has said one. */
  readonly peer: string
  readonly code: RefusalCode
  /** One sentence or two, without secrets. */
  readonly line: string
  /** The far side did not let this node in; otherwise it was not let in here. */
  readonly byThem: boolean
}

export interface RefusalFacts {
  readonly address: string
  /** Without the port that differs each time. */
  readonly host: string
  readonly peer: string
  readonly reason: RefusalReason
  readonly byThem: boolean
  /** The far side's, where the reason is the version. */
  readonly version: number
  readonly mesh: string
}

/** One line for an address and a code in so much time. */
const QUIET_MS = 60_000
/** Most that are remembered for that; beyond, nothing is told until they are old: a flood of addresses fills no log. */
const KEPT_MAX = 256

export class Refusals {
  readonly #clock: Clock
  readonly #tell: (refusal: Refusal) => void
  readonly #toldAt = new Map<string, number>()

  constructor(clock: Clock, tell: (refusal: Refusal) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  add(facts: RefusalFacts): void {
    const code = codeOf(facts.reason)
    if (code === undefined) return
    const { address, host, peer, byThem } = facts
    this.#add(host, { address, peer, code, byThem, line: lineOf(facts) })
  }

  /** Nobody of the mesh could be found there; the line says what to do. */
  addUnreachable(address: string, line: string): void {
    this.#add(address, { address, peer: '', code: 'UNREACHABLE', byThem: true, line })
  }

  #add(host: string, refusal: Refusal): void {
    const now = this.#clock.monotonic()
    for (const [key, at] of this.#toldAt) if (now - at >= QUIET_MS) this.#toldAt.delete(key)
    const key = `${refusal.byThem} ${host} ${refusal.code}`
    if (this.#toldAt.has(key) || this.#toldAt.size >= KEPT_MAX) return
    this.#toldAt.set(key, now)
    this.#tell(refusal)
  }
}

/** Undefined: it passes by itself, and nobody is told. */
function codeOf(reason: RefusalReason): RefusalCode | undefined {
  switch (reason) {
    case 'version':
      return 'OTHER_VERSION'
    case 'mesh':
      return 'OTHER_MESH'
    case 'secret':
      return 'SECRET_DIFFERS'
    case 'not ready':
      return undefined
    default:
      return 'TOKEN_REFUSED'
  }
}

function lineOf({ address, peer, reason, byThem, version, mesh }: RefusalFacts): string {
  const who = `${address} (node ${peer})`
  const what = byThem ? `${who} did not let this node in: ` : `${who} was not let in: `
  switch (reason) {
    case 'version': {
      const [ours, theirs] = [ADMISSION_VERSION, version]
      return `${what}it speaks version ${theirs} of the mesh's protocol, this node version ${ours}. Run the same release of Carillon on both`
    }
    case 'mesh':
      return `${what}it belongs to another mesh than "${mesh}". Check the mesh's name here and there, or the address`
    case 'secret':
      return `${what}the secrets for the mesh "${mesh}" differ. Start both nodes with the same secret, or join with a token`
    case 'token expired':
      return `${what}the join token has expired. Make a new one on a member`
    case 'token used':
      return `${what}the join token was used before; each lets one node in. Make a new one on a member`
    case 'token unknown':
      return `${what}the join token was not made there, or before the mesh's secret was changed. Make a new one on a member`
    default:
      return what
  }
}
