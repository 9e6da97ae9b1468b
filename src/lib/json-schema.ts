/** JSON Schema as this house writes and checks it: the one door to typebox. */

export { default as Type, type Static, type TSchema } from 'typebox'
export { Compile } from 'typebox/compile'
