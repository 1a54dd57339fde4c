// 200 worlds, each from its seed. A failing one is named, and can be played alone.

import { describe, expect, it } from 'vitest'
import { playWorlds } from './laws.ts'

const SEEDS = 200

describe('a simulated world', () => {
  it(`keeps the laws through crashes, lost acknowledgements and read models that are away, from ${SEEDS} seeds`, {
    timeout: 240_000,
  }, async () => {
    const { deaths, losses, unanswered, shut, worlds } = await playWorlds({
      first: 1,
      count: SEEDS,
      steps: 80,
      command: 'npm test',
    })
    // A simulation without trouble would prove nothing.
    expect(deaths).toBeGreaterThan(worlds / 2)
    expect(losses).toBeGreaterThan(worlds / 2)
    expect(shut).toBeGreaterThan(worlds / 2)
    expect(unanswered).toBeGreaterThan(worlds / 2)
  })
})
