/**
 * What an address of `join` stands for, and how it is looked up. Most are a host and a port; a name may stand for several
 * machines, and for others tomorrow. Two words stand for whoever is found:
 *
 *     local, local:PORT   the well-known port of this machine's loopback (rendezvous.ts)
 *     mdns                members of the mesh on the LAN, as they announce themselves (lan.ts)
 */

import { isIP } from 'node:net'
import { CarillonError } from '../../errors.ts'
import { type Endpoint, parseAddress, resolve } from './addresses.ts'

export const LOCAL = 'local'
export const MDNS = 'mdns'
/** Where a node listens that is found on this host alone. */
export const LOOPBACK = '127.0.0.1'

/** Finds members of the mesh on the LAN, and tells them of this node. */
export interface Lan {
  /** `listensAt` undefined: this node can't be dialled, and is not to be found. */
  start(listensAt: Endpoint | undefined): void
  /** Those that are known now; while it still waits for first answers, as soon as there is one. */
  find(): Promise<Found>
  stop(): Promise<void>
}

export interface Found {
  readonly endpoints: readonly Endpoint[]
  /** False: others may be there that had no time to answer. */
  readonly isWhole: boolean
}

/** Where the machines of an address are. */
export interface Place {
  find(): Promise<Found>
  /** What is found stays the same. */
  readonly isFixed: boolean
  /** The longest wait between two dials of one machine, ms. */
  readonly backoffMsMax: number
}

/** A dead machine costs a dial so often. */
const BACKOFF_MS_MAX = 5000
/** A refused dial of the loopback costs nothing, and a newcomer counts on it: see `foundingAloneMs`. */
const LOCAL_BACKOFF_MS_MAX = 1000

/** Never throws: nobody is at an address that is none. */
export function placeOf(address: string, lan: Lan | undefined): Place {
  const always = (found: Found): Place => ({
    find: async () => found,
    isFixed: true,
    backoffMsMax: BACKOFF_MS_MAX,
  })
  if (isMdns(address)) {
    const find = async (): Promise<Found> => (lan === undefined ? NOBODY : lan.find())
    return { find, isFixed: false, backoffMsMax: BACKOFF_MS_MAX }
  }
  const rendezvous = localEndpoint(address)
  if (rendezvous !== undefined)
    return { ...always({ endpoints: [rendezvous], isWhole: true }), backoffMsMax: LOCAL_BACKOFF_MS_MAX }
  const endpoint = endpointOf(address)
  if (endpoint === undefined) return { ...always(NOBODY), isFixed: false }
  const find = async (): Promise<Found> => ({ endpoints: await resolve(endpoint), isWhole: true })
  return { find, isFixed: isIP(endpoint.host) !== 0, backoffMsMax: BACKOFF_MS_MAX }
}

const NOBODY: Found = { endpoints: [], isWhole: true }

export function isMdns(address: string): boolean {
  return address === MDNS
}

export function isLocal(address: string): boolean {
  return localEndpoint(address) !== undefined
}

/** The well-known port that the address names; undefined for one that is not `local`. */
export function localEndpoint(address: string): Endpoint | undefined {
  const endpoint = endpointOf(address)
  return endpoint?.host === LOCAL ? { host: LOOPBACK, port: endpoint.port } : undefined
}

/** Throws INVALID for what can't be joined at. */
export function checkJoinAddress(address: string, field: string): void {
  const { host, port } = parseAddress(address, field)
  const shown = JSON.stringify(address)
  if (port === 0) throw invalid(field, `${shown}: allowed is the port at which a node listens`)
  if (host === MDNS && !isMdns(address))
    throw invalid(
      field,
      `${shown}: mdns has no port, as each node announces its own; allowed is "mdns" alone`,
    )
}

function endpointOf(address: string): Endpoint | undefined {
  try {
    return parseAddress(address, 'address')
  } catch {
    return undefined
  }
}

function invalid(field: string, rest: string): CarillonError {
  return new CarillonError('INVALID', `${field} is ${rest}`, { field })
}
