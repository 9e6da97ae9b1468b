import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadHandlers, SYSTEM_LOAD } from '../../src/cli/handlers-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'carillon-handlers-'))
afterAll(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'handlers.ts')
writeFileSync(path, '')

const load = (module: Record<string, unknown>) =>
  loadHandlers(path, { ...SYSTEM_LOAD, load: async () => module })
const names = async (module: Record<string, unknown>) => Object.keys((await load(module)).handlers).sort()
const fn = () => 1

describe('a handlers file', () => {
  test('has its functions as handlers, or those of a default or `handlers` object', async () => {
    expect(await names({ one: fn, two: fn, three: 3 })).toEqual(['one', 'two'])
    expect(await names({ default: { 'email.send': fn }, sendEmail: fn })).toEqual(['email.send'])
    expect(await names({ handlers: { a: fn }, default: { b: fn } })).toEqual(['a', 'b'])
    // As import() gives a CommonJS module.
    expect(await names({ default: { c: fn }, c: fn, 'module.exports': { c: fn } })).toEqual(['c'])
  })

  test('may have tasks', async () => {
    expect((await load({ a: fn, tasks: [{ id: 'x', name: 'a' }] })).tasks).toEqual([{ id: 'x', name: 'a' }])
    await expect(load({ a: fn, tasks: 5 })).rejects.toThrow('exports tasks that are no array')
  })

  test('without a function is refused, with what it should have', async () => {
    await expect(load({ default: 5 })).rejects.toThrow(
      /exports no function: a handlers file has `export function/,
    )
  })

  test('in TypeScript needs a Node that strips types', async () => {
    await expect(
      loadHandlers(path, { load: async () => ({ a: fn }), stripsTypes: false, nodeVersion: 'v22.12.0' }),
    ).rejects.toThrow(
      `${path} is TypeScript, and this Node (v22.12.0) can't strip types: use Node 22.18 or newer, set NODE_OPTIONS=--experimental-strip-types, or compile it to JavaScript`,
    )
  })
})
