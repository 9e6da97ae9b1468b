import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CRONTAB_LINE_LENGTH_MAX,
  CRONTAB_LINES_MAX,
  type Crontab,
  type CrontabForm,
  parseCrontab,
} from '../../src/task/crontab.ts'
import { recurrenceOf } from '../../src/task/recurrence.ts'
import { runs } from '../support/tasks.ts'

const user = (...lines: string[]): Crontab => parseCrontab(lines.join('\n'), { form: 'user' })
const system = (...lines: string[]): Crontab => parseCrontab(lines.join('\n'), { form: 'system' })

describe('the time', () => {
  test.each([
    ['* * * * *', '* * * * *'],
    ['00 07 01 01 *', '0 7 1 1 *'],
    ['0,30 0-23/2 * JAN-Mar MON,fri', '0,30 0-23/2 * jan-mar mon,fri'],
    ['\t5   4\t* * 7 ', '5 4 * * 7'],
    ['-5 4 * * *', '5 4 * * *'],
    ['@yearly', '0 0 1 1 *'],
    ['@annually', '0 0 1 1 *'],
    ['@Monthly', '0 0 1 * *'],
    ['@weekly', '0 0 * * 0'],
    ['@DAILY', '0 0 * * *'],
    ['@midnight', '0 0 * * *'],
    ['@hourly', '0 * * * *'],
    ['@every_minute', '* * * * *'],
  ])('%s is %s, in both forms', (time, pattern) => {
    for (const { entries, refused } of [user(`${time} ls`), system(`${time} nobody ls`)]) {
      expect(refused).toEqual([])
      expect(entries[0]).toMatchObject({
        command: 'ls',
        schedule: { kind: 'cron', pattern, tz: 'UTC' },
        overlap: 'allow',
      })
    }
  })

  test('@reboot is once, @60 is seconds from the end of one run to the next', () => {
    expect(user('@reboot ls', '@Reboot ls').entries.map(({ schedule }) => schedule)).toEqual([
      { kind: 'reboot' },
      { kind: 'reboot' },
    ])
    const { entries } = user('@every_second ls', '@90 ls')
    expect(entries.map(({ schedule, overlap }) => [schedule, overlap])).toEqual([
      [{ kind: 'every', everyMs: 1000, from: 'completion' }, 'skip'],
      [{ kind: 'every', everyMs: 90_000, from: 'completion' }, 'skip'],
    ])
  })

  test('a random time lies in its range for every line', () => {
    const time = fc.record({
      low: fc.integer({ min: 0, max: 30 }),
      width: fc.integer({ min: 0, max: 29 }),
      step: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
      command: fc.string({ unit: fc.constantFrom(...'abc/'), minLength: 1 }),
    })
    fc.assert(
      fc.property(time, ({ low, width, step, command }) => {
        const high = low + width
        const line = `${low}~${high}${step === undefined ? '' : `/${step}`} 3 * * * ${command}`
        const [entry] = user(line).entries
        expect(user('# above', line).entries[0]?.schedule).toEqual(entry?.schedule)
        if (entry?.schedule.kind !== 'cron') throw new Error(`refused: ${line}`)
        const field = entry.schedule.pattern.split(' ')[0] as string
        const first = Number(/^\d+/.exec(field)?.[0])
        expect(first).toBeGreaterThanOrEqual(low)
        expect(first).toBeLessThanOrEqual(step === undefined ? high : Math.min(high, low + step - 1))
        expect(field).toBe(step === undefined ? String(first) : `${first}-${high}/${step}`)
      }),
      runs(300),
    )
  })
})

