import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const own = (path: string): string => join(import.meta.dirname, path)

export default defineConfig({
  // Examples import the package by its name.
  resolve: {
    alias: [
      { find: /^carillon$/, replacement: own('src/index.ts') },
      { find: /^carillon\/testing$/, replacement: own('testing/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
    pool: 'forks',
    // A process for each file would load the same modules two hundred times. No test may leave anything behind.
    isolate: false,
    // Two cores are enough for two: the default leaves one to the others.
    maxWorkers: 2,
    // Of a machine whose cores have other work as well.
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
})
