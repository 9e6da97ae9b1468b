import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { candidatesOf, runComplete } from '../../src/cli/complete.ts'
import { SCRIPTS } from '../../src/cli/completion.ts'
import { carillon, FakeNode, worldOf } from './fake-node.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')
const folder = mkdtempSync(join(tmpdir(), 'carillon-complete-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A `carillon` on the PATH that answers as a node with two tasks would have it. */
writeFileSync(join(folder, 'stand-in'), '')
writeFileSync(
  join(folder, 'carillon'),
  `#!/bin/sh
case "$*" in
  *"complete -- show "*) printf 'crontab:x:1\\tcommand\\ncrontab:y:2\\tcommand\\nnightly\\treport\\n:none\\n' ;;
  *) exec '${process.execPath}' '${MAIN}' "$@" ;;
esac
`,
)
chmodSync(join(folder, 'carillon'), 0o755)
for (const shell of ['bash', 'zsh', 'fish'] as const)
  writeFileSync(join(folder, `script.${shell}`), SCRIPTS[shell])
const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` }
const has = (shell: string) => spawnSync(shell, ['--version']).status === 0

const values = async (...words: string[]) =>
  (
    await candidatesOf(words, async kind => (kind === 'task' ? [['t-1', '']] : [['email.send', '']]))
  ).values.map(([value]) => value)

describe('the words of', () => {
  test('commands', async () => {
    expect(await values('')).toEqual(expect.arrayContaining(['up', 'schedule', 'import', 'completion']))
    expect(await values('re')).toEqual(['resume', 'retry'])
    expect(await values('import', '')).toEqual(['crontab'])
    expect(await values('nonsense', '')).toEqual([])
    expect(await values('--v')).toEqual(['--version'])
  })

  test('options, those that were given left out', async () => {
    expect(await values('ls', '--s')).toEqual(['--state'])
    expect(await values('ls', '--state', 'dead', '--s')).toEqual([])
    expect(await values('schedule', 'x', '--tag', 'a', '--ta')).toEqual(['--tag'])
    expect(await values('import', 'crontab', '--dr')).toEqual(['--dry-run'])
  })

  test('values: choices, zones, ids, handlers, also after =', async () => {
    expect(await values('ls', '--state', 'pa')).toEqual(['paused'])
    expect(await values('ls', '--state=pa')).toEqual(['--state=paused'])
    expect(await values('preview', '--tz', 'Europe/Par')).toEqual(['Europe/Paris'])
    expect(await values('show', '')).toEqual(['t-1'])
    expect(await values('cancel', 't-0', '--json', 't')).toEqual(['t-1'])
    expect(await values('schedule', 'em')).toEqual(['email.send'])
    expect(await values('schedule', '--after', '')).toEqual([])
    expect(await values('completion', 'f')).toEqual(['fish'])
  })

  test('paths are left to the shell', async () => {
    const paths = async (...words: string[]) => (await candidatesOf(words, async () => [])).paths
    expect(await paths('up', '--handlers', '')).toBe('file')
    expect(await paths('up', '--crontab', 'x')).toBe('file')
    expect(await paths('ls', '--data', '')).toBe('directory')
    expect(await paths('import', 'crontab', '')).toBe('file')
    expect(await paths('up', '--crontab=')).toBe('file')
  })
})

test('ids and handlers come from the node; a node that is slow, gone or broken is left out in silence', async () => {
  const node = new FakeNode()
  await node.schedule([
    { id: 'alpha', name: 'report' },
    { id: 'beta', name: 'report' },
  ])
  const ask = async (world: ReturnType<typeof worldOf>, ...words: string[]) => {
    expect(await runComplete(words, world.world)).toBe(0)
    expect(world.ran.err).toBe('')
    return world.ran.out
  }
  expect(await ask(worldOf({ node, sleep: () => new Promise(() => undefined) }), 'show', 'a')).toBe(
    'alpha\treport, scheduled\n:none\n',
  )
  const slow = new FakeNode()
  slow.tasks = async function* () {
    yield { ...(await node.task('alpha'))! }
    await new Promise(() => undefined)
  }
  expect(
    await ask(
      worldOf({ node: slow, sleep: () => new Promise(resolve => setTimeout(resolve, 20)) }),
      'show',
      '',
    ),
  ).toBe('alpha\treport, scheduled\n:none\n')
  const broken = { connect: () => Promise.reject(new Error('x')) }
  expect(await ask(worldOf({ nodes: broken, sleep: () => new Promise(() => undefined) }), 'show', '')).toBe(
    ':none\n',
  )
})

test('completion prints each script', async () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const { out, code } = await carillon(['completion', shell])
    expect(code).toBe(0)
    expect(out).toBe(SCRIPTS[shell])
    expect(out).toContain('complete --')
  }
})

describe('bash', () => {
  const bash = (line: string): string[] => {
    // As readline splits words: also at : and =.
    const words = line.split(/([ :=])/).filter(word => word !== ' ' && word !== '')
    if (line.endsWith(' ')) words.push('')
    const script = `source '${folder}/script.bash'; COMP_LINE=$1; COMP_POINT=\${#1}; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _carillon; printf '%s\\n' "\${COMPREPLY[@]}"`
    const out = execFileSync('bash', ['--norc', '-c', script, 'bash', line, ...words], {
      env,
      cwd: folder,
      encoding: 'utf8',
    })
    return out.trim().split('\n')
  }
  test('completes commands, choices, files, and ids with colons in them', () => {
    expect(bash('carillon sch')).toEqual(['schedule'])
    expect(bash('carillon ls --state pau')).toEqual(['paused'])
    expect(bash('carillon ls --state=pau')).toEqual(['paused'])
    expect(bash('carillon show ')).toEqual(['crontab:x:1', 'crontab:y:2', 'nightly'])
    expect(bash('carillon show crontab:x:')).toEqual(['1', 'crontab:y:2', 'nightly'])
    expect(bash('carillon up --handlers stand')).toEqual(['stand-in'])
    expect(bash('carillon import ')).toEqual(['crontab'])
  })
})

