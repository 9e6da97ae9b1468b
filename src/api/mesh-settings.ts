/** What the options of a node or a client say of the mesh, checked and with its defaults. */

import type { MeshSettings } from '../adapters/engine-thread.ts'
import { namesPort } from '../adapters/network/addresses.ts'
import { checkJoinAddress, isLocal, LOOPBACK } from '../adapters/network/places.ts'
import type { EntrySettings } from '../adapters/open-network.ts'
import { CarillonError } from '../errors.ts'
import { invalid } from '../task/schema.ts'
import type { CreateNodeOptions, Handlers, MeshOptions } from './types.ts'

/** Options that say nothing without `listen` or `join`. */
const OF_MESHES = ['mesh', 'advertise', 'network', 'slots'] as const
export const TOKEN_PREFIX = 'crl1.'

/** Undefined: the node is alone. Throws INVALID. */
export function meshSettings(options: CreateNodeOptions<Handlers>): MeshSettings | undefined {
  const { advertise, join = [], mesh = {}, network = 'lan' } = options
  // Who joins on this host alone is reached there.
  const listen = options.listen ?? (join.length > 0 && join.every(isLocal) ? LOOPBACK : undefined)
  if (listen === undefined && join.length === 0) {
    const idle = OF_MESHES.find(option => options[option] !== undefined)
    if (idle === undefined) return undefined
    throw new CarillonError(
      'INVALID',
      `${idle} is given without listen: say where other nodes reach this one, like listen: '0.0.0.0:7400'`,
      { field: 'listen' },
    )
  }
  if (options.slots !== undefined && options.dataDir === undefined)
    throw invalid('slots', options.slots, 'none without dataDir: slots are parts of a data directory')
  // A node that nobody can reach can't be asked for its ranges.
  if (listen === undefined)
    throw new CarillonError(
      'INVALID',
      "join is given without listen: a node is reached by the others, so give listen: '0.0.0.0:7400' (who only schedules is a client)",
      { field: 'listen' },
    )
  return {
    listen,
    advertise,
    // Who named a port, or said where others find it, relies on that.
    movesPort: !namesPort(listen) && advertise === undefined,
    ...entrySettings(join, mesh),
    expect: mesh.expect,
    replicas: mesh.replicas ?? 3,
    zone: mesh.zone ?? '',
    weight: mesh.weight ?? 1,
    profile: network,
  }
}

/** How it comes into the mesh: by the secret and addresses, or by a token. Throws INVALID. */
export function entrySettings(
  join: readonly string[],
  mesh: Pick<MeshOptions, 'name' | 'secret'>,
): EntrySettings {
  const secrets = secretsOf(mesh)
  const token = tokenOf(join, secrets)
  if (token !== undefined) return { join: [], token, name: mesh.name, secrets }
  for (const [i, address] of join.entries()) checkJoinAddress(address, `join[${i}]`)
  if (new Set(join.filter(isLocal)).size > 1)
    throw invalid('join', join, 'one port of this host: local, or local:PORT')
  return { join: [...new Set(join)], token, name: mesh.name, secrets }
}

/** Undefined: the data directory's. A secret that was to come from somewhere and did not is no reason to make one. */
function secretsOf(mesh: object): readonly string[] | undefined {
  const { secret } = mesh as { secret?: string | readonly string[] }
  if (secret === undefined && !('secret' in mesh)) return undefined
  if (secret === undefined || secret.length === 0)
    throw invalid(
      'mesh.secret',
      secret,
      'a text of at least 16 characters, the same on all nodes; was it to come from the environment?',
    )
  return typeof secret === 'string' ? [secret] : secret
}

function tokenOf(join: readonly string[], secrets: readonly string[] | undefined): string | undefined {
  const token = join.find(each => each.startsWith(TOKEN_PREFIX))
  if (token === undefined) return undefined
  if (join.length > 1)
    throw invalid('join', 'a token and others', 'one join token alone: it knows where its issuer is')
  if (secrets !== undefined)
    throw invalid('mesh.secret', 'a secret', 'none beside a join token, which brings it')
  return token
}
