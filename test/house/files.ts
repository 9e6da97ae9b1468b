/** What the house asks of single files: their length, no work left over, no test left out, no path of one machine. */

import { mask } from './source.ts'

export const LINES_MAX = 500

/** Words of work left over; put together so that this file doesn't have them. */
const LEFT_OVER = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`)

/** Absolute paths below someone's home or work folder; not the same names inside a relative path or an address. */
const MACHINE_PATH = /(?<![\w.~*@)}\]>/-])\/(?:work|root|home|Users)\/[\w.]|\b[A-Z]:\\Users\\/

const LEFT_OUT =
  /\b(?:test|it|describe|suite|bench)\s*(?:\.\s*\w+\s*)*\.\s*(?:skip|only|todo)\b|\bx(?:it|test|describe)\s*\(/

export function lengthViolations(path: string, text: string): string[] {
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
  return lines > LINES_MAX ? [`${path} has ${lines} lines: more than ${LINES_MAX}`] : []
}

export function leftOverViolations(path: string, text: string): string[] {
  return eachLine(path, text, LEFT_OVER)
}

export function machinePathViolations(path: string, text: string): string[] {
  return eachLine(path, text, MACHINE_PATH)
}

/** Tests that are skipped, alone or planned; by name alone, as a run that leaves some out must not pass for all. */
export function leftOutViolations(path: string, text: string): string[] {
  return eachLine(path, mask(text), LEFT_OUT)
}

function eachLine(path: string, text: string, pattern: RegExp): string[] {
  return text
    .split('\n')
    .map((line, i) => ({ match: pattern.exec(line), number: i + 1 }))
    .filter(({ match }) => match !== null)
    .map(({ match, number }) => `${path}:${number} has ${match![0].trim()}`)
}
