/**
 * What a user gets: the package is packed, installed into an empty project, type-checked there, and run on the oldest
 * Node that it supports and on the one it is developed with, loaded in each way there is. The Nodes come from the npm
 * registry, as packages; npm's own cache keeps them.
 */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CHECKED,
  HANDLERS,
  OCCURRENCES,
  PREVIEW,
  PROGRAMS,
  type Printed,
  TESTS,
  TSCONFIG,
} from './programs.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const OLDEST = '22.12.0'
const TOO_OLD = '20.18.0'

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

let scratch: string
let user: string
let nodes: string

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'carillon-pack-'))
  user = join(scratch, 'user')
  nodes = join(scratch, 'nodes')
  // Both to their end, also if one fails: the folder is removed next.
  const made = await Promise.allSettled([makeUser(), installNodes()])
  for (const each of made) if (each.status === 'rejected') throw each.reason
}, 180_000)

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true })
})

describe('the packed package', () => {
  test('holds the build and its papers, and no sources or tests', async () => {
    const installed = join(user, 'node_modules', 'carillon')
    const files = await readdir(installed, { recursive: true })
    expect(files).toEqual(expect.arrayContaining(['package.json', 'LICENSE', join('dist', 'index.js')]))
    expect(files.filter(file => /(?:^|[\\/])(?:src|test|scripts)(?:[\\/]|$)/.test(file))).toEqual([])
    // Of the simulator only what the kit for tests needs: no worlds, no workloads, no judges.
    expect(files).toContain(join('dist', 'testing', 'index.js'))
    expect(files).not.toContain(join('dist', 'sim', 'world.js'))
    expect(files.filter(file => /(?<!\.d)\.ts$/.test(file))).toEqual([])
  })

  test('type-checks in a strict project that checks its libraries too', { timeout: 60_000 }, async () => {
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
    const { code, stdout } = await run(process.execPath, [tsc, '-p', '.'], { cwd: user })
    expect(stdout).toBe('')
    expect(code).toBe(0)
  })

  // Node runs TypeScript itself only from 22.18 and 23.6 on.
  test.each([
    [OLDEST, 'program.mjs'],
    [OLDEST, 'program.cjs'],
    ['this', 'program.mjs'],
    ['this', 'program.cjs'],
    ['this', 'program.ts'],
  ])('runs, and starts again on its data: Node %s, %s', { timeout: 60_000 }, async (version, program) => {
    const node = version === 'this' ? process.execPath : nodeOf(version)
    const dataDir = join(scratch, `data-${version}-${program}`)
    const expected = { node: version === 'this' ? process.version : `v${version}`, result: 42 }

    const first = await runProgram(node, program, dataDir)
    expect(first).toMatchObject({ ...expected, tomorrow: null, occurrences: OCCURRENCES })
    expect(first.preview).toHaveLength(3)
    for (const at of first.preview) expect(at).toMatch(PREVIEW)

    const second = await runProgram(node, program, dataDir)
    expect(second).toMatchObject({ ...expected, tomorrow: 'scheduled' })
  })

  test.each([
    [OLDEST, 'kit.test.mjs'],
    [OLDEST, 'kit.test.cjs'],
    ['this', 'kit.test.mjs'],
    ['this', 'kit.test.cjs'],
  ])(
    "the kit for tests works in Node's own runner: Node %s, %s",
    { timeout: 60_000 },
    async (version, file) => {
      const node = version === 'this' ? process.execPath : nodeOf(version)
      const { code, stdout, stderr } = await run(node, ['--test', '--test-reporter=tap', file], { cwd: user })
      expect(code, `${stdout}\n${stderr}`).toBe(0)
      expect(stdout).toMatch(/^# pass 1$/m)
    },
  )

  test('says plainly on an older Node which one it needs', { timeout: 60_000 }, async () => {
    const { code, stderr } = await run(nodeOf(TOO_OLD), ['program.mjs', join(scratch, 'none')], { cwd: user })
    expect(code).toBe(1)
    expect(stderr).toContain('22.12')
    expect(stderr).toContain(TOO_OLD)
    expect(stderr).not.toMatch(/SyntaxError|ERR_MODULE|is not a function/)
  })
})

describe('the packed command line', () => {
  const bin = (): string => join(user, 'node_modules', '.bin', 'carillon')

  test('runs by its own name, as a file that may be run', { timeout: 60_000 }, async () => {
    const { code, stdout, stderr } = await run(bin(), ['--version'], { cwd: user })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(code).toBe(0)
  })

  test('runs handlers in JavaScript on the oldest Node, and says there why not in TypeScript', {
    timeout: 60_000,
  }, async () => {
    const node = nodeOf(OLDEST)
    const main = join(user, 'node_modules', 'carillon', 'dist', 'cli', 'main.js')
    const up = (file: string) =>
      run(node, [main, 'up', '--memory', '--http', 'off', '--handlers', file, '--json', '--for', '2s'], {
        cwd: user,
      })
    const well = await up('handlers.mjs')
    expect(well.stderr).toBe('')
    expect(well.stdout).toMatch(/"type":"run".*"result":42/)
    expect(well.code).toBe(0)
    const typed = await up('handlers.ts')
    expect(JSON.parse(typed.stderr)).toMatchObject({
      error: {
        message: expect.stringContaining(
          `handlers.ts is TypeScript, and this Node (v${OLDEST}) can't strip types`,
        ),
      },
    })
    expect(typed.code).toBe(2)
  })

  test('says in one line on an older Node which one it needs', { timeout: 60_000 }, async () => {
    const main = join(user, 'node_modules', 'carillon', 'dist', 'cli', 'main.js')
    const { code, stderr } = await run(nodeOf(TOO_OLD), [main, 'ls'], { cwd: user })
    expect(code).toBe(1)
    expect(stderr).toBe(
      `carillon needs Node >= 22.12, and this is Node ${TOO_OLD}: update Node, or run it with a newer one\n`,
    )
  })
})

async function runProgram(node: string, program: string, dataDir: string): Promise<Printed> {
  const { code, stdout, stderr } = await run(node, [program, dataDir], { cwd: user, limitMs: 20_000 })
  expect(code, `${stdout}\n${stderr}`).toBe(0)
  return JSON.parse(stdout) as Printed
}

async function makeUser(): Promise<void> {
  const packed = join(scratch, 'packed')
  await mkdir(packed)
  await mkdir(user)
  await npm(['pack', '--pack-destination', packed], ROOT)
  const [tarball, ...others] = await readdir(packed)
  if (tarball === undefined || others.length > 0) throw new Error('npm pack made not one tarball')

  await writeJson(join(user, 'package.json'), { name: 'user', private: true, type: 'module' })
  await npm(['install', '--prefer-offline', '--ignore-scripts=false', join(packed, tarball)], user)
  await writeJson(join(user, 'tsconfig.json'), TSCONFIG)
  for (const [name, text] of Object.entries({ ...PROGRAMS, ...CHECKED, ...HANDLERS, ...TESTS }))
    await writeFile(join(user, name), text)
  // The types of Node are the user's own, as with any package; ours serve here. npm would remove them: last.
  await mkdir(join(user, 'node_modules', '@types'), { recursive: true })
  const types = join('node_modules', '@types', 'node')
  await symlink(join(ROOT, types), join(user, types), 'junction')
}

/** The package `node` fetches one of these for its platform; taken directly, no script has to run. */
async function installNodes(): Promise<void> {
  await mkdir(nodes)
  await writeJson(join(nodes, 'package.json'), { name: 'nodes', private: true })
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const prefix = platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'
  const specs = [OLDEST, TOO_OLD].map(version => {
    const arch = process.arch
    return `${aliasOf(version)}@npm:${prefix}-${platform}-${arch}@${version}`
  })
  await npm(['install', '--prefer-offline', '--no-bin-links', ...specs], nodes)
}

function aliasOf(version: string): string {
  return `node-${version.replaceAll('.', '-')}`
}

function nodeOf(version: string): string {
  return join(
    nodes,
    'node_modules',
    aliasOf(version),
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  )
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, JSON.stringify(value, undefined, 2))
}