describe('the command', () => {
  test.each<[string, string, string | undefined]>([
    ['date +\\%F', 'date +%F', undefined],
    ['cat%one', 'cat', 'one\n'],
    ['cat%one%two%', 'cat', 'one\ntwo\n'],
    ['cat%100\\% of it', 'cat', '100% of it\n'],
    ['cat%', 'cat', ''],
    ['printf "\\\\%"', 'printf "\\\\', '"\n'],
    ['echo \\n # no comment', 'echo \\n # no comment', undefined],
    ['a=b ls', 'a=b ls', undefined],
    ['ls  -l  ', 'ls  -l  ', undefined],
  ])('%s is %s with the input %j', (text, command, stdin) => {
    for (const [entry] of [user(`0 0 * * * ${text}`).entries, system(`0 0 * * * root ${text}`).entries]) {
      expect([entry?.command, entry?.stdin]).toEqual([command, stdin])
    }
  })

  test('flags of BSD are taken off it, and -s lets no two run at once', () => {
    const { entries } = system('* * * * * root -n -q ls', '* * * * * root -ns ls', '* * * * * root -x ls')
    expect(entries.map(({ command, overlap }) => [command, overlap])).toEqual([
      ['ls', 'allow'],
      ['ls', 'skip'],
      ['-x ls', 'allow'],
    ])
  })

  test('in the system form comes after a user, however that is written', () => {
    const names = [
      'root',
      '_apt',
      'www-data',
      'a.b',
      'DOMAIN\\me',
      'me@example.com',
      'pc$',
      'root:wheel/daemon',
    ]
    const { entries, refused } = system(...names.map(name => `0 0 * * *\t${name}\tls -l`))
    expect(refused).toEqual([])
    expect(entries.map(entry => [entry.user, entry.command])).toEqual(names.map(name => [name, 'ls -l']))
    expect(user('0 0 * * * root ls').entries[0]).toMatchObject({ command: 'root ls' })
    expect(user('0 0 * * * root ls').entries[0]).not.toHaveProperty('user')
  })
})

describe('variables', () => {
  test('are those above the line, and the latest of a name', () => {
    const { entries } = user('A=1', '* * * * * one', 'A=2', 'SHELL=/bin/zsh', '* * * * * two')
    expect(entries.map(({ env, shell }) => [env, shell])).toEqual([
      [{ A: '1' }, '/bin/sh'],
      [{ A: '2', SHELL: '/bin/zsh' }, '/bin/zsh'],
    ])
  })

  test.each([
    ['A=b', 'A', 'b'],
    ['  A  =  b c  ', 'A', 'b c'],
    ['A=', 'A', ''],
    ['A="  b "', 'A', '  b '],
    ["'A' = 'b\"c'", 'A', 'b"c'],
    ['"A"=b=c', 'A', 'b=c'],
    ['A=* * * * * ls', 'A', '* * * * * ls'],
    ['A=b # no comment', 'A', 'b # no comment'],
  ])('%s', (line, name, value) => {
    expect(user(line)).toMatchObject({ variables: [{ line: 1, name, value }], refused: [], entries: [] })
  })

  test('CRON_TZ is the zone of what follows, until the next one', () => {
    const times = '0 9 * * * ls'
    const { entries } = parseCrontab(
      [times, 'CRON_TZ=Asia/Tokyo', times, 'CRON_TZ=:America/New_York', times, 'CRON_TZ=', times].join('\n'),
      { form: 'user', tz: 'Europe/Paris' },
    )
    const firsts = entries.map(({ schedule }) => {
      if (schedule.kind !== 'cron') throw new Error('not a pattern')
      const next = recurrenceOf({ ...schedule, dst: { gap: 'auto', overlap: 'auto' } }, '').next(
        Date.UTC(2025, 0, 1),
      )
      return [schedule.tz, new Date(next as number).toISOString().slice(5, 16)]
    })
    expect(firsts).toEqual([
      ['Europe/Paris', '01-01T08:00'],
      ['Asia/Tokyo', '01-02T00:00'],
      ['America/New_York', '01-01T14:00'],
      ['Europe/Paris', '01-01T08:00'],
    ])
  })

  test('after a CRON_TZ that is no zone nothing with a time is taken, until the next', () => {
    const { entries, refused } = user(
      'CRON_TZ=Mars/Base',
      '0 0 * * * a',
      '@reboot b',
      '@60 c',
      'CRON_TZ=UTC',
      '0 0 * * * d',
    )
    expect(entries.map(({ command }) => command)).toEqual(['b', 'c', 'd'])
    expect(refused.map(({ line }) => line)).toEqual([1, 2])
    expect(refused[1]?.reason).toBe('has no time zone: the CRON_TZ of line 1 is none')
  })

  test('RANDOM_DELAY is a bound in minutes, and one that is none is none', () => {
    const { entries, warnings } = user(
      'RANDOM_DELAY=45',
      '@daily a',
      'RANDOM_DELAY=often',
      '@daily b',
      'RANDOM_DELAY=1441',
    )
    expect(entries.map(({ jitterMs }) => jitterMs)).toEqual([2_700_000, 0])
    expect(warnings.map(({ line }) => line)).toEqual([3, 5])
  })
})

