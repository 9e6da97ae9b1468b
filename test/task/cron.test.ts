import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CarillonError, isCarillonError } from '../../src/errors.ts'
import { parseCron } from '../../src/task/cron.ts'
import { nextByStepping } from './minute-stepper.ts'

/** Monday. */
const MONDAY = Date.UTC(2024, 0, 1)

/** The first local times from `from` on, without seconds if they are 0. */
function times(pattern: string, count: number, from = MONDAY): string[] {
  const found: string[] = []
  let at = from
  for (let i = 0; i < count; i++) {
    const local = parseCron(pattern).nextLocal(at)
    found.push(new Date(local).toISOString().slice(0, 19).replace('T', ' ').replace(/:00$/, ''))
    at = local + 1
  }
  return found
}

function refusal(pattern: string): CarillonError {
  try {
    parseCron(pattern)
  } catch (error) {
    if (error instanceof CarillonError) return error
    throw error
  }
  throw new Error(`'${pattern}' was not refused`)
}

test.each<[string, string, string[]]>([
  ['every minute', '* * * * *', ['2024-01-01 00:00', '2024-01-01 00:01']],
  ['every second, with six fields', '* * * * * *', ['2024-01-01 00:00', '2024-01-01 00:00:01']],
  ['a second of a minute', '30 5 * * * *', ['2024-01-01 00:05:30', '2024-01-01 01:05:30']],
  ['a list', '5,10 3 * * *', ['2024-01-01 03:05', '2024-01-01 03:10', '2024-01-02 03:05']],
  ['a list out of order', '10,5 3 * * *', ['2024-01-01 03:05', '2024-01-01 03:10']],
  [
    'a list whose items overlap',
    '1-3,2,2-4 0 * * *',
    ['2024-01-01 00:01', '2024-01-01 00:02', '2024-01-01 00:03'],
  ],
  ['a range', '0 9-10 * * *', ['2024-01-01 09:00', '2024-01-01 10:00', '2024-01-02 09:00']],
  [
    'a step',
    '*/25 0 * * *',
    ['2024-01-01 00:00', '2024-01-01 00:25', '2024-01-01 00:50', '2024-01-02 00:00'],
  ],
  ['a step in a range', '10-30/15 0 * * *', ['2024-01-01 00:10', '2024-01-01 00:25', '2024-01-02 00:10']],
  [
    'a step from a value to the end',
    '40/10 0 * * *',
    ['2024-01-01 00:40', '2024-01-01 00:50', '2024-01-02 00:40'],
  ],
  ['a step as wide as the field', '*/60 */24 * * *', ['2024-01-01 00:00', '2024-01-02 00:00']],
  ['leading zeros', '05 03 01 02 *', ['2024-02-01 03:05']],
  ['a day of the month', '0 0 31 * *', ['2024-01-31 00:00', '2024-03-31 00:00', '2024-05-31 00:00']],
  ['the last day', '0 0 L * *', ['2024-01-31 00:00', '2024-02-29 00:00', '2024-03-31 00:00']],
  [
    'the last day in a list',
    '0 0 15,L 2 *',
    ['2024-02-15 00:00', '2024-02-29 00:00', '2025-02-15 00:00', '2025-02-28 00:00'],
  ],
  ['a small l', '0 0 l 2 *', ['2024-02-29 00:00']],
  ['29 February', '0 0 29 2 *', ['2024-02-29 00:00', '2028-02-29 00:00']],
  ['a month by name', '0 0 1 MAR,sep *', ['2024-03-01 00:00', '2024-09-01 00:00']],
  ['months by a range of names', '0 0 1 nov-Dec *', ['2024-11-01 00:00', '2024-12-01 00:00']],
  [
    '31 in a list of months, some shorter',
    '0 0 30,31 feb,apr,may *',
    ['2024-04-30 00:00', '2024-05-30 00:00', '2024-05-31 00:00'],
  ],
  ['a weekday', '0 0 * * 3', ['2024-01-03 00:00', '2024-01-10 00:00']],
  ['Sunday as 0', '0 0 * * 0', ['2024-01-07 00:00', '2024-01-14 00:00']],
  ['Sunday as 7', '0 0 * * 7', ['2024-01-07 00:00', '2024-01-14 00:00']],
  ['Sunday twice', '0 0 * * 0,7', ['2024-01-07 00:00', '2024-01-14 00:00']],
  ['a range up to 7', '0 0 * * 6-7', ['2024-01-06 00:00', '2024-01-07 00:00', '2024-01-13 00:00']],
  ['a range up to sun', '0 0 * * SAT-SUN', ['2024-01-06 00:00', '2024-01-07 00:00', '2024-01-13 00:00']],
  ['weekdays by name', '0 9 * * mon-fri', ['2024-01-01 09:00', '2024-01-02 09:00']],
  [
    'a step in weekdays from a value',
    '0 0 * * 5/1',
    ['2024-01-05 00:00', '2024-01-06 00:00', '2024-01-12 00:00'],
  ],
  ['a step in weekdays', '0 0 * * */3', ['2024-01-03 00:00', '2024-01-06 00:00', '2024-01-07 00:00']],
  ['the last Friday', '0 0 * * 5L', ['2024-01-26 00:00', '2024-02-23 00:00', '2024-03-29 00:00']],
  ['the last Friday by name', '0 0 * * friL', ['2024-01-26 00:00']],
  ['the last Sunday as 7', '0 0 * * 7L', ['2024-01-28 00:00']],
  ['the second Tuesday', '0 0 * * 2#2', ['2024-01-09 00:00', '2024-02-13 00:00']],
  ['a fifth weekday', '0 0 * * MON#5', ['2024-01-29 00:00', '2024-04-29 00:00']],
  [
    'a list of nth weekdays',
    '0 0 * * 1#1,5#3,0',
    ['2024-01-01 00:00', '2024-01-07 00:00', '2024-01-14 00:00', '2024-01-19 00:00'],
  ],
  [
    'either day, if both are restricted',
    '0 0 10 * 3',
    ['2024-01-03 00:00', '2024-01-10 00:00', '2024-01-17 00:00'],
  ],
  [
    'the last day or a Monday',
    '0 0 L * 1',
    [
      '2024-01-01 00:00',
      '2024-01-08 00:00',
      '2024-01-15 00:00',
      '2024-01-22 00:00',
      '2024-01-29 00:00',
      '2024-01-31 00:00',
    ],
  ],
  [
    'both days, if one field begins with *',
    '0 0 */2 * 1',
    ['2024-01-01 00:00', '2024-01-15 00:00', '2024-01-29 00:00'],
  ],
  ['? as *', '0 0 ? * 1', ['2024-01-01 00:00', '2024-01-08 00:00']],
  ['? in the days of the week', '0 0 5 * ?', ['2024-01-05 00:00', '2024-02-05 00:00']],
  ['space of any kind', '  0\t0   1 1 *\n', ['2024-01-01 00:00', '2025-01-01 00:00']],
  ['a rare day, eight years away', '0 0 29 2 *', ['2024-02-29 00:00']],
])('reads %s', (_what, pattern, expected) => {
  expect(times(pattern, expected.length)).toEqual(expected)
})

