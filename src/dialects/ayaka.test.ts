// The codec alone: total over any frame, and pure. What the frames mean to a server is in test/dialogues/.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { closeCause } from '../actors/connection/connection.facts.ts'
import { refusals } from '../actors/refusals.ts'
import { ayaka } from './ayaka.ts'
import { type Request, type Standing, TOLD_NOTHING } from './dialect.ts'

const anything = fc.jsonValue({ maxDepth: 3 })
const kind = fc.oneof(
  fc.constantFrom('HEARTBEAT', 'PRESENCE', 'DISPATCH', 'DISPATCH_TO', 'DISPATCH_TO_GUILD', 'NOTIFICATION'),
  anything,
)
const embed = fc.oneof(
  anything,
  fc.record(
    { name: anything, description: anything, banner_url: anything, top_text: anything, bottom_text: anything },
    { requiredKeys: [] },
  ),
)
const object = fc.record(
  {
    t: kind,
    s: anything,
    session_id: anything,
    encoding: fc.oneof(fc.constantFrom('json', 'zlib'), anything),
    presences: anything,
    type: fc.oneof(fc.nat(5), anything),
    description: fc.oneof(fc.string(), anything),
    emoji: fc.oneof(fc.integer(), anything),
    embed,
  },
  { requiredKeys: [] },
)
const text = fc.oneof(
  fc.oneof(object, anything).map((value) => JSON.stringify(value)),
  fc.string(),
  fc.constant(null),
)
const standing = fc.constantFrom<Standing>('connected', 'authenticating', 'ready')
const decode = (frame: unknown, at: Standing) => ayaka.decode({ text: JSON.stringify(frame) }, at, 'c1')

describe('the Ayaka codec', () => {
  it('reads any frame at all, and the same frame the same way', () => {
    fc.assert(
      fc.property(text, standing, (given, at) => {
        const decoded = ayaka.decode({ text: given }, at, 'c1')
        expect(['request', 'malformed', 'ignored']).toContain(decoded.is)
        expect(ayaka.decode({ text: given }, at, 'c1')).toEqual(decoded)
      }),
      { numRuns: 2_000 },
    )
  })

  it('lets nothing but an identify come first', () => {
    fc.assert(
      fc.property(text, (given) => {
        const decoded = ayaka.decode({ text: given }, 'connected', 'c1')
        if (decoded.is === 'request') expect(decoded.request.do).toBe('sign-in')
        else expect(decoded).toMatchObject({ is: 'malformed', after: { code: expect.any(Number) } })
      }),
    )
  })

  it('hands on a presence as others are shown it, with nothing that was not asked for', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 3, 4), fc.string({ maxLength: 200 }), object, (type, description, more) => {
        const decoded = decode({ ...more, t: 'PRESENCE', type, description, emoji: null, embed: null }, 'ready')
        const status = { ayaka: { type, description, emoji: null, embed: null } }
        expect(decoded).toEqual({ is: 'request', request: { do: 'status', status } })
      }),
    )
  })

  it('reads no presence that the prototype chain has', () => {
    const frame = '{"t":"PRESENCE","__proto__":{"type":1,"description":"x"}}'
    expect(ayaka.decode({ text: frame }, 'ready', 'c1')).toEqual({ is: 'ignored' })
  })

  it('echoes a heartbeat', () => {
    for (const [s, shown] of [
      ['7', '7'],
      [7, 7],
      [undefined, ''],
      [{ a: 1 }, ''],
    ]) {
      const json = { t: 'ACK', _s: 'c1', s: shown, d: null }
      expect(decode({ t: 'HEARTBEAT', s }, 'ready')).toEqual({
        is: 'request',
        request: { do: 'answer', frames: [{ json }] },
      })
    }
  })

  it('answers no refusal by a frame, and every end with a code of its own', () => {
    const request: Request = { do: 'status', status: {} }
    for (const code of Object.keys(refusals) as (keyof typeof refusals)[]) {
      const outcome = { ok: false, refusal: { code, state: '', guard: null, values: {}, at: null } } as const
      expect(ayaka.reply(request, outcome, null, TOLD_NOTHING)).toEqual([])
    }
    for (const cause of closeCause.options) {
      const { frames, code, reason } = ayaka.closing(cause, { code: null, reason: null })
      expect(frames).toEqual([])
      expect(code).toBeGreaterThanOrEqual(1000)
      expect(Buffer.byteLength(reason ?? '')).toBeLessThanOrEqual(123)
    }
    expect(ayaka.closing('slow-consumer', { code: 1011, reason: null }).reason).toBe('keepalive ping timeout')
  })
})