/** npm as it runs this test, or the one on the PATH. */
async function npm(args: readonly string[], cwd: string): Promise<void> {
  const script = process.env.npm_execpath
  const known = script !== undefined && /npm-cli\.c?js$/.test(script) && existsSync(script)
  const [command, first] = known ? [process.execPath, [script]] : ['npm', []]
  const { code, stdout, stderr } = await run(command, [...first, ...args], { cwd, limitMs: 150_000 })
  if (code !== 0) throw new Error(`npm ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
}

/** Runs a command to its end; past the limit it is killed, and its code is null. */
function run(
  command: string,
  args: readonly string[],
  { cwd, limitMs = 50_000 }: { cwd: string; limitMs?: number },
): Promise<Ended> {
  const { promise, resolve, reject } = Promise.withResolvers<Ended>()
  const child = spawn(command, args, { cwd, env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const limit = setTimeout(() => {
    stderr += `\nkilled: no end after ${limitMs} ms`
    child.kill('SIGKILL')
  }, limitMs)
  child.once('error', reject)
  child.once('close', code => resolve({ code, stdout, stderr }))
  return promise.finally(() => clearTimeout(limit))
}

/** The environment without what npm and vitest put there for this project. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const clean: NodeJS.ProcessEnv = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (/^(?:npm_(?!config_)|npm_config_local_prefix$|VITEST|NODE_|INIT_CWD$|TEST$|PROD$|DEV$)/.test(name))
      continue
    clean[name] = value
  }
  clean.PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
  return clean
}
