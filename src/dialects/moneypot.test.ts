// The codec alone: total over any frame, and pure. What the frames mean to a server is in test/dialogues/.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { refusals } from '../actors/refusals.ts'
import { type EventIn, type Request, type Standing, TOLD_NOTHING } from './dialect.ts'
import { moneypot } from './moneypot.ts'

const anything = fc.anything({
  withNullPrototype: true,
  withBigInt: true,
  withDate: true,
  withMap: true,
  withTypedArray: true,
})
const frame: fc.Arbitrary<EventIn> = fc.record({
  event: fc.oneof(fc.constantFrom('auth', 'new_message'), fc.string()),
  args: fc.array(fc.oneof(anything, fc.record({ app_id: anything, hashed_token: anything, token_hash: anything })), {
    maxLength: 3,
  }),
  ack: fc.option(fc.nat()),
})
const standing = fc.constantFrom<Standing>('connected', 'authenticating', 'ready')

describe('the Moneypot codec', () => {
  it('reads any frame at all, and the same frame the same way', () => {
    fc.assert(
      fc.property(frame, standing, (given, at) => {
        const decoded = moneypot.decode(given, at)
        expect(['request', 'malformed', 'ignored']).toContain(decoded.is)
        expect(moneypot.decode(given, at)).toEqual(decoded)
      }),
      { numRuns: 2_000 },
    )
  })

  it('says on record what of an auth it could not read', () => {
    const pathOf = (args: unknown[], ack: number | null = 1) => {
      const decoded = moneypot.decode({ event: 'auth', args, ack }, 'connected')
      return decoded.is === 'malformed' ? decoded.path : null
    }
    expect(pathOf([])).toBe('auth')
    expect(pathOf([{}])).toBe('auth.app_id')
    expect(pathOf([{ app_id: 1 }], null)).toBe('auth.callback')
    expect(pathOf([{ app_id: 1 }])).toBeNull()
  })

  it('hands on a text as it is, trimmed, whenever it is one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 340 }), (text) => {
        const decoded = moneypot.decode({ event: 'new_message', args: [text], ack: 1 }, 'ready')
        const trimmed = text.trim()
        if (trimmed === '' || trimmed.includes('\0') || /^\/(un)?mute/i.test(trimmed)) return
        expect(decoded).toEqual({ is: 'request', request: { do: 'post', room: null, text: trimmed, clientRef: null } })
      }),
    )
  })

  it('has an answer for every refusal there is, and calls back only a callback that was given', () => {
    const requests: Request[] = [
      { do: 'enter', room: 'moneypot:1', credential: null },
      { do: 'post', room: null, text: 'x', clientRef: null },
      { do: 'mute', room: null, name: 'bob', seconds: 60 },
      { do: 'unmute', room: null, name: 'bob' },
    ]
    for (const code of Object.keys(refusals) as (keyof typeof refusals)[]) {
      const outcome = { ok: false, refusal: { code, state: '', guard: null, values: {}, at: null } } as const
      for (const request of requests) {
        expect(moneypot.reply(request, outcome, 7, TOLD_NOTHING).length).toBeGreaterThan(0)
        expect(moneypot.reply(request, outcome, null, TOLD_NOTHING).filter((told) => 'ack' in told)).toEqual([])
      }
    }
  })
})
