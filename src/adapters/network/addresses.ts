/**
 * Addresses as people write them: `host:port`, `[v6]:port`, or the host alone, for the default port. A name may stand
 * for several machines, and for others tomorrow: it is looked up again at each attempt.
 */

import { lookup } from 'node:dns/promises'
import { isIP, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { CarillonError } from '../../errors.ts'

/** A socket's address: an IP address and a port. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

export const DEFAULT_PORT = 7400
const ALLOWED =
  "host and port, like '10.0.0.2:7400', '[fd00::2]:7400', 'node-1.example:7400', or a host alone for port 7400"
/** Most addresses of one name that are tried. */
const RESOLVED_MAX = 64

/** The host may be a name. Throws INVALID for `field`. */
export function parseAddress(text: string, field: string): Endpoint {
  const [, six, host = six, digits = String(DEFAULT_PORT)] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const bare = isIPv6(text) ? text : undefined
  const found = bare ?? host
  const port = bare === undefined ? Number(digits) : DEFAULT_PORT
  if (found === undefined || port > 65_535 || (six !== undefined && !isIPv6(six))) {
    throw new CarillonError('INVALID', `${field} is ${JSON.stringify(text)}: allowed is ${ALLOWED}`, {
      field,
    })
  }
  return { host: found, port }
}

/** False of a host alone, which leaves the port to the default. Of an address that parseAddress takes. */
export function namesPort(text: string): boolean {
  return !isIPv6(text) && /:\d+$/.test(text)
}

export function endpointText({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** All endpoints that an address stands for now; none if nobody knows the name. */
export async function resolve(address: Endpoint): Promise<Endpoint[]> {
  const { host, port } = address
  if (isIP(host) !== 0) return [address]
  try {
    const found = await lookup(host, { all: true, order: 'verbatim' })
    const hosts = new Set(found.map(each => each.address))
    return [...hosts].slice(0, RESOLVED_MAX).map(each => ({ host: each, port }))
  } catch {
    return []
  }
}

/** Where others can dial who listens at an endpoint: for all addresses of the machine those that others know. */
export function dialable({ host, port }: Endpoint): string[] {
  const isAny = host === '0.0.0.0' || isAnyV6(host)
  if (!isAny) return [endpointText({ host, port })]
  const own = Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(({ internal, address }) => !internal && !/^(?:fe80:|169\.254\.)/i.test(address))
    .filter(({ family }) => family === 'IPv4' || isAnyV6(host))
    .map(({ address }) => address)
  const hosts = own.length > 0 ? own : [isAnyV6(host) ? '::1' : '127.0.0.1']
  return [...new Set(hosts)].map(each => endpointText({ host: each, port }))
}

function isAnyV6(host: string): boolean {
  return isIPv6(host) && /^[0:]+$/.test(host)
}
