// The codec alone: total over any frame, and pure. What the frames mean to a server is in test/dialogues/.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { refusals } from '../actors/refusals.ts'
import { type EventIn, type Request, type Standing, TOLD_NOTHING } from './dialect.ts'
import { drivers } from './drivers.ts'

const anything = fc.anything({
  withNullPrototype: true,
  withBigInt: true,
  withDate: true,
  withMap: true,
  withTypedArray: true,
})
const topic = fc.oneof(
  fc.nat(),
  fc.nat().map(String),
  fc.constantFrom<unknown>(-1, 1.5, '1.5', '', null, Number.MAX_SAFE_INTEGER, '9'.repeat(15), [], {}),
  anything,
)
const fields = fc.record(
  {
    token: anything,
    topic_id: topic,
    body: anything,
    stamp_id: anything,
    reply_to: topic,
    attrs: anything,
    has_media: anything,
    user_id: topic,
    username: anything,
  },
  { requiredKeys: [] },
)
const frame: fc.Arbitrary<EventIn> = fc.record({
  event: fc.oneof(fc.constantFrom(...drivers.events), fc.string()),
  args: fc.array(fc.oneof(anything, fields), { maxLength: 3 }),
  ack: fc.option(fc.nat()),
})
const standing = fc.constantFrom<Standing>('connected', 'authenticating', 'ready')

const send = (payload: unknown) => drivers.decode({ event: 'message_events', args: [payload], ack: null }, 'ready')

describe('the drivers.uz codec', () => {
  it('reads any frame at all, and the same frame the same way', () => {
    fc.assert(
      fc.property(frame, standing, (given, at) => {
        const decoded = drivers.decode(given, at)
        expect(['request', 'malformed', 'ignored']).toContain(decoded.is)
        expect(drivers.decode(given, at)).toEqual(decoded)
      }),
      { numRuns: 2_000 },
    )
    expect(drivers.decode({ text: '{}' }, 'ready')).toEqual({ is: 'ignored' })
  })

  it('ends the connection of whoever speaks before it has signed in, on the event it spoke', () => {
    fc.assert(
      fc.property(fc.constantFrom(...drivers.events), fc.array(fields, { maxLength: 2 }), (event, args) => {
        if (event === 'signin_request') return
        expect(drivers.decode({ event, args, ack: 1 }, 'connected')).toEqual({
          is: 'malformed',
          path: event,
          reply: [{ event, args: [{ status: 'fail', data: 'not-authenticated' }] }],
          after: { code: null, reason: null },
        })
      }),
    )
  })

  it('hands on a text trimmed, and an object as its compact JSON, whenever it is one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 5_000 }), (body) => {
        const decoded = send({ topic_id: 49, body, stamp_id: 's' })
        const text = body.trim()
        if (text === '' || text.includes('\0')) return
        const extra = { drivers: { attrs: null, hasMedia: false } }
        const request = { do: 'post', room: 'drivers:49', text, clientRef: 's', replyTo: null, extra }
        expect(decoded).toEqual({ is: 'request', request })
      }),
    )
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (body) => {
        const decoded = send({ topic_id: '49', body })
        expect(decoded).toMatchObject({ request: { text: JSON.stringify(body) } })
      }),
    )
  })

  it('overflows on nothing nested beyond sense', () => {
    const deep = JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`)
    expect(send({ topic_id: 1, body: deep })).toMatchObject({ is: 'malformed', path: 'message_events.body' })
    expect(send({ topic_id: 1, body: 'x', attrs: deep })).toMatchObject({
      is: 'malformed',
      path: 'message_events.attrs',
    })
  })

  it('has an answer for every refusal there is but that of typing, and never calls back', () => {
    const requests: Request[] = [
      { do: 'sign-in', credential: { token: 'x' } },
      { do: 'post', room: 'drivers:1', text: 'x', clientRef: null },
      { do: 'join', room: 'drivers:1' },
      { do: 'leave', room: 'drivers:1' },
    ]
    for (const code of Object.keys(refusals) as (keyof typeof refusals)[]) {
      const outcome = { ok: false, refusal: { code, state: '', guard: null, values: {}, at: null } } as const
      for (const request of requests) {
        const told = drivers.reply(request, outcome, 7, TOLD_NOTHING)
        expect(told).toHaveLength(1)
        expect(told.filter((frame) => 'ack' in frame)).toEqual([])
      }
      expect(drivers.reply({ do: 'typing', room: 'drivers:1', on: true }, outcome, 7, TOLD_NOTHING)).toEqual([])
    }
  })
})
