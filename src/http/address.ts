/** The `http` option of a node: where its API listens, and with which token. */

import { isIP } from 'node:net'
import { invalid } from '../task/schema.ts'

export interface ApiAddress {
  readonly host: string
  readonly port: number
}

const ALLOWED = "host and port, like '127.0.0.1:7410', '[::1]:7410', or with port 0 for any that is free"

/** Throws INVALID. */
export function parseAddress(text: string, field: string): ApiAddress {
  const [, six, other, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text) ?? []
  const host = six ?? other
  const port = Number(digits)
  if (host === undefined || port > 65_535 || (six !== undefined && isIP(six) !== 6))
    throw invalid(field, text, ALLOWED)
  return { host, port }
}
