/**
 * The network of this process's engine, or client: its key and the mesh's secret from the data directory, or as they were given.
 * libp2p is loaded here only, so that a node that is alone does not pay for it.
 */

import { CarillonError } from '../errors.ts'
import type { Network } from '../ports/network.ts'
import { endpointText } from './network/addresses.ts'
import { readToken } from './network/join-token.ts'
import { MeshFiles } from './network/mesh-files.ts'
import { freshSecret, type MeshAccess } from './network/mesh-secret.ts'
import { freshNodeKey, nodeKey } from './network/node-key.ts'
import { isLocal, isMdns, type Lan } from './network/places.ts'
import { SystemClock } from './system-clock.ts'
import { SystemRandom } from './system-random.ts'

/** How a node or a client comes in. */
export interface EntrySettings {
  readonly join: readonly string[]
  /** A join token, in place of secret and addresses. */
  readonly token: string | undefined
  /** The mesh's. Undefined: as the token or the data directory says, else `carillon`. */
  readonly name: string | undefined
  /** The newest first. Undefined: the data directory has it, or it is made. */
  readonly secrets: readonly string[] | undefined
}

export interface NetworkSettings extends EntrySettings {
  /** Undefined: it dials, and can't be dialled. */
  readonly listen: string | undefined
  readonly advertise: string | undefined
  /** Another port will do where that of `listen` is taken. */
  readonly movesPort: boolean
}

export interface OpenedNetwork {
  readonly network: Network
  /** Where it listens, with the port that it got; undefined before it does. */
  listensAt(): string | undefined
  /**
   * Whether this node may found a mesh by itself, though it has addresses to join at: it stands for its host. Undefined: never,
   * as others may be elsewhere.
   */
  readonly foundsAlone: (() => boolean) | undefined
  /** Addresses to hold connections to. */
  readonly join: readonly string[]
  /** A token for one node that joins, good for ttlMs (undefined: ten minutes). Throws CONFLICT while it has no secret itself. */
  readonly makeToken: (ttlMs: number | undefined) => string
}

const NAME = 'carillon'

/**
 * A network that is not started; the data directory must have been opened. Rejects with INVALID for what can't be used, with
 * STORE_FAILED or STORE_FULL if the files of the data directory can't be read or written.
 */
export async function openNetwork(
  settings: NetworkSettings,
  dataDir: string | undefined,
  refused: (code: string, line: string) => void,
): Promise<OpenedNetwork> {
  const { listen, advertise, movesPort } = settings
  const files = dataDir === undefined ? undefined : new MeshFiles(dataDir)
  const known = settings.secrets === undefined ? await files?.access() : undefined
  const token = known === undefined ? settings.token : undefined
  const mesh = known ?? (token === undefined ? await accessOf(settings, files) : undefined)
  const key = dataDir === undefined ? freshNodeKey() : await nodeKey(dataDir)
  const { Libp2pNetwork } = await import('./network/libp2p-network.ts')
  const network = await Libp2pNetwork.open(
    { clock: new SystemClock(), random: new SystemRandom() },
    {
      key,
      mesh,
      token,
      listen,
      advertise,
      movesPort,
      local: settings.join.find(isLocal),
      lan:
        mesh !== undefined && settings.join.some(isMdns)
          ? await lanOf(mesh.name, line => refused('UNREACHABLE', line))
          : undefined,
      usedTokens: files?.usedTokens,
      refused: ({ code, line }) => refused(code, line),
      gotSecret: access => void files?.keep(access).catch(error => refused('STORE_FAILED', String(error))),
    },
  )
  // A token that was used up still says where its issuer is.
  const joined = settings.token === undefined ? settings.join : readToken(settings.token).addresses
  return {
    network,
    listensAt: () => network.listensAt && endpointText(network.listensAt),
    join: joined,
    foundsAlone: joined.length > 0 && joined.every(isLocal) ? () => network.isAtRendezvous : undefined,
    makeToken: ttlMs => network.makeToken(ttlMs === undefined ? {} : { ttlMs }),
  }
}

/** The code of multicast is loaded for who asks for it. */
async function lanOf(name: string, tell: (line: string) => void): Promise<Lan> {
  const [{ MdnsLan }, { Multicast }] = await Promise.all([
    import('./network/lan.ts'),
    import('./network/multicast.ts'),
  ])
  const ports = { clock: new SystemClock(), random: new SystemRandom() }
  return new MdnsLan({ ...ports, multicast: events => new Multicast(events) }, { name, tell })
}

/** As it was given; who starts a mesh without a secret makes one. */
async function accessOf(settings: NetworkSettings, files: MeshFiles | undefined): Promise<MeshAccess> {
  const { name = NAME, secrets, join } = settings
  if (secrets !== undefined) return { name, secrets }
  if (join.length > 0) {
    const what = join.some(each => isLocal(each) || isMdns(each))
      ? 'give all of them the same mesh.secret (`openssl rand -base64 32` prints a good one)'
      : 'give mesh.secret (the file MESH_SECRET of a member has it)'
    throw new CarillonError(
      'INVALID',
      `join is given without a secret: ${what}, or join with a token (\`carillon token\` on a member prints one)`,
      { field: 'mesh.secret' },
    )
  }
  const access = { name, secrets: [freshSecret()] }
  await files?.keep(access)
  return access
}
