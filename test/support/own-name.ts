/** For `node --import`: `carillon` and `carillon/testing` are the sources here, as they are in a user's project after an install. */

import { registerHooks } from 'node:module'

const OWN: Readonly<Record<string, string>> = {
  carillon: '../../src/index.ts',
  'carillon/testing': '../../testing/index.ts',
}

registerHooks({
  resolve(specifier, context, next) {
    const own = Object.hasOwn(OWN, specifier) ? OWN[specifier] : undefined
    return next(own === undefined ? specifier : new URL(own, import.meta.url).href, context)
  },
})
