// 200 worlds, each from its seed. A failing one is named: HANSARD_TEST_SEED=<n> plays it alone.

import { describe, expect, it } from 'vitest'
import { brokenLaws } from './laws.ts'
import { World } from './simulation.ts'

const chosen = process.env.HANSARD_TEST_SEED
const seeds = chosen === undefined ? Array.from({ length: 200 }, (_, index) => index + 1) : [Number(chosen)]

describe('a simulated world', () => {
  it(`keeps the laws through crashes and lost acknowledgements, from ${seeds.length} seeds`, {
    timeout: 240_000,
  }, async () => {
    let deaths = 0
    let losses = 0
    for (const seed of seeds) {
      const world = new World(seed)
      await world.run(80)
      const broken = await brokenLaws(world)
      expect(broken, `seed ${seed}: play it alone with HANSARD_TEST_SEED=${seed}`).toEqual([])
      world.end()
      deaths += world.deaths
      losses += world.losses
    }
    // A simulation without trouble would prove nothing.
    if (chosen === undefined) {
      expect(deaths).toBeGreaterThan(seeds.length)
      expect(losses).toBeGreaterThan(seeds.length)
    }
  })
})