describe('ids', () => {
  test('stay when lines move, and differ when the task does', () => {
    const ids = (text: string): string[] => user(...text.split('\n')).entries.map(({ id }) => id)
    const [id] = ids('0 0 * * * ls')
    expect(ids('# moved\nA=1\n0 0 * * * ls')).toEqual([id])
    expect(ids('0 0 * * * ls -l')).not.toEqual([id])
    expect(ids('1 0 * * * ls')).not.toEqual([id])
    expect(ids('0 0 * * * ls\n0 0 * * * ls')).toEqual([id, `${id}-2`])
    expect(system('0 0 * * * a ls').entries[0]?.id).not.toBe(system('0 0 * * * b ls').entries[0]?.id)
  })
})

describe('a line that is not taken', () => {
  test.each<[CrontabForm, string, RegExp]>([
    ['user', '60 * * * * ls', /the minute '60': 0-59/],
    ['user', '* * 0 * * ls', /the day of month '0': 1-31/],
    ['user', '* * * foo * ls', /the month 'foo': 1-12, jan-dec/],
    ['user', '1,,2 * * * * ls', /an item of the list is empty/],
    ['user', '*/0 * * * * ls', /a step is 1-60/],
    ['user', '0 0 30 feb * ls', /never fires/],
    ['user', '1~2~3 * * * * ls', /a random range is written/],
    ['user', '@ ls', /unknown time '@'/],
    ['user', '@99999999999 ls', /1 to 316224000 seconds/],
    ['user', '*/5 * * * * * ls', /no field for seconds or years/],
    ['user', '５ * * * * ls', /a character in its time/],
    ['user', '* * * * *', /no command after the time/],
    ['user', '* * *', /3 of the 5 time fields/],
    ['user', '* * * * * %x', /no command/],
    ['user', '* * * * * a\0b', /NUL/],
    ['user', 'MY-VAR!=x', /a variable whose name/],
    ['user', '1A=x', /a variable whose name/],
    ['user', 'A="x', /quote is not closed/],
    ['system', '* * * * * root', /no command after the user 'root'/],
    ['system', '@daily', /no command after the time/],
    ['system', '* * * * * ro%ot ls', /'ro%ot' where the system form has the name of a user/],
    ['system', '* * * * * -n root ls', /'-n' where the system form/],
  ])('in the %s form: %j', (form, line, reason) => {
    const crontab = parseCrontab(`# first\n${line}\n@daily root ls`, { form })
    expect(crontab.refused).toEqual([{ line: 2, text: line, reason: expect.stringMatching(reason) }])
    expect(crontab.entries.map(each => each.line)).toEqual([3])
  })

  test('is shown in part if it is long', () => {
    const [long] = user(`* * * * * ${'x'.repeat(CRONTAB_LINE_LENGTH_MAX)}`).refused
    expect(long?.reason).toBe(
      `has ${CRONTAB_LINE_LENGTH_MAX + 10} characters; at most ${CRONTAB_LINE_LENGTH_MAX} are allowed`,
    )
    expect(long?.text).toHaveLength(200)
  })

  test('is the first of too many, and the rest is not read', () => {
    const { refused, entries } = user(...new Array<string>(CRONTAB_LINES_MAX + 5).fill(''), '@daily ls')
    expect([refused.map(({ line }) => line), entries]).toEqual([[CRONTAB_LINES_MAX + 1], []])
  })

  test('has one variable, zone or pattern too many', () => {
    const many = (count: number, line: (i: number) => string): Crontab =>
      user(...Array.from({ length: count }, (_, i) => line(i)))
    expect(many(101, i => `V${i}=1`).refused).toMatchObject(
      [{ line: 101, reason: /one variable too many/ }].map(each => ({
        ...each,
        reason: expect.stringMatching(each.reason),
      })),
    )
    const zones = Intl.supportedValuesOf('timeZone').slice(0, 201)
    expect(many(201, i => `CRON_TZ=${zones[i]}`).refused.map(({ line }) => line)).toEqual([201])
    const patterns = many(40_000, i => `${i % 60} ${Math.floor(i / 60) % 24} ${(i % 28) + 1},1 * * ls`)
    expect(patterns.refused.every(({ reason }) => reason.includes('one pattern too many'))).toBe(true)
    expect(patterns.entries.length + patterns.refused.length).toBe(40_000)
  })

  test('only a default zone that is none throws', () => {
    expect(() => parseCrontab('', { form: 'user', tz: 'Mars/Base' })).toThrow(/not an IANA time zone/)
  })

  test('and, from plain JavaScript, a form or a text that is none', () => {
    const loose = parseCrontab as (text: unknown, options?: unknown) => unknown
    expect(() => loose('')).toThrow(/form is undefined: allowed is 'auto'/)
    expect(() => loose('', { form: 'usr' })).toThrow(/form is "usr"/)
    expect(() => loose(undefined, { form: 'auto' })).toThrow(/text is undefined/)
  })
})

