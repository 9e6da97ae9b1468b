/**
 * Admission: two nodes that have proven their ids (Noise) prove to each other that they know the mesh's secret. Nothing
 * else is answered before. A challenge both ways, over a transcript that names version, mesh, both ids in their roles
 * and both nonces: no proof is good for another connection, direction or pair, and a man in the middle is a third id.
 *
 *     dialler                          listener
 *     open: version, mesh, nonce  ->                     (or the id of a join token)
 *                                 <-   challenge: nonce  (or refuse)
 *     prove: one for each secret  ->
 *                                 <-   welcome: proof    (or refuse; or the secrets, for a token)
 *     hello or verdict            ->
 *                                 <-   verdict           (of the lower id; it decides for both)
 *
 * The dialler proves first, so that whoever dials learns nothing of the mesh. Of two connections between the same two
 * the side with the lower id keeps one, and the other side obeys: so they never keep different ones.
 */

import { CorruptBytes } from '../../lib/bytes.ts'
import type { Random } from '../../ports/random.ts'
import {
  ADMISSION_VERSION,
  type AdmissionMessage,
  CONNECTION_ID_BYTES,
  type ConnectionHello,
  decodeAdmission,
  encodeAdmission,
  hexOf,
  MESSAGE_BYTES_MAX,
  NONCE_BYTES,
  type RefusalReason,
  type TokenClaim,
} from './admission-messages.ts'
import { instantBytes, type JoinToken, tokenKey } from './join-token.ts'
import type { Lane } from './libp2p.ts'
import { hashOf, isSame, type MeshKeys, proofOf } from './mesh-secret.ts'

export interface AdmissionContext {
  readonly random: Random
  readonly self: string
  readonly peer: string
  /** Undefined while this node has no secret. */
  readonly keys: MeshKeys | undefined
  /** With which it asks, having no secret. */
  readonly token: JoinToken | undefined
  /** The peer has proven that it is no stranger; from now on the connection has an id. */
  proven(id: string): void
  hello(): ConnectionHello
  /** For the side with the lower id: whether this connection is the one that stays. It counts at once. */
  decide(id: string, theirs: ConnectionHello): boolean
  /** Undefined: the token may be used, and is used up. */
  useToken(claim: TokenClaim): Promise<RefusalReason | undefined>
}

export type AdmissionOutcome =
  | { kind: 'taken'; id: string }
  /** Another connection with the peer stays. */
  | { kind: 'duplicate' }
  | { kind: 'refused'; reason: RefusalReason; byThem: boolean; version: number }
  | { kind: 'secrets'; secrets: readonly string[] }
  /** The token was good, and the peer has what it needs to come again. */
  | { kind: 'token taken' }
  /** It ended, or what came was none of this. */
  | { kind: 'broken' }

/** Never rejects: ends with the lane at the latest. */
export async function admitAsDialler(context: AdmissionContext, lane: Lane): Promise<AdmissionOutcome> {
  return concluded(lane, talk => dial(context, talk))
}

/** Never rejects: ends with the lane at the latest. */
export async function admitAsListener(context: AdmissionContext, lane: Lane): Promise<AdmissionOutcome> {
  return concluded(lane, talk => listen(context, talk))
}

async function concluded(
  lane: Lane,
  role: (talk: Talk) => Promise<AdmissionOutcome>,
): Promise<AdmissionOutcome> {
  const talk = new Talk(lane)
  try {
    return await role(talk)
  } catch (error) {
    if (error instanceof Refused) {
      const { reason, byThem, version } = error
      if (!byThem) talk.write({ type: 'refuse', version: ADMISSION_VERSION, reason })
      return { kind: 'refused', reason, byThem, version }
    }
    if (error instanceof CorruptBytes || error instanceof Gone) return { kind: 'broken' }
    throw error
  } finally {
    lane.close()
  }
}