test.each([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
  [' @Daily ', '0 0 * * *'],
])('reads %s as %s', (macro, pattern) => {
  expect(times(macro, 5)).toEqual(times(pattern, 5))
  expect(parseCron(macro).everyHour).toBe(parseCron(pattern).everyHour)
})

test('finds 29 February across a century without one, and on one weekday only', () => {
  expect(times('0 0 29 2 *', 2, Date.UTC(2096, 0))).toEqual(['2096-02-29 00:00', '2104-02-29 00:00'])
  expect(times('0 0 29 2 */7', 2, Date.UTC(2088, 0))).toEqual(['2088-02-29 00:00', '2128-02-29 00:00'])
  expect(times('0 0 * 2 1#5', 1)).toEqual(['2044-02-29 00:00'])
})

test('finds 29 February on each weekday, from any year, within the bound of its search', () => {
  for (let year = 1600; year < 2400; year += 4) {
    for (let weekday = 0; weekday < 7; weekday++) {
      // A fifth weekday of February is the 29th.
      const found = new Date(parseCron(`0 0 * 2 ${weekday}#5`).nextLocal(Date.UTC(year, 2, 1)))
      expect([found.getUTCDate(), found.getUTCDay()]).toEqual([29, weekday])
    }
  }
})

test('counts years before 1970 as well', () => {
  expect(times('0 0 29 2 *', 1, Date.UTC(1897, 0))).toEqual(['1904-02-29 00:00'])
  expect(times('30 4 * * 1', 1, Date.UTC(1900, 0, 1))).toEqual(['1900-01-01 04:30'])
})

