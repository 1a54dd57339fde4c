// A thousand worlds, longer than those of npm test, from seeds of their own.

import { it } from 'vitest'
import { playWorlds } from './laws.ts'

const SEEDS = 1_000

it(`keeps the laws from ${SEEDS} seeds`, { timeout: 1_500_000 }, async () => {
  await playWorlds({ first: 10_001, count: SEEDS, steps: 200, command: 'npm run test:long' })
})
