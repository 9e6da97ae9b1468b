import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { leftOutViolations, leftOverViolations, lengthViolations, machinePathViolations } from './files.ts'
import { filesUnder, ROOT } from './source.ts'

const CODE = ['src', 'sim', 'testing', 'test', 'benchmarks', 'examples', 'scripts'].flatMap(folder =>
  filesUnder(folder),
)
/** The house's own tests show the checks what they must find. */
const OURS = ['test/house/files.test.ts']
const TEXTS = [
  ...CODE,
  ...filesUnder('docs', '.md'),
  ...['README.md', 'package.json', 'package-lock.json', 'tsconfig.json', 'biome.json', '.ci/run', '.npmrc'],
].filter(path => existsSync(join(ROOT, path)) && !OURS.includes(path))

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

test('no file of src, sim or testing is too long to read in one sitting', () => {
  const paths = CODE.filter(path => /^(?:src|sim|testing)\//.test(path))
  expect(paths.length).toBeGreaterThan(10)
  expect(paths.flatMap(path => lengthViolations(path, read(path)))).toEqual([])
})

test('no work is left over in a comment', () => {
  expect(TEXTS.flatMap(path => leftOverViolations(path, read(path)))).toEqual([])
})

test('no test is left out', () => {
  const paths = CODE.filter(path => path.startsWith('test/') && !OURS.includes(path))
  expect(paths.flatMap(path => leftOutViolations(path, read(path)))).toEqual([])
})

test('nothing names a path of one machine', () => {
  expect(TEXTS.flatMap(path => machinePathViolations(path, read(path)))).toEqual([])
})

test('the lockfile names no registry, so that each machine uses its own', () => {
  expect(read('package-lock.json')).not.toMatch(/"resolved"\s*:\s*"https?:/)
})

test('each of these checks can fail', () => {
  expect(lengthViolations('a.ts', '\n'.repeat(500))).toEqual([])
  expect(lengthViolations('a.ts', '\n'.repeat(501))).toEqual(['a.ts has 501 lines: more than 500'])

  expect(leftOverViolations('a.ts', 'a\n// TODO: b\n/* FIXME */ HACK\nconst todoList = 1')).toEqual([
    'a.ts:2 has TODO',
    'a.ts:3 has FIXME',
  ])

  const tests =
    "test.only('a')\nit.each([1]).skip\ndescribe.concurrent.skip('b')\ntest.todo('c')\nxit('d')\n// test.skip\nitems.skip(2)"
  expect(leftOutViolations('a.ts', tests)).toEqual([
    'a.ts:1 has test.only',
    'a.ts:3 has describe.concurrent.skip',
    'a.ts:4 has test.todo',
    'a.ts:5 has xit(',
  ])

  const paths =
    "a = '/work/main/x'\nsee /home/me/x\ncd /root/.npm\nC:\\Users\\me\n../work/run.ts\nsrc/work/run.ts\n}/work/b"
  expect(machinePathViolations('a.ts', paths).map(found => found.split(' ')[0])).toEqual([
    'a.ts:1',
    'a.ts:2',
    'a.ts:3',
    'a.ts:4',
  ])
})
