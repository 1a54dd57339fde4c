// A thousand worlds, longer than those of npm test, from seeds of their own.

import { expect, it } from 'vitest'
import { brokenLaws } from './laws.ts'
import { World } from './simulation.ts'

const SEEDS = 1_000
const FIRST = 10_001

it(`keeps the laws from ${SEEDS} seeds`, { timeout: 1_500_000 }, async () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const world = new World(seed)
    await world.run(200)
    expect(await brokenLaws(world), `seed ${seed}: play it alone with HANSARD_TEST_SEED=${seed}`).toEqual([])
    world.end()
  }
})
