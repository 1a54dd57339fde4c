import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/*.long.test.ts', 'node_modules/**'],
    pool: 'forks',
    // Most files wait for a disk, a socket or another process, not for a core.
    maxWorkers: Math.max(3, availableParallelism()),
    testTimeout: 20_000,
  },
})
