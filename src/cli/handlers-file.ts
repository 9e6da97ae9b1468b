/**
 * A file of handlers, loaded: each function that it exports is a handler, under the name that it is exported by; or
 * those of its `handlers`, or of its default export, where the names can have dots. `tasks` is a list of tasks to
 * schedule at each start; a file may have only these. What is wrong with the file is said in one line, with the place.
 */

import { spawnSync } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CliError, wrongUse } from './cli-error.ts'
import { unreadable } from './context.ts'

export type HandlerFunction = (run: never) => unknown

export interface HandlersFile {
  readonly handlers: Readonly<Record<string, HandlerFunction>>
  readonly tasks: readonly object[]
}

export interface LoadParts {
  readonly load: (url: string) => Promise<Record<string, unknown>>
  /** False where this Node runs no TypeScript. */
  readonly stripsTypes: boolean
  readonly nodeVersion: string
}

export const SYSTEM_LOAD: LoadParts = {
  load: url => import(url) as Promise<Record<string, unknown>>,
  stripsTypes: Boolean((process.features as { typescript?: unknown }).typescript),
  nodeVersion: process.version,
}

export async function loadHandlers(path: string, parts: LoadParts = SYSTEM_LOAD): Promise<HandlersFile> {
  const full = resolve(path)
  const found = await stat(full).catch(error => Promise.reject(unreadable(error, path, 'the handlers file')))
  if (found.isDirectory()) throw wrongUse(`the handlers file ${path} is a directory: name a file`)
  if (/\.[cm]?ts$/.test(path) && !parts.stripsTypes) throw noTypes(path, parts.nodeVersion)
  let module: Record<string, unknown>
  try {
    module = await loaded(parts.load(pathToFileURL(full).href), path)
  } catch (error) {
    throw loadError(error, path, full, parts)
  }
  return contentOf(module, path)
}

/** What the file awaits and nothing can bring any more would end this process without a word of ours. */
async function loaded<T>(loading: Promise<T>, path: string): Promise<T> {
  let onIdle = (): void => undefined
  const idle = new Promise<never>((_, reject) => {
    onIdle = () => reject(wrongUse(`${path} awaits at its top level what never comes: it can't be loaded`))
  })
  process.once('beforeExit', onIdle)
  try {
    return await Promise.race([loading, idle])
  } finally {
    process.off('beforeExit', onIdle)
  }
}

function noTypes(path: string, version: string): CliError {
  return wrongUse(
    `${path} is TypeScript, and this Node (${version}) can't strip types: use Node 22.18 or newer, set NODE_OPTIONS=--experimental-strip-types, or compile it to JavaScript`,
  )
}

function contentOf(module: Record<string, unknown>, path: string): HandlersFile {
  const { tasks = [], handlers, default: main, ...named } = module
  if (!Array.isArray(tasks))
    throw wrongUse(`${path} exports tasks that are no array: a list of tasks is wanted`)
  const found: Record<string, HandlerFunction> = {}
  for (const source of [named, main, handlers]) {
    if (typeof source !== 'object' || source === null) continue
    for (const [name, value] of Object.entries(source)) {
      // Functions beside a default or `handlers` are the file's own, and often the same under another name.
      if (source === named && (isRecord(main) || isRecord(handlers))) break
      if (typeof value === 'function' && name !== 'module.exports') found[name] = value as HandlerFunction
    }
  }
  if (Object.keys(found).length > 0 || tasks.length > 0) return { handlers: found, tasks }
  if (typeof main === 'function')
    throw wrongUse(
      `${path} exports one function as default, which gives it no name: write \`export function name(run) {}\`, or \`export default { 'name': run => {} }\``,
    )
  throw wrongUse(
    `${path} exports no function: a handlers file has \`export function name(run) {}\`, or \`export default { 'name': run => {} }\``,
  )
}

function isRecord(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).some(each => typeof each === 'function')
  )
}

function loadError(error: unknown, path: string, full: string, parts: LoadParts): CliError {
  if (error instanceof CliError) return error
  if (!(error instanceof Error)) return wrongUse(`${path} can't be loaded: it threw ${String(error)}`)
  const { code } = error as NodeJS.ErrnoException
  const [message = ''] = error.message.split('\n')
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION' && /\.[cm]?tsx?\b/.test(message))
    return noTypes(path, parts.nodeVersion)
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return wrongUse(
      `${placeOf(error, full) ?? path}: ${message}: Node only strips types; compile the file, or do without`,
    )
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    const missing = /Cannot find (?:package|module) '([^']+)'/.exec(message)?.[1] ?? 'something'
    const advice = /^[./]|^[A-Za-z]:/.test(missing) ? 'check the path' : `npm install ${packageOf(missing)}`
    return wrongUse(`${path} imports '${missing}', which is not there: ${advice}`)
  }
  if (code === 'EACCES' || code === 'EPERM') return unreadable(error, path, 'the handlers file')
  if (error.name === 'SyntaxError')
    return wrongUse(`${placeOf(error, full) ?? checkedPlace(full) ?? path}: ${error.name}: ${message}`)
  return wrongUse(`${placeOf(error, full) ?? path} threw while it was loaded: ${error.name}: ${message}`)
}

/** Where in a file of the user's the error is: 'handlers.ts:3:12'. */
function placeOf(error: Error, full: string): string | undefined {
  return snippetPlace(error.stack ?? '') ?? framePlace(error.stack ?? '', full)
}

/** Of a stack that opens with the place, the source line and a caret below the column. */
function snippetPlace(stack: string): string | undefined {
  const [place = '', ...rest] = stack.split('\n')
  const match = /^(?:file:\/\/)?(\/.*|[A-Za-z]:.*):(\d+)$/.exec(place)
  if (match === null) return undefined
  const column = rest
    .slice(0, 3)
    .map(line => line.search(/\^/))
    .find(at => at >= 0)
  return `${match[1]}:${match[2]}${column === undefined ? '' : `:${column + 1}`}`
}

function framePlace(stack: string, full: string): string | undefined {
  const url = pathToFileURL(full).href
  const frame = stack.split('\n').find(line => line.includes(url) || line.includes(full))
  const place = frame === undefined ? null : /:(\d+):(\d+)\)?$/.exec(frame)
  return place === null ? undefined : `${full}:${place[1]}:${place[2]}`
}

/** Node tells import() nothing of where JavaScript is wrong; its --check does. */
function checkedPlace(full: string): string | undefined {
  const { stderr } = spawnSync(process.execPath, ['--check', full], { encoding: 'utf8', timeout: 10_000 })
  return snippetPlace(stderr ?? '')
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