async function dial(context: AdmissionContext, talk: Talk): Promise<AdmissionOutcome> {
  const { keys, token, random, self, peer } = context
  const usesToken = keys === undefined || keys.keys.length === 0
  const nameHash =
    usesToken && token !== undefined ? hashOf('carillon mesh', Buffer.from(token.mesh)) : keys?.nameHash
  if (nameHash === undefined || (usesToken && token === undefined)) return { kind: 'broken' }
  const nonce = random.bytes(NONCE_BYTES)
  const claim = usesToken ? token : undefined
  talk.write({ type: 'open', version: ADMISSION_VERSION, nameHash, nonce, token: claim })
  const challenge = expectType(await talk.read(), 'challenge')
  if (challenge.version !== ADMISSION_VERSION) throw new Refused('version', false, challenge.version)
  const transcript = transcriptOf(nameHash, self, peer, nonce, challenge.nonce, claim)
  if (claim !== undefined) return redeem(claim, transcript, talk)
  const known = keys?.keys ?? []
  talk.write({ type: 'prove', proofs: known.map(key => proofOf(key, 'dialler', transcript)) })
  const welcome = expectType(await talk.read(), 'welcome')
  if (!known.some(key => isSame(proofOf(key, 'listener', transcript), welcome.proof))) {
    throw new Refused('secret', false)
  }
  const id = connectionId(transcript)
  context.proven(id)
  if (self < peer) {
    const isTaken = context.decide(id, welcome.hello)
    talk.write({ type: 'verdict', isTaken })
    return isTaken ? { kind: 'taken', id } : { kind: 'duplicate' }
  }
  talk.write({ type: 'hello', hello: context.hello() })
  const verdict = expectType(await talk.read(), 'verdict')
  return verdict.isTaken ? { kind: 'taken', id } : { kind: 'duplicate' }
}

/** The joiner's side of a join token. */
async function redeem(token: JoinToken, transcript: Uint8Array, talk: Talk): Promise<AdmissionOutcome> {
  talk.write({ type: 'prove', proofs: [proofOf(token.key, 'joiner', transcript)] })
  const { proof, secrets } = expectType(await talk.read(), 'secrets')
  if (!isSame(proofOf(token.key, 'issuer', transcript), proof)) throw new Refused('token unknown', false)
  return { kind: 'secrets', secrets }
}

async function listen(context: AdmissionContext, talk: Talk): Promise<AdmissionOutcome> {
  const { keys, random, self, peer } = context
  const first = await talk.read()
  if (first.type === 'foreign') throw new Refused('version', false, first.version)
  const open = expectType(first, 'open')
  if (keys === undefined || keys.keys.length === 0) throw new Refused('not ready', false)
  if (!isSame(open.nameHash, keys.nameHash)) throw new Refused('mesh', false)
  const nonce = random.bytes(NONCE_BYTES)
  talk.write({ type: 'challenge', version: ADMISSION_VERSION, nonce })
  const transcript = transcriptOf(keys.nameHash, peer, self, open.nonce, nonce, open.token)
  const { proofs } = expectType(await talk.read(), 'prove')
  if (open.token !== undefined) return admitToken(context, keys, open.token, { proofs, transcript, talk })
  const key = keys.keys.find(each =>
    proofs.some(proof => isSame(proofOf(each, 'dialler', transcript), proof)),
  )
  if (key === undefined) throw new Refused('secret', false)
  const id = connectionId(transcript)
  context.proven(id)
  talk.write({ type: 'welcome', proof: proofOf(key, 'listener', transcript), hello: context.hello() })
  if (self < peer) {
    const { hello } = expectType(await talk.read(), 'hello')
    const isTaken = context.decide(id, hello)
    talk.write({ type: 'verdict', isTaken })
    return isTaken ? { kind: 'taken', id } : { kind: 'duplicate' }
  }
  const verdict = expectType(await talk.read(), 'verdict')
  return verdict.isTaken ? { kind: 'taken', id } : { kind: 'duplicate' }
}

/** The issuer's side of a join token. */
async function admitToken(
  context: AdmissionContext,
  keys: MeshKeys,
  claim: TokenClaim,
  { proofs, transcript, talk }: { proofs: readonly Uint8Array[]; transcript: Uint8Array; talk: Talk },
): Promise<AdmissionOutcome> {
  const made = keys.keys.map(key => tokenKey(key, claim.id, claim.expiresAt))
  const key = made.find(each => proofs.some(proof => isSame(proofOf(each, 'joiner', transcript), proof)))
  if (key === undefined) throw new Refused('token unknown', false)
  const reason = await context.useToken(claim)
  if (reason !== undefined) throw new Refused(reason, false)
  talk.write({ type: 'secrets', proof: proofOf(key, 'issuer', transcript), secrets: keys.secrets })
  return { kind: 'token taken' }
}

