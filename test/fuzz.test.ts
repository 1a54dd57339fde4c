import { describe, it } from 'vitest'
import { fuzz, fuzzed } from './fuzz.ts'

const FRAMES = 2_000
const seed = Number(process.env.HANSARD_TEST_SEED ?? 4)

describe.each(fuzzed)('$dialect', (subject) => {
  it(`survives ${FRAMES} random and mutated frames (seed ${seed})`, { timeout: 60_000 }, () =>
    fuzz(subject, FRAMES, seed),
  )
})
