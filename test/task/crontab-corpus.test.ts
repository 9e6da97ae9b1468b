/**
 * Crontabs as they lie on machines. Beside each stands what every line of it means (`*.expected`), one a row:
 * line | when [zone] | user | marks | command | input, and for what is not taken: line | why.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Crontab, type CrontabEntry, type CrontabForm, parseCrontab } from '../../src/task/crontab.ts'
import { recurrenceOf } from '../../src/task/recurrence.ts'
import { nextByStepping } from './minute-stepper.ts'

const folder = new URL('corpus/', import.meta.url)
const FILES = readdirSync(folder).filter(file => file.endsWith('.crontab'))

const textOf = (file: string): string => readFileSync(new URL(file, folder), 'utf8')
const formOf = (file: string): CrontabForm => file.split('.')[1] as CrontabForm

function entryRow({ line, schedule, user, overlap, jitterMs, command, stdin }: CrontabEntry): string {
  const marks = [overlap === 'skip' ? 'skip' : '', jitterMs > 0 ? `jitter ${jitterMs}` : '']
  const row = [line, whenOf(schedule), user ?? '-', marks.join(' ').trim(), command]
  return [...row, ...(stdin === undefined ? [] : [JSON.stringify(stdin)])].join(' | ')
}

function whenOf(schedule: CrontabEntry['schedule']): string {
  if (schedule.kind === 'reboot') return 'reboot'
  if (schedule.kind === 'every') return `every ${schedule.everyMs} ms from ${schedule.from}`
  return schedule.tz === 'UTC' ? schedule.pattern : `${schedule.pattern} [${schedule.tz}]`
}

/** Everything that was made of a file, in the order of its lines. */
function rowsOf({ entries, refused, variables, warnings }: Crontab): string[] {
  const rows: Array<[number, string]> = [
    ...entries.map(entry => [entry.line, entryRow(entry)] as [number, string]),
    ...refused.map(({ line, reason }) => [line, `${line} | REFUSED | ${reason}`] as [number, string]),
    ...variables.map(
      ({ line, name, value }) => [line, `${line} | ${name} = ${JSON.stringify(value)}`] as [number, string],
    ),
    ...warnings.map(({ line, reason }) => [line, `${line} | WARNING | ${reason}`] as [number, string]),
  ]
  return rows.sort(([a], [b]) => a - b).map(([, row]) => row)
}

/** Lines with a meaning: no comments, no empty ones. */
const linesOf = (text: string): string[] =>
  text
    .replace('\ufeff', '')
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))

test('the corpus has enough that differs', () => {
  expect(FILES.length).toBeGreaterThanOrEqual(10)
  const jobs = FILES.flatMap(file => linesOf(textOf(file))).filter(line => !/^[A-Z_]+\s*=/.test(line))
  expect(new Set(jobs).size).toBeGreaterThanOrEqual(150)
})

describe.each(FILES)('%s', file => {
  const text = textOf(file)
  const crontab = parseCrontab(text, { form: formOf(file) })

  test('means what stands beside it', () => {
    const expected = textOf(file.replace('.crontab', '.expected')).trimEnd().split('\n')
    expect(rowsOf(crontab)).toEqual(expected)
  })

  test('has no line of which nothing is said', () => {
    const { entries, refused, variables } = crontab
    expect(entries.length + refused.length + variables.length).toBe(linesOf(text).length)
    const lines = text.replace('\ufeff', '').split(/\r?\n/)
    for (const { line, text: said } of [...entries, ...refused]) expect(lines[line - 1]).toContain(said)
    expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length)
    for (const { id } of entries) expect(id).toMatch(/^cron-[0-9a-f]{20}(-\d+)?$/)
  })

  test('its form is found without being told', () => {
    expect(parseCrontab(text, { form: 'auto' })).toEqual(crontab)
  })

  test('fires when its own fields say so, by brute force', () => {
    const from = Date.UTC(2025, 1, 27, 22, 58, 30)
    const lines = text.replace('\ufeff', '').split(/\r?\n/)
    let judged = 0
    for (const { line, schedule } of crontab.entries) {
      const fields = (lines[line - 1] as string)
        .trim()
        .replace(/^-/, '')
        .split(/[ \t]+/, 5)
      if (schedule.kind !== 'cron' || fields[0]?.startsWith('@') || fields.join().includes('~')) continue
      const { next } = recurrenceOf({ ...schedule, tz: 'UTC', dst: { gap: 'auto', overlap: 'auto' } }, '')
      for (let at = from, i = 0; i < 3; i++) {
        const expected = nextByStepping(fields.join(' '), at + 1)
        expect(next(at), `${line}: ${fields.join(' ')}`).toBe(expected)
        at = expected as number
      }
      judged++
    }
    expect(judged).toBeGreaterThanOrEqual(3)
  })
})

test('a picked time lies in its range, and is picked the same again', () => {
  const { entries } = parseCrontab(textOf('openbsd.system.crontab'), { form: 'system' })
  const picked = entries.filter(({ text }) => text.includes('~')).map(({ schedule }) => whenOf(schedule))
  const again = parseCrontab(`# moved down\n\n${textOf('openbsd.system.crontab')}`, { form: 'system' })
  expect(again.entries.map(({ id, schedule }) => [id, schedule])).toEqual(
    entries.map(({ id, schedule }) => [id, schedule]),
  )
  const [minute, spamd, backup, acme] = picked.map(pattern => pattern.split(' '))
  expect(Number(minute?.[0])).toBeLessThan(60)
  expect(spamd?.[0]).toMatch(/^(\d|1\d)-59\/20$/)
  expect(['2', '3', '4']).toContain(backup?.[1])
  expect(['1', '2', '3', '4', '5']).toContain(backup?.[4])
  expect(Number(acme?.[0])).toBeGreaterThanOrEqual(5)
  expect(Number(acme?.[0])).toBeLessThanOrEqual(25)
  expect(Number(acme?.[2])).toBeLessThanOrEqual(7)
})