function transcriptOf(
  nameHash: Uint8Array,
  dialler: string,
  listener: string,
  diallersNonce: Uint8Array,
  listenersNonce: Uint8Array,
  token: TokenClaim | undefined,
): Uint8Array {
  const ids = [Buffer.from(dialler), Buffer.from(listener)]
  const claim = token === undefined ? [] : [token.id, instantBytes(token.expiresAt)]
  const version = Uint8Array.of(ADMISSION_VERSION)
  return hashOf('carillon admission', version, nameHash, ...ids, diallersNonce, listenersNonce, ...claim)
}

function connectionId(transcript: Uint8Array): string {
  return hexOf(hashOf('carillon connection', transcript).subarray(0, CONNECTION_ID_BYTES))
}

class Refused extends Error {
  readonly reason: RefusalReason
  readonly byThem: boolean
  /** The far side's. */
  readonly version: number

  constructor(reason: RefusalReason, byThem: boolean, version: number = ADMISSION_VERSION) {
    super(reason)
    this.reason = reason
    this.byThem = byThem
    this.version = version
  }
}

class Gone extends Error {}

function expectType<T extends AdmissionMessage['type']>(
  message: AdmissionMessage,
  type: T,
): Extract<AdmissionMessage, { type: T }> {
  if (message.type === type) return message as Extract<AdmissionMessage, { type: T }>
  if (message.type === 'refuse' && message.reason !== undefined) {
    throw new Refused(message.reason, true, message.version)
  }
  throw new CorruptBytes(`${message.type} instead of ${type}`)
}

/** Messages over a lane, one after the other; what comes beyond what admission needs ends it. */
class Talk {
  readonly #lane: Lane
  readonly #messages: AdmissionMessage[] = []
  #rest: Uint8Array = new Uint8Array(0)
  #bytes = 0
  #fault: Error | undefined
  #wake: () => void = () => {}

  constructor(lane: Lane) {
    this.#lane = lane
    lane.listen({
      data: bytes => this.#received(bytes),
      drain: () => {},
      closed: () => this.#fail(new Gone()),
    })
  }

  write(message: Exclude<AdmissionMessage, { type: 'foreign' }>): void {
    this.#lane.send(encodeAdmission(message))
  }

  /** Rejects with Gone or CorruptBytes; what had arrived before is read first. */
  async read(): Promise<AdmissionMessage> {
    for (;;) {
      const message = this.#messages.shift()
      if (message !== undefined) return message
      if (this.#fault !== undefined) throw this.#fault
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  #received(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    if (this.#fault !== undefined) return
    if (this.#bytes > TALK_BYTES_MAX) {
      this.#fail(new CorruptBytes('more than admission takes'))
      return
    }
    this.#rest = Buffer.concat([this.#rest, bytes])
    try {
      for (let message = this.#next(); message !== undefined; message = this.#next()) {
        this.#messages.push(decodeAdmission(message))
      }
    } catch (error) {
      if (!(error instanceof CorruptBytes)) throw error
      this.#fail(error)
    }
    this.#wake()
  }

  #next(): Uint8Array | undefined {
    if (this.#rest.length < 2) return undefined
    const length = ((this.#rest[0] as number) << 8) | (this.#rest[1] as number)
    if (length === 0 || length > MESSAGE_BYTES_MAX) throw new CorruptBytes(`a message of ${length} bytes`)
    if (this.#rest.length < 2 + length) return undefined
    const message = this.#rest.subarray(2, 2 + length)
    this.#rest = this.#rest.subarray(2 + length)
    return message
  }

  #fail(error: Error): void {
    this.#fault ??= error
    this.#wake()
  }
}

/** All that a side may say during admission. */
const TALK_BYTES_MAX = 1024
