/**
 * Frames of the liveness plane with which two nodes compare how many frames of the ordered planes they have sent and
 * received (stall.ts). Layout: u8 'C', u8 'T', u8 version, u8 kind, 16 bytes mesh id, then as varuints the number of the
 * question, and sent and received of `replication` and of `bulk`. Anything else is CorruptBytes; such a frame is ignored.
 */

import { ByteReader, ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { readHex, writeHex } from '../replication/context-codec.ts'
import { ORDERED, type Tallies, type Tally } from './stall.ts'

const MAGIC_C = 0x43
const MAGIC_T = 0x54
const VERSION = 1
const MESH_BYTES = 16
const KINDS = ['ask', 'answer'] as const

export interface TallyFrame {
  readonly kind: (typeof KINDS)[number]
  readonly number: number
  /** The sender's. */
  readonly tallies: Tallies
}

/** A frame of the liveness plane is one of these, not one of membership's. */
export function isTallyFrame(frame: Uint8Array): boolean {
  return frame[0] === MAGIC_C && frame[1] === MAGIC_T
}

export function encodeTallies(mesh: string, { kind, number, tallies }: TallyFrame): Uint8Array {
  const out = new ByteWriter(64)
  out.u8(MAGIC_C)
  out.u8(MAGIC_T)
  out.u8(VERSION)
  out.u8(KINDS.indexOf(kind))
  writeHex(out, mesh, MESH_BYTES)
  out.varuint(number)
  for (const plane of ORDERED) {
    out.varuint(tallies[plane].sent)
    out.varuint(tallies[plane].received)
  }
  return out.take()
}

export function decodeTallies(frame: Uint8Array, ofMesh: string): TallyFrame {
  const reader = new ByteReader(frame)
  if (reader.u8() !== MAGIC_C || reader.u8() !== MAGIC_T) throw new CorruptBytes('not a frame of tallies')
  const version = reader.u8()
  if (version !== VERSION) throw new CorruptBytes(`version ${version} of tallies, known is ${VERSION}`)
  const kind = KINDS[reader.u8()]
  if (kind === undefined) throw new CorruptBytes('an unknown kind of tallies')
  const mesh = readHex(reader, MESH_BYTES)
  if (mesh !== ofMesh) throw new CorruptBytes(`tallies of mesh ${mesh}`)
  const number = reader.varuint()
  const tally = (): Tally => ({ sent: reader.varuint(), received: reader.varuint() })
  const tallies = { replication: tally(), bulk: tally() }
  if (reader.remaining !== 0) throw new CorruptBytes(`${reader.remaining} bytes too many`)
  return { kind, number, tallies }
}
