/**
 * What two nodes say to each other before either lets the other in. Lengths are checked first, and nothing is longer
 * than a few hundred bytes. `open` up to its version, and `refuse`, stay as they are in every version: that is how two
 * versions tell each other that they differ.
 */

import { ByteReader, ByteWriter, CorruptBytes } from '../../lib/bytes.ts'
import { TOKEN_ID_BYTES } from './join-token.ts'
import { SECRET_BYTES_MAX, SECRETS_MAX } from './mesh-secret.ts'

export const ADMISSION_VERSION = 1
export const NONCE_BYTES = 32
export const PROOF_BYTES = 32
export const CONNECTION_ID_BYTES = 16
/** A length, then a message. */
export const MESSAGE_BYTES_MAX = 640
/** Most connections that a hello names; there are hardly ever two. */
export const CONNECTIONS_MAX = 8

export type RefusalReason =
  | 'version'
  | 'mesh'
  | 'secret'
  | 'token expired'
  | 'token used'
  | 'token unknown'
  | 'not ready'

/** What a side says of itself so that, of two connections, both keep the same. */
export interface ConnectionHello {
  /** Drawn at each start. */
  readonly boot: string
  /** Grows with each hello of a boot. */
  readonly seq: number
  /** The connections with the other that stand or are being made, also as far as the other has not heard. Hex digits. */
  readonly connections: readonly string[]
}

export type AdmissionMessage =
  | { type: 'open'; version: number; nameHash: Uint8Array; nonce: Uint8Array; token: TokenClaim | undefined }
  | { type: 'challenge'; version: number; nonce: Uint8Array }
  /** One for each secret that the dialler knows. */
  | { type: 'prove'; proofs: readonly Uint8Array[] }
  | { type: 'welcome'; proof: Uint8Array; hello: ConnectionHello }
  | { type: 'hello'; hello: ConnectionHello }
  | { type: 'verdict'; isTaken: boolean }
  | { type: 'secrets'; proof: Uint8Array; secrets: readonly string[] }
  | { type: 'refuse'; version: number; reason: RefusalReason | undefined }
  /** An `open` of another version: what follows in it is not known. */
  | { type: 'foreign'; version: number }

export interface TokenClaim {
  readonly id: Uint8Array
  readonly expiresAt: number
}

const MAGIC = Buffer.from('CRLN')
const TYPE = {
  open: 1,
  challenge: 2,
  prove: 3,
  welcome: 4,
  hello: 5,
  verdict: 6,
  secrets: 7,
  refuse: 255,
} as const
/** By their number on the wire. */
const REASONS: readonly (RefusalReason | undefined)[] = [
  undefined,
  'version',
  'mesh',
  'secret',
  'token expired',
  'token used',
  'token unknown',
  'not ready',
]
const HASH_BYTES = 32
const BOOT_BYTES = 8

export function encodeAdmission(message: Exclude<AdmissionMessage, { type: 'foreign' }>): Uint8Array {
  const writer = new ByteWriter(256)
  writer.u16be(0)
  writer.u8(TYPE[message.type])
  writeBody(writer, message)
  const bytes = writer.take()
  new DataView(bytes.buffer).setUint16(0, bytes.length - 2)
  return bytes
}

function writeBody(writer: ByteWriter, message: Exclude<AdmissionMessage, { type: 'foreign' }>): void {
  switch (message.type) {
    case 'open':
      writer.bytes(MAGIC)
      writer.u8(message.version)
      writer.bytes(message.nameHash)
      writer.bytes(message.nonce)
      writer.u8(message.token === undefined ? 0 : 1)
      if (message.token === undefined) return
      writer.bytes(message.token.id)
      writer.varuint(message.token.expiresAt)
      return
    case 'challenge':
      writer.u8(message.version)
      writer.bytes(message.nonce)
      return
    case 'prove':
      writer.u8(message.proofs.length)
      for (const proof of message.proofs) writer.bytes(proof)
      return
    case 'welcome':
      writer.bytes(message.proof)
      writeHello(writer, message.hello)
      return
    case 'hello':
      writeHello(writer, message.hello)
      return
    case 'verdict':
      writer.u8(message.isTaken ? 1 : 0)
      return
    case 'secrets':
      writer.bytes(message.proof)
      writer.u8(message.secrets.length)
      for (const secret of message.secrets) writer.utf8(secret)
      return
    case 'refuse':
      writer.u8(message.version)
      writer.u8(Math.max(0, REASONS.indexOf(message.reason)))
  }
}

/** Throws CorruptBytes. */
export function decodeAdmission(bytes: Uint8Array): AdmissionMessage {
  const reader = new ByteReader(bytes)
  const type = reader.u8()
  const message = readBody(reader, type)
  const isWhole = message.type === 'foreign' || message.type === 'refuse' || reader.remaining === 0
  if (!isWhole) throw new CorruptBytes(`${reader.remaining} bytes after ${message.type}`)
  return message
}

function readBody(reader: ByteReader, type: number): AdmissionMessage {
  switch (type) {
    case TYPE.open: {
      if (!MAGIC.equals(reader.bytes(MAGIC.length))) throw new CorruptBytes('no opening of Carillon')
      const version = reader.u8()
      if (version !== ADMISSION_VERSION) return { type: 'foreign', version }
      const nameHash = reader.bytes(HASH_BYTES)
      const nonce = reader.bytes(NONCE_BYTES)
      const token =
        reader.u8() === 0 ? undefined : { id: reader.bytes(TOKEN_ID_BYTES), expiresAt: reader.varuint() }
      return { type: 'open', version, nameHash, nonce, token }
    }
    case TYPE.challenge:
      return { type: 'challenge', version: reader.u8(), nonce: reader.bytes(NONCE_BYTES) }
    case TYPE.prove:
      return {
        type: 'prove',
        proofs: Array.from({ length: count(reader, SECRETS_MAX) }, () => reader.bytes(PROOF_BYTES)),
      }
    case TYPE.welcome:
      return { type: 'welcome', proof: reader.bytes(PROOF_BYTES), hello: readHello(reader) }
    case TYPE.hello:
      return { type: 'hello', hello: readHello(reader) }
    case TYPE.verdict:
      return { type: 'verdict', isTaken: reader.u8() === 1 }
    case TYPE.secrets: {
      const proof = reader.bytes(PROOF_BYTES)
      const secrets = Array.from({ length: count(reader, SECRETS_MAX) }, () => reader.utf8(SECRET_BYTES_MAX))
      return { type: 'secrets', proof, secrets }
    }
    case TYPE.refuse:
      return { type: 'refuse', version: reader.u8(), reason: REASONS[reader.u8()] }
    default:
      throw new CorruptBytes(`admission message ${type}`)
  }
}

function writeHello(writer: ByteWriter, { boot, seq, connections }: ConnectionHello): void {
  writer.bytes(Buffer.from(boot, 'hex'))
  writer.varuint(seq)
  const named = connections.slice(-CONNECTIONS_MAX)
  writer.u8(named.length)
  for (const id of named) writer.bytes(Buffer.from(id, 'hex'))
}

function readHello(reader: ByteReader): ConnectionHello {
  const boot = hexOf(reader.bytes(BOOT_BYTES))
  const seq = reader.varuint()
  const connections = Array.from({ length: count(reader, CONNECTIONS_MAX) }, () =>
    hexOf(reader.bytes(CONNECTION_ID_BYTES)),
  )
  return { boot, seq, connections }
}

function count(reader: ByteReader, max: number): number {
  const found = reader.u8()
  if (found > max) throw new CorruptBytes(`${found} where at most ${max} are`)
  return found
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
