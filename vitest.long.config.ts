import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { include: ['src/**/*.long.test.ts', 'test/**/*.long.test.ts'], pool: 'forks', testTimeout: 1_200_000 },
})
