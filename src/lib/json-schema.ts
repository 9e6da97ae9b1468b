/**
 * JSON Schema as this house writes and checks it, and the one door to typebox. Of that only the checker is loaded: its
 * types are a builder of three times the size, which every process would pay for in memory and at its start.
 */

import { Compile, type Validator } from 'typebox/schema'

declare const VALUE: unique symbol
const OPTIONAL: unique symbol = Symbol('optional')

/** `T`: what it lets pass. */
export interface Schema<T = unknown> {
  readonly [VALUE]: T
}

export interface OptionalSchema<T = unknown> extends Schema<T> {
  readonly [OPTIONAL]: true
}

export type Static<S> = S extends Schema<infer T> ? T : never

type Properties = Readonly<Record<string, Schema>>
type OptionalKeys<P> = { [K in keyof P]: P[K] extends OptionalSchema ? K : never }[keyof P]
type ObjectOf<P> = {
  [K in Exclude<keyof P, OptionalKeys<P>>]: Static<P[K]>
} & {
  [K in OptionalKeys<P>]?: Static<P[K]>
}
/** One type, as an editor shows it. */
type Flat<T> = { [K in keyof T]: T[K] }

/** What JSON Schema has beside the type: descriptions and limits. */
export interface Keywords {
  readonly description?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly pattern?: string
  readonly additionalProperties?: boolean
}

export const Type = {
  Unknown: (): Schema<unknown> => plain({}),
  Null: (): Schema<null> => plain({ type: 'null' }),
  Boolean: (keywords?: Keywords): Schema<boolean> => plain({ type: 'boolean', ...keywords }),
  Number: (keywords?: Keywords): Schema<number> => plain({ type: 'number', ...keywords }),
  Integer: (keywords?: Keywords): Schema<number> => plain({ type: 'integer', ...keywords }),
  String: (keywords?: Keywords): Schema<string> => plain({ type: 'string', ...keywords }),
  /** One of some texts. */
  Enum: <const V extends string>(values: readonly V[], keywords?: Keywords): Schema<V> =>
    plain({ type: 'string', enum: [...values], ...keywords }),
  /** Any object, whatever it has. */
  Any: <T extends object>(keywords?: Keywords): Schema<T> => plain({ type: 'object', ...keywords }),
  Array: <T>(items: Schema<T>, keywords?: Keywords): Schema<T[]> =>
    plain({ type: 'array', items, ...keywords }),
  Union: <S extends readonly Schema[]>(
    anyOf: readonly [...S],
    keywords?: Keywords,
  ): Schema<Static<S[number]>> => plain({ anyOf, ...keywords }),
  Optional: <T>(schema: Schema<T>): OptionalSchema<T> => ({ ...schema, [OPTIONAL]: true }),
  Object: <P extends Properties>(properties: P, keywords?: Keywords): Schema<Flat<ObjectOf<P>>> => {
    const required = Object.keys(properties).filter(key => !(OPTIONAL in (properties[key] as object)))
    return plain({ type: 'object', required, properties, ...keywords })
  },
}

function plain<T>(schema: object): Schema<T> {
  return schema as Schema<T>
}

export interface Complaint {
  readonly keyword: string
  /** A JSON pointer to the value. */
  readonly instancePath: string
  readonly params: object
}

export interface Checker {
  check(value: unknown): boolean
  /** Empty for what passes. */
  complaints(value: unknown): readonly Complaint[]
}

export function compile(schema: Schema): Checker {
  let compiled: Validator | undefined
  const once = (): Validator => {
    compiled ??= Compile(schema as object)
    return compiled
  }
  return { check: value => once().Check(value), complaints: value => once().Errors(value)[1] }
}