describe('auto', () => {
  test.each<[CrontabForm, string]>([
    ['user', ''],
    ['user', '# m h dom mon dow command\n* * * * * root ls'],
    ['system', '# m h dom mon dow user command\n* * * * * me ls'],
    ['system', '0 0 * * * root ls'],
    ['user', '0 0 * * * php run.php'],
    ['user', '0 0 * * * root ls\n0 1 * * * /srv/a b\n0 2 * * * /srv/b c'],
    ['system', '@daily www-data ls'],
  ])('is the %s form: %j', (form, text) => {
    expect(parseCrontab(text, { form: 'auto' }).form).toBe(form)
  })
})

describe('any text at all', () => {
  const word = fc.constantFrom(
    ...[
      '*',
      '*/5',
      '1-5',
      '0',
      '59',
      'jan',
      'mon-fri',
      '@daily',
      '@',
      '@60',
      '@reboot',
      '%',
      '\\%',
      '#',
      '=',
      '"',
      "'",
    ],
    ...[
      'root',
      'A=1',
      'CRON_TZ=UTC',
      'CRON_TZ=x',
      '~',
      '1~9/2',
      'L',
      '5#2',
      '-',
      ' ',
      '\t',
      '\n',
      '\r\n',
      '\0',
      '\u00a0',
      '\ufeff',
      '🙂',
    ],
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc
      .array(fc.tuple(word, fc.constantFrom(' ', '\t', '', '\n')), { maxLength: 80 })
      .map(list => list.flat().join('')),
  )

  test('is read without a throw, and nothing of it is lost', () => {
    fc.assert(
      fc.property(text, fc.constantFrom<CrontabForm | 'auto'>('user', 'system', 'auto'), (given, form) => {
        const { entries, refused, variables, warnings, form: found } = parseCrontab(given, { form })
        if (form !== 'auto') expect(found).toBe(form)
        const lines = given.replace(/^\ufeff/, '').split('\n')
        const said = lines.filter(line => line.trim() !== '' && !/^[ \t]*#/.test(line))
        const all = [...entries, ...refused, ...variables]
        expect(all).toHaveLength(said.length)
        expect(new Set(all.map(({ line }) => line)).size).toBe(all.length)
        for (const { line } of [...all, ...warnings]) expect(lines[line - 1]).toBeDefined()
        for (const { command, schedule } of entries) {
          expect(command.trim()).not.toBe('')
          if (schedule.kind !== 'cron') continue
          const { next } = recurrenceOf({ ...schedule, dst: { gap: 'auto', overlap: 'auto' } }, '')
          expect(next(0)).toBeGreaterThan(0)
        }
      }),
      runs(1500),
    )
  })

  test.each([
    ['blanks', ' '.repeat(60_000)],
    ['commas', `${','.repeat(60_000)} * * * * ls`],
    ['tildes', `${'1~2,'.repeat(15_000)}1 * * * * ls`],
    ['percents', `* * * * * a${'\\%%'.repeat(20_000)}`],
    ['flags', `* * * * * ${'-n '.repeat(20_000)}`],
    ['quotes', `"${'a'.repeat(60_000)}`],
    ['zeros', `${'0'.repeat(60_000)} * * * * ls`],
  ])('a long line of %s takes no long time', (_, line) => {
    const from = performance.now()
    for (const form of ['user', 'system', 'auto'] as const) parseCrontab(`${line}\n${line}`, { form })
    expect(performance.now() - from).toBeLessThan(1000)
  })
})
