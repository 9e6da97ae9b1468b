import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tableLines } from '../../src/cli/table.ts'
import { cut, pad, printable, widthOf } from '../../src/cli/text-width.ts'

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom(
    '👨‍👩‍👧‍👦'.repeat(9),
    '漢字かな',
    'e\u0301'.repeat(30),
    '🇫🇷🇫🇷',
    '\x1b[31mred\x1b[0m',
    'a\tb\r\n',
    '\ud800',
  ),
)

/** Judged without the code's own list: a terminal acts on control characters, and some turn the line. */
const isUnsafe = (char: string): boolean => /\p{Cc}|\p{Zl}|\p{Zp}|\p{Bidi_Control}/u.test(char)

describe('a text', () => {
  test('is printable whatever it was, and stays so', () => {
    fc.assert(
      fc.property(text, given => {
        const shown = printable(given)
        expect([...shown].some(isUnsafe)).toBe(false)
        expect(shown.isWellFormed()).toBe(true)
        expect(printable(shown)).toBe(shown)
      }),
    )
    expect(printable('a\n\x1b[31m\u202e')).toBe('a\\n\\u001b[31m\\u202e')
    expect(printable('日本 🙂')).toBe('日本 🙂')
  })

  test('is cut to a width by whole graphemes, and padded to it', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 0, max: 70 }), (given, width) => {
        const shown = printable(given)
        const short = cut(shown, width)
        expect(widthOf(short)).toBeLessThanOrEqual(width)
        if (widthOf(shown) <= width) expect(short).toBe(shown)
        else if (width > 0) expect(short.endsWith('…') && shown.startsWith(short.slice(0, -1))).toBe(true)
        expect(widthOf(pad(short, width))).toBe(width)
      }),
    )
    expect(cut('👨‍👩‍👧‍👦👨‍👩‍👧‍👦', 3)).toBe('👨‍👩‍👧‍👦…')
  })
})

describe('a table', () => {
  const columns = fc
    .array(
      fc.record({
        title: fc.constantFrom('ID', 'NAME', 'STATE', '漢'),
        right: fc.boolean(),
        yields: fc.integer({ min: 0, max: 3 }),
        least: fc.integer({ min: 1, max: 12 }),
      }),
      { minLength: 1, maxLength: 6 },
    )
    .chain(list =>
      fc.record({
        list: fc.constant(list),
        rows: fc.array(fc.array(text, { minLength: list.length, maxLength: list.length }), { maxLength: 5 }),
      }),
    )

  test('is never wider than its terminal, a line for each row', () => {
    fc.assert(
      fc.property(columns, fc.integer({ min: 20, max: 150 }), ({ list, rows }, width) => {
        const lines = tableLines(list, rows, width)
        expect(lines).toHaveLength(rows.length + 1)
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width)
      }),
    )
  })

  test('cuts nothing without a terminal, nor where there is room', () => {
    fc.assert(
      fc.property(columns, ({ list, rows }) => {
        const whole = tableLines(list, rows, undefined)
        rows.forEach((row, r) => {
          for (const cell of row) expect(whole[r + 1]).toContain(printable(cell).trimEnd())
        })
        expect(tableLines(list, rows, Math.max(...whole.map(widthOf)) + 20 * list.length)).toEqual(whole)
      }),
    )
  })

  test('cuts first what yields first', () => {
    const list = [{ title: 'ID' }, { title: 'NAME', yields: 1 }, { title: 'TEXT', yields: 2, least: 4 }]
    const row = ['an-id-of-20-letters.', 'a-name-of-20-letters', 'a-text-of-20-letters']
    expect(tableLines(list, [row], 60)[1]).toBe(
      'an-id-of-20-letters.  a-name-of-20-letters  a-text-of-20-le…',
    )
    expect(tableLines(list, [row], 40)[1]).toBe('an-id-of-20-letters.  a-name-of-2…  a-t…')
    expect(tableLines(list, [row], 30)[1]).toBe('an-id-of-20-l…  a-name-…  a-t…')
  })
})
