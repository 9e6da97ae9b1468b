import { expect, test } from 'vitest'
import { difference, filesOf, kindsOf, stepsOf } from './transcript.ts'

const README = `
Text.

\`\`\`ts
// handlers.ts
export const hello = () => 'hi'
\`\`\`

\`\`\`console
$ carillon ls
ID  NAME
...
$ carillon schedule hello \\
>   --after 10m
scheduled
\`\`\`
`

test('a console block is what is typed and what is printed, with the lines of the README', () => {
  expect(stepsOf(README)).toEqual([
    { line: 10, command: 'carillon ls', printed: ['ID  NAME', '...'] },
    { line: 13, command: 'carillon schedule hello \\\n  --after 10m', printed: ['scheduled'] },
  ])
})

test('a block that names a file in its first line is that file', () => {
  expect(filesOf(README)).toEqual([
    { name: 'handlers.ts', text: "// handlers.ts\nexport const hello = () => 'hi'\n" },
  ])
})

test('a session has to begin with a command', () => {
  expect(() => stepsOf('```console\nhello\n```')).toThrow('line 2: a session begins with "$ "')
})

test('what differs from run to run is compared by its kind', () => {
  expect(kindsOf('started in 209 ms,  process 77')).toBe('started in <duration>, process <pid>')
  expect(kindsOf('0mi82x3k1000abcdef  in 3h 12m')).toBe('<id> in <duration>')
  expect(kindsOf('2026-11-27 09:00:00 +01:00 12.5 KiB')).toBe('<instant> <size>')
  expect(kindsOf('report@1764234000000 d82b3b707bbcb2a6')).toBe('report@<instant> <hash>')
})

test.each([
  [['a', 'b'], ['a', 'b', ''], true],
  [['a  b 5 ms'], ['a b     17 s'], true],
  [['...', 'b'], ['x', 'y', 'b'], true],
  [['a', '...', 'c', '...'], ['a', 'c'], true],
  [['late by ...'], ['late by anything'], true],
  [['a'], ['a', 'b'], false],
  [['a', 'b'], ['a'], false],
  [['3 tasks'], ['4 tasks'], false],
  [['a', 'b'], ['b', 'a'], false],
  [['a', '...', 'c'], ['a', 'b'], false],
  [['late by ...'], ['early by 3'], false],
  [['completed'], ['failed'], false],
] as const)('%j beside %j: %s', (expected, printed, same) => {
  expect(difference(expected, printed) === undefined).toBe(same)
})

test('the difference names the line that is missing', () => {
  expect(difference(['a', 'b'], ['a', 'c'])).toMatch(/expected "b" \(its line 2\)[\s\S]* {4}c$/)
})
