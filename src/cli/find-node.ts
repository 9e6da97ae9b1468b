/**
 * Which node a command talks to: any of the mesh that `--join` names, then `--url`, then CARILLON_URL, then the one that has the data directory open, which wrote
 * its address and token there. A token is sent only to the address it is for: one from a data directory never goes to
 * another url, and not to a process that is no longer the one that wrote it. A directory with slots has a node in each: the
 * first that lives is taken, and named where there are more; who acts on one node only has to name it.
 */

import { readdir, readFile, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { slotPath } from '../adapters/slots.ts'
import { CliError, EXIT, wrongUse } from './cli-error.ts'
import { type Context, unreadable } from './context.ts'
import type { RemoteNode } from './remote.ts'
import { accessOf } from './up-mesh.ts'

export const DATA_DIR = './carillon-data'
const TIMEOUT_MS = 30_000

export interface NodeValues {
  readonly join?: readonly string[]
  readonly mesh?: string
  readonly url?: string
  readonly tokenFile?: string
  readonly data?: string
}

/** `whose`: `one` if what is asked is done to that node, and not to its mesh. */
export async function findNode(
  context: Context,
  values: NodeValues,
  whose: 'any' | 'one' = 'any',
): Promise<RemoteNode> {
  const { nodes, env } = context.world
  if (values.join !== undefined) return throughMesh(context, values.join, values)
  if (values.mesh !== undefined) throw wrongUse('--mesh is given without --join: give both, or neither')
  const url = values.url ?? (env.CARILLON_URL || undefined)
  if (url !== undefined) {
    checkUrl(url, values.url === undefined ? 'CARILLON_URL' : '--url')
    return nodes.connect({ url, token: await tokenFor(context, values, url), timeoutMs: TIMEOUT_MS })
  }
  const dataDir = dataDirOf(context, values)
  const isGiven = values.data !== undefined || env.CARILLON_DATA !== undefined
  const api = await runningApi(context, dataDir, isGiven, whose)
  const token = values.tokenFile === undefined ? api.token : await readToken(values.tokenFile)
  return nodes.connect({ url: api.url, token, timeoutMs: TIMEOUT_MS })
}

async function throughMesh(
  context: Context,
  join: readonly string[],
  values: NodeValues,
): Promise<RemoteNode> {
  const { nodes, env } = context.world
  const isNodeNamed = [values.url, values.tokenFile, values.data].some(each => each !== undefined)
  if (isNodeNamed) throw wrongUse('--join goes with none of --url, --token-file and --data')
  const node = await nodes.join({ join, mesh: accessOf(values.mesh, env) })
  context.atEnd(async () => node.close?.())
  return node
}

export function dataDirOf(context: Context, values: { readonly data?: string }): string {
  return values.data ?? (context.world.env.CARILLON_DATA || DATA_DIR)
}

function checkUrl(url: string, from: string): void {
  const parsed = URL.parse(url)
  const isAddress = parsed !== null && /^https?:$/.test(parsed.protocol)
  // Of a name and a password nothing is shown.
  if (isAddress && (parsed.username !== '' || parsed.password !== ''))
    throw wrongUse(
      `${from} has a user or a password in it: a node wants its token, by --token-file or CARILLON_TOKEN`,
    )
  if (isAddress && parsed.search === '' && parsed.hash === '') return
  throw wrongUse(`${from} is '${url}': allowed is the address of a node, like http://127.0.0.1:7410`)
}

async function tokenFor(context: Context, values: NodeValues, url: string): Promise<string | undefined> {
  if (values.tokenFile !== undefined) return readToken(values.tokenFile)
  const token = context.world.env.CARILLON_TOKEN
  if (token !== undefined && token !== '') return token
  // Without a token of one's own, the data directory's serves if it is that of the same node.
  const { nodes } = context.world
  const dataDir = dataDirOf(context, values)
  for (const directory of [dataDir, ...(await slotsOf(dataDir))]) {
    const api = await nodes.findApi(directory).catch(() => undefined)
    const isSame = api !== undefined && URL.parse(api.url)?.origin === URL.parse(url)?.origin
    if (isSame && nodes.isAlive(api.pid)) return api.token
  }
  return undefined
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(error =>
    Promise.reject(unreadable(error, path, 'the token file')),
  )
  const token = text.trim()
  if (token !== '') return token
  throw new CliError(EXIT.usage, 'INVALID', `the token file ${path} is empty: it must hold the node's token`)
}

/** The API of the node that has the directory open, or an error that says why there is none. */
async function runningApi(
  context: Context,
  dataDir: string,
  isGiven: boolean,
  whose: 'any' | 'one',
): Promise<{ url: string; token: string }> {
  const { nodes } = context.world
  const start = `start one with \`carillon up${isGiven ? ` --data ${dataDir}` : ''}\`, or name a node with --url`
  const found = await stat(dataDir).catch((error: NodeJS.ErrnoException) => error)
  if (found instanceof Error) {
    if (found.code === 'ENOENT') throw unreachable(`no node: there is no data directory ${dataDir}; ${start}`)
    throw noPermission(dataDir, found)
  }
  if (!found.isDirectory())
    throw new CliError(EXIT.usage, 'INVALID', `${dataDir} is not a directory: --data takes a data directory`)
  const api = await nodes.findApi(dataDir).catch(error => {
    if (isDenied(error)) throw noPermission(dataDir, error)
    throw error
  })
  if (api !== undefined && nodes.isAlive(api.pid)) return api
  const slots = await slotsOf(dataDir)
  if (slots.length > 0) return slotApi(context, slots, whose, `the slots of ${dataDir}: ${start}`)
  const owner = await ownerOf(dataDir)
  if (owner !== undefined && (owner.host !== hostname() || nodes.isAlive(owner.pid))) {
    const where = owner.host === hostname() ? '' : ` on host ${owner.host}`
    throw unreachable(
      `${dataDir} is in use by process ${owner.pid}${where}, which opened no HTTP API: start it with http: '127.0.0.1:7410', or \`carillon up --http 127.0.0.1:7410\``,
    )
  }
  throw unreachable(`no node runs on ${dataDir}: ${start}`)
}

/** The API of a node in one of the slots. */
async function slotApi(
  context: Context,
  slots: readonly string[],
  whose: 'any' | 'one',
  where: string,
): Promise<{ url: string; token: string }> {
  const { nodes } = context.world
  const living: Array<{ path: string; api: { url: string; token: string } }> = []
  let denied: CliError | undefined
  for (const path of slots) {
    const api = await nodes.findApi(path).catch(error => {
      if (!isDenied(error)) throw error
      denied = noPermission(path, error)
      return undefined
    })
    if (api !== undefined && nodes.isAlive(api.pid)) living.push({ path, api })
  }
  const [first, ...others] = living
  if (first === undefined) throw denied ?? unreachable(`no node runs in ${where}`)
  if (others.length === 0) return first.api
  const rest = others.map(({ path }) => path).join(' and ')
  if (whose === 'one')
    throw wrongUse(`nodes run in ${first.path} and ${rest}: name the one that is meant with --data`)
  if (!context.json)
    context.warn(
      `carillon: asking the node in ${first.path}; ${others.length > 1 ? 'others are' : 'another is'} in ${rest}`,
    )
  return first.api
}

/** Data directories of the processes that share this one, in the order of their slots. */
async function slotsOf(dataDir: string): Promise<string[]> {
  const names = await readdir(dataDir).catch(() => [])
  const numbers = names.map(name => Number(SLOT.exec(name)?.[1] ?? Number.NaN)).filter(n => !Number.isNaN(n))
  return numbers.sort((a, b) => a - b).map(slot => slotPath(dataDir, slot))
}

const SLOT = /^slot-([1-9]\d*)$/

async function ownerOf(dataDir: string): Promise<{ pid: number; host: string } | undefined> {
  try {
    const owner = JSON.parse(await readFile(join(dataDir, 'OWNER'), 'utf8')) as {
      pid?: unknown
      host?: unknown
    }
    return typeof owner.pid === 'number' && typeof owner.host === 'string'
      ? { pid: owner.pid, host: owner.host }
      : undefined
  } catch (error) {
    if (isDenied(error)) throw noPermission(dataDir, error)
    return undefined
  }
}

function isDenied(error: unknown): boolean {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } }
  return [code, cause?.code].some(each => each === 'EACCES' || each === 'EPERM')
}

function noPermission(dataDir: string, error: unknown): CliError {
  const { code = '' } = error as { code?: string }
  return unreachable(
    `no permission to read the data directory ${dataDir}${/^E[A-Z]+$/.test(code) ? ` (${code})` : ''}: run this as the user that runs the node, or use --url and --token-file`,
  )
}

function unreachable(message: string): CliError {
  return new CliError(EXIT.unreachable, 'UNREACHABLE', message)
}
