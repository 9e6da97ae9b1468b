import { expect, test } from 'vitest'
import { importsOf, mask } from './source.ts'

const blanked = (text: string) => mask(text).replace(/ +/g, ' ')

test('masks comments and keeps lines', () => {
  expect(blanked('a // b\n/* c\n d */ e')).toBe('a \n \n e')
})

test('masks strings, also with quotes and slashes inside', () => {
  expect(blanked(String.raw`f('a\'b // c', "d'e") // g`)).toBe(`f(' ', " ") `)
})

test('masks the text of templates, and keeps their expressions', () => {
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: it is source text
  expect(blanked('`a ${ b + `c ${d({ e: 1 })}` } f` + g')).toBe('` ${ b + ` ${d({ e: 1 })}` } ` + g')
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: it is source text
})

test('tells a regular expression from a division', () => {
  expect(blanked(`a = /['"/]/g.test(b)`)).toBe('a = / /g.test(b)')
  expect(blanked(`a / b / 'c'`)).toBe(`a / b / ' '`)
  expect(blanked(`return /[/'] x/`)).toBe('return / /')
  expect(blanked(`f(a) / 2 // '`)).toBe('f(a) / 2 ')
  expect(blanked(`i++ / 2; '/'`)).toBe(`i++ / 2; ' '`)
})

test('keeps every offset', () => {
  const text = `const a = 'b' // c\nimport x from "y"`
  expect(mask(text)).toHaveLength(text.length)
  expect(mask(text).indexOf('import')).toBe(text.indexOf('import'))
})

test('finds every way to import', () => {
  const text = `
    import a, { type b } from './a.ts'
    import type { c } from "./c.ts"
    import './effect.ts'
    export * from './star.ts'
    export type { d } from './d.ts'
    export {
      e, // from './not.ts'
    } from './e.ts'
    const f = await import('./f.ts')
    let g: import('./g.ts').G
    const h = require('./h.ts')
    const no = [Array.from('abc'), "import './not.ts'"]
  `
  expect(importsOf(text)).toEqual([
    { specifier: './a.ts', typeOnly: false },
    { specifier: './c.ts', typeOnly: true },
    { specifier: './effect.ts', typeOnly: false },
    { specifier: './star.ts', typeOnly: false },
    { specifier: './d.ts', typeOnly: true },
    { specifier: './e.ts', typeOnly: false },
    { specifier: './f.ts', typeOnly: false },
    { specifier: './g.ts', typeOnly: false },
    { specifier: './h.ts', typeOnly: false },
  ])
})