test('tells a pattern for every hour from others by its hour field', () => {
  expect(parseCron('0 * * * *').everyHour).toBe(true)
  expect(parseCron('0 */2 * * *').everyHour).toBe(true)
  expect(parseCron('* 0-23 * * *').everyHour).toBe(false)
  expect(parseCron('*/5 * 1 * * *').everyHour).toBe(false)
})

test('gives the same object for the same text', () => {
  expect(parseCron('1 2 3 4 *')).toBe(parseCron('1 2 3 4 *'))
})

test.each([
  ['', /empty/],
  ['   ', /empty/],
  ['* * * *', /4 fields.*write 5 fields/],
  ['*', /1 field:/],
  ['0 0 0 1 1 * 2024', /7 fields/],
  ['60 * * * *', /minute '60'.*0-59/],
  ['* 24 * * *', /hour '24'.*0-23/],
  ['* * 0 * *', /day of month '0'.*1-31/],
  ['* * 32 * *', /day of month '32'/],
  ['* * * 0 *', /month '0'.*1-12/],
  ['* * * 13 *', /month '13'/],
  ['* * * * 8', /day of week '8'.*0-7/],
  ['60 * * * * *', /second '60'/],
  ['-1 * * * *', /minute '-1'/],
  ['1.5 * * * *', /minute '1.5'/],
  ['1e1 * * * *', /minute '1e1'/],
  ['0x1 * * * *', /minute '0x1'/],
  ['001 * * * *', /minute '001'/],
  ['x * * * *', /minute 'x'/],
  ['1,,2 * * * *', /item of the list is empty/],
  [',1 * * * *', /item of the list is empty/],
  ['1- * * * *', /minute '1-'/],
  ['1-2-3 * * * *', /minute '1-2-3'/],
  ['22-2 * * * *', /does not wrap; write '22-59,0-2'/],
  ['* * * * fri-mon', /does not wrap/],
  ['*/0 * * * *', /step is 1-60/],
  ['*/90 * * * *', /step is 1-60/],
  ['* */25 * * *', /step is 1-24/],
  ['*/ * * * *', /minute '\*\/'/],
  ['*/5/5 * * * *', /minute '\*\/5\/5'/],
  ['** * * * *', /minute '\*\*'/],
  ['1* * * * *', /minute '1\*'/],
  ['? * * * *', /minute '\?'/],
  ['* ? * * *', /hour '\?'/],
  ['* * ?/2 * *', /day of month '\?\/2'/],
  ['L * * * *', /minute 'l'/],
  ['* * 15W * *', /nearest working day/],
  ['* * LW * *', /nearest working day/],
  ['* * L-3 * *', /only L/],
  ['* * 5L * *', /day of month '5l'/],
  ['* * * * L', /like 5L/],
  ['* * * * 1-5L', /day of week '1-5l'/],
  ['* * * * */2L', /day of week/],
  ['* * * * 1#6', /day of week '1#6'/],
  ['* * * * 1#0', /day of week '1#0'/],
  ['* * * * 1#2#3', /day of week/],
  ['* * 1#2 * *', /day of month '1#2'/],
  ['H * * * *', /use|spread/],
  ['* * H(1-5) * *', /day of month/],
  ['* * * monday *', /month 'monday'/],
  ['* * * mon *', /month 'mon'.*jan-dec/],
  ['* * * 1jan *', /month '1jan'/],
  ['* * * * jan', /day of week 'jan'.*sun-sat/],
  ['jan * * * *', /minute 'jan'/],
  ['@reboot', /@reboot' has no meaning.*@daily/],
  ['@often', /unknown.*@hourly/],
  ['@toString', /unknown/],
  ['@daily extra', /unknown/],
  ['0 0 31 2 *', /never fires/],
  ['0 0 30,31 feb ?', /never fires/],
  ['0 0 31 4,6,9,11 *', /never fires/],
  ['* * * * * ; rm', /7 fields/],
])("refuses '%s' with a text that names it", (pattern, text) => {
  const error = refusal(pattern)
  expect(error.code).toBe('INVALID')
  expect(error.field).toBe('cron')
  expect(error.message).toContain(`'${pattern}'`)
  expect(error.message).toMatch(text)
})

test('refuses what is no text, and a text that is too long', () => {
  expect(refusal('*'.repeat(257)).message).toMatch(/257 characters.*256/)
  expect(refusal(5 as unknown as string).field).toBe('cron')
  expect(refusal(undefined as unknown as string).field).toBe('cron')
})

test('refuses a pattern that never fires at once', () => {
  const before = performance.now()
  refusal('0 0 31 2 *')
  refusal('* * 30 2 */1')
  expect(performance.now() - before).toBeLessThan(250)
})

test('reads or refuses any text, and quickly', () => {
  const word = fc.stringMatching(/^[*?,\-/0-9LW#Hjanmonsu]{0,12}$/)
  const text = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.array(word, { minLength: 4, maxLength: 7 }).map(words => words.join(' ')),
    word.map(name => `@${name}`),
    fc.constantFrom(
      '__proto__',
      '@__proto__',
      '@constructor',
      `${'1,'.repeat(124)}1 * * * *`,
      `${'*/1,'.repeat(60)}1 * * * *`,
    ),
  )
  let slowest = 0
  fc.assert(
    fc.property(text, pattern => {
      const before = performance.now()
      try {
        parseCron(pattern).nextLocal(MONDAY)
      } catch (error) {
        if (!isCarillonError(error, 'INVALID')) throw error
      }
      slowest = Math.max(slowest, performance.now() - before)
    }),
    { numRuns: 3000, seed: 7 },
  )
  // Milliseconds as a rule; the bound is against what hangs, on a machine that does other things as well.
  expect(slowest).toBeLessThan(10_000)
})

test('finds the same time as the minute stepper, for any pattern', () => {
  const item = (min: number, max: number) =>
    fc.oneof(
      fc.constant('*'),
      fc.integer({ min, max }).map(String),
      fc
        .tuple(fc.integer({ min, max }), fc.integer({ min, max }))
        .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
      fc.integer({ min: 1, max: max - min }).map(step => `*/${step}`),
      fc.tuple(fc.integer({ min, max }), fc.integer({ min: 1, max: max - min })).map(pair => pair.join('/')),
    )
  const field = (single: fc.Arbitrary<string>) =>
    fc.array(single, { minLength: 1, maxLength: 3 }).map(list => list.join(','))
  const pattern = fc
    .tuple(
      field(item(0, 59)),
      field(item(0, 23)),
      field(fc.oneof(item(1, 31), fc.constant('L'))),
      field(fc.oneof(item(1, 12), fc.constantFrom('feb', 'jan-mar', 'Dec'))),
      field(fc.oneof(item(0, 6), fc.constantFrom('7', 'fri-sun', '5L', 'monL', '2#5', 'SUN#1', '7#2'))),
    )
    .map(fields => fields.join(' '))
  fc.assert(
    fc.property(pattern, fc.integer({ min: 0, max: 60 * 365 * 1440 }), (text, minute) => {
      const expected = nextByStepping(text, minute * 60_000)
      if (expected === undefined) expect(refusal(text).message).toMatch(/never fires/)
      else expect([text, parseCron(text).nextLocal(minute * 60_000)]).toEqual([text, expected])
    }),
    { numRuns: 1500, seed: 11 },
  )
})
