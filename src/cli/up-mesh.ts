/** What flags and environment say of the mesh, and the wait until the node belongs to it. */

import { endpointText, parseAddress } from '../adapters/network/addresses.ts'
import { isLocal, LOOPBACK } from '../adapters/network/places.ts'
import { portOfSlot } from '../adapters/slots.ts'
import type { CreateNodeOptions, Handlers, Node } from '../api/types.ts'
import { isCarillonError } from '../errors.ts'
import { wrongUse } from './cli-error.ts'
import type { UpReport } from './up-report.ts'
import { numberOf } from './words.ts'

export interface MeshValues {
  readonly listen?: string
  readonly join?: readonly string[]
  readonly advertise?: string
  readonly mesh?: string
  readonly expect?: string
  readonly zone?: string
  readonly slots?: string
}

const LISTEN = '0.0.0.0'
const NODES_MAX = 1000
const SLOTS_MAX = 64

/** Whose mesh. The secret comes by the environment: the command line is for everybody to see. */
export function accessOf(
  name: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): { readonly name?: string; readonly secret?: string } {
  const secret = env.CARILLON_SECRET || undefined
  return { ...(name === undefined ? {} : { name }), ...(secret === undefined ? {} : { secret }) }
}

/** Nothing for a node that is alone. */
export function meshOptions(
  values: MeshValues,
  env: Readonly<Record<string, string | undefined>>,
): Pick<CreateNodeOptions<Handlers>, 'listen' | 'join' | 'advertise' | 'mesh' | 'slots'> {
  const { listen, join, advertise, mesh: name, expect, zone, slots } = values
  if (listen === undefined && join === undefined) {
    for (const flag of ['advertise', 'mesh', 'expect', 'zone', 'slots'] as const)
      if (values[flag] !== undefined)
        throw wrongUse(`--${flag} is given without --listen or --join: give one`)
    return {}
  }
  return {
    ...listenOf(listen, join),
    ...(join === undefined ? {} : { join }),
    ...(advertise === undefined ? {} : { advertise }),
    ...(slots === undefined ? {} : { slots: numberOf(slots, '--slots', 1, SLOTS_MAX) }),
    mesh: {
      ...accessOf(name, env),
      ...(expect === undefined ? {} : { expect: numberOf(expect, '--expect', 1, NODES_MAX) }),
      ...(zone === undefined ? {} : { zone }),
    },
  }
}

/** Who joins on this host alone needs no other address: createNode says where. */
function listenOf(
  listen: string | undefined,
  join: readonly string[] | undefined,
): { readonly listen?: string | undefined } {
  if (listen !== undefined) return { listen }
  return isLocalOnly(join) ? {} : { listen: LISTEN }
}

/** All that it may find are on this host. */
export function isLocalOnly(join: readonly string[] = []): boolean {
  return join.length > 0 && join.every(isLocal)
}

/** What this node is, and where. */
export function nodeText({ address, slot }: Pick<Node, 'address' | 'slot'>, advertise?: string): string {
  if (address === undefined) return 'one node'
  return `a node of a mesh, at ${placeOf(advertise, slot) ?? address}${slot === undefined ? '' : `, in slot ${slot}`}`
}

/** A line for people if the node listens at another port than it would have; undefined if all is as it was asked. */
export function movedPort(
  { address, slot }: Pick<Node, 'address' | 'slot'>,
  { listen, join }: Pick<CreateNodeOptions<Handlers>, 'listen' | 'join'>,
): string | undefined {
  const wanted = placeOf(listen ?? (isLocalOnly(join) ? LOOPBACK : undefined), slot)
  if (wanted === undefined || address === undefined) return undefined
  const [from, to] = [parseAddress(wanted, 'listen').port, parseAddress(address, 'address').port]
  if (from === 0 || from === to) return undefined
  return `port ${from} is taken by another process, so this node listens at port ${to}; --listen HOST:PORT names one`
}

function placeOf(address: string | undefined, slot = 1): string | undefined {
  if (address === undefined) return undefined
  const { host, port } = parseAddress(address, 'listen')
  return endpointText({ host, port: portOfSlot(port, slot) })
}

/** A wait that is longer is told, ms. */
const TOLD_AFTER_MS = 2000
/** Who may found the mesh of this host looks for others first. */
const TOLD_AFTER_MS_LOCAL = 6000
const LOOK_MS = 100

/**
 * Resolves once enough nodes of its mesh are there for this one to take calls; at once for a node that is alone. False: it
 * was closed meanwhile.
 */
export async function whenInMesh(
  node: Node,
  report: UpReport,
  { join = [], mesh: wanted }: Pick<CreateNodeOptions<Handlers>, 'join' | 'mesh'>,
): Promise<boolean> {
  const began = performance.now()
  const toldAfterMs = isLocalOnly(join) ? TOLD_AFTER_MS_LOCAL : TOLD_AFTER_MS
  let isTold = false
  try {
    for (;;) {
      const { mesh } = await node.status()
      if (mesh === null) return true
      const live = mesh.stores.filter(({ state }) => state === 'live').length
      if (mesh.admitted && mesh.quorum !== null && live >= mesh.quorum) return true
      if (!isTold && performance.now() - began > toldAfterMs) {
        isTold = true
        const why = mesh.admitted
          ? `${live} of its nodes ${live === 1 ? 'is' : 'are'} here, ${mesh.quorum} have to be`
          : waitText(join, wanted?.expect)
        report.chat(`  waiting for the mesh: ${why}`)
        // Who was not let in is told why.
        report.release()
      }
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
  } catch (error) {
    if (!isCarillonError(error, 'CLOSED') && !isCarillonError(error, 'ENGINE_STOPPED')) throw error
    await node.closed
    return false
  }
}

/** Why there is no mesh yet, as far as the options tell. */
function waitText(join: readonly string[], expect: number | undefined): string {
  if (expect !== undefined) return 'none of it answers yet, and fewer than --expect are here'
  if (isLocalOnly(join)) return `none of it answers at ${join[0]}`
  return 'none of it answers yet; who joins founds none, unless all are told by --expect how many found it'
}
