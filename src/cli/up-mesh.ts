/** What flags and environment say of the mesh. */

import type { CreateNodeOptions, Handlers } from '../api/types.ts'
import { wrongUse } from './cli-error.ts'
import { numberOf } from './words.ts'

export interface MeshValues {
  readonly listen?: string
  readonly join?: readonly string[]
  readonly advertise?: string
  readonly mesh?: string
  readonly expect?: string
  readonly zone?: string
}

const LISTEN = '0.0.0.0:7400'
const NODES_MAX = 1000

/** Whose mesh. The secret comes by the environment: the command line is for everybody to see. */
export function accessOf(
  name: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): { readonly name?: string; readonly secret?: string } {
  const secret = env.CARILLON_SECRET || undefined
  return { ...(name === undefined ? {} : { name }), ...(secret === undefined ? {} : { secret }) }
}

/** Nothing for a node that is alone. */
export function meshOptions(
  values: MeshValues,
  env: Readonly<Record<string, string | undefined>>,
): Pick<CreateNodeOptions<Handlers>, 'listen' | 'join' | 'advertise' | 'mesh'> {
  const { listen, join, advertise, mesh: name, expect, zone } = values
  if (listen === undefined && join === undefined) {
    for (const flag of ['advertise', 'mesh', 'expect', 'zone'] as const)
      if (values[flag] !== undefined)
        throw wrongUse(`--${flag} is given without --listen or --join: give one`)
    return {}
  }
  return {
    listen: listen ?? LISTEN,
    ...(join === undefined ? {} : { join }),
    ...(advertise === undefined ? {} : { advertise }),
    mesh: {
      ...accessOf(name, env),
      ...(expect === undefined ? {} : { expect: numberOf(expect, '--expect', 1, NODES_MAX) }),
      ...(zone === undefined ? {} : { zone }),
    },
  }
}