describe.runIf(has('zsh'))('zsh', () => {
  test('completes with what its own functions are given', () => {
    const script = `
      compdef() { :; }
      compadd() { while [[ $1 != -a ]]; do shift; done; print -l -- "\${(P@)2}"; }
      compset() { :; }
      _files() { print files "$@"; }
      source '${folder}/script.zsh'
      words=("$@"); CURRENT=$#; _carillon`
    const zsh = (...words: string[]) =>
      execFileSync('zsh', ['-f', '-c', script, 'zsh', 'carillon', ...words], { env, encoding: 'utf8' }).trim()
    expect(zsh('sch')).toBe('schedule')
    expect(zsh('ls', '--state', 'pau')).toBe('paused')
    expect(zsh('show', '')).toBe('crontab:x:1\ncrontab:y:2\nnightly')
    expect(zsh('up', '--handlers', '')).toBe('files')
    expect(zsh('ls', '--data', '')).toBe('files -/')
  })
})

describe.runIf(has('fish'))('fish', () => {
  test('completes a line', () => {
    const fish = (line: string) =>
      execFileSync('fish', ['--no-config', '-c', `source '${folder}/script.fish'; complete -C '${line}'`], {
        env,
        cwd: folder,
        encoding: 'utf8',
      })
        .trim()
        .split('\n')
        .map(each => each.split('\t')[0])
    expect(fish('carillon sch')).toEqual(['schedule'])
    expect(fish('carillon ls --state pau')).toEqual(['paused'])
    expect(fish('carillon show cron')).toEqual(['crontab:x:1', 'crontab:y:2'])
    expect(fish('carillon up --handlers stand')).toEqual(['stand-in'])
  })
})
