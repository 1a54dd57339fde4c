// What holds for every codec, whatever its protocol.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Decoded, FrameIn, Standing } from './dialect.ts'
import { dialects } from './dialects.ts'

const standing = fc.constantFrom<Standing>('connected', 'authenticating', 'ready')
/** Keys and values that clients of these protocols send, so that what is random gets past the first check. */
const key = fc.constantFrom(
  ...[
    't',
    'd',
    'do',
    'ref',
    'room',
    'text',
    'type',
    'data',
    'room_id',
    'message',
    'message_temp_id',
    'topic_id',
    'body',
  ],
  ...[
    'stamp_id',
    'fulfill',
    'send',
    'nonce',
    'history',
    'ping',
    'session_id',
    'encoding',
    'presences',
    'app_id',
    'token',
  ],
  ...[
    'hashed_token',
    'since',
    'epoch',
    'revision',
    'limit',
    'before',
    'description',
    'embed',
    '__proto__',
    'constructor',
  ],
)
const word = fc.constantFrom(
  ...[
    'post',
    'join',
    'sign-in',
    'SendMessage',
    'HEARTBEAT',
    'PRESENCE',
    'DISPATCH',
    'zlib',
    'json',
    'Bot x',
    'native:1',
  ],
)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.jsonValue(),
    word,
    fc.constantFrom(null, undefined, Number.POSITIVE_INFINITY, -0, 2 ** 53, Number.NaN, '\0', '\ud800'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 6 }),
  ),
}))
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  value.map((given) => JSON.stringify(given) ?? ''),
  fc.json(),
)
const webSocket = fc.oneof(
  fc.record({ text }),
  fc.record({ text: fc.constant(null) }),
  fc.record({
    query: fc.dictionary(fc.constantFrom('token', 'x'), fc.string()).map((pairs) => new URLSearchParams(pairs)),
  }),
)
const socketIo = (events: readonly string[]) =>
  fc.record({
    event: fc.constantFrom(...events),
    args: fc.array(value, { maxLength: 4 }),
    ack: fc.option(fc.nat()),
  })

describe.each(dialects.map((dialect) => [dialect.name, dialect] as const))('%s', (_name, dialect) => {
  const frame: fc.Arbitrary<FrameIn> = dialect.path === null ? socketIo(dialect.events) : webSocket

  it('reads anything without a throw, and says what to do with it', () => {
    fc.assert(
      fc.property(frame, standing, (given, at) => {
        const decoded: Decoded = dialect.decode(given, at, 'c')
        expect(['request', 'malformed', 'ignored']).toContain(decoded.is)
      }),
      { numRuns: 2_000 },
    )
  })

  it('answers a malformed frame with frames that are JSON', () => {
    fc.assert(
      fc.property(frame, standing, (given, at) => {
        const decoded = dialect.decode(given, at, 'c')
        if (decoded.is !== 'malformed') return
        expect(JSON.parse(JSON.stringify(decoded.reply))).toEqual(decoded.reply)
      }),
      { numRuns: 1_000 },
    )
  })
})

/** A text that may be said, with nothing to trim, and a reference; and how each protocol's client sends them. */
const said = fc
  .string({ minLength: 1, maxLength: 200 })
  .map((given) => given.trim())
  .filter((given) => given !== '' && !given.includes('\0'))
const reference = fc.string({ minLength: 1, maxLength: 100 }).filter((given) => !given.includes('\0'))
const roomNumber = fc.integer({ min: 1, max: 2 ** 40 })

describe('what a client says', () => {
  it.each([
    ['maint', (room: number, text: string, nonce: string) => ({ send: { room, text, nonce } })],
    [
      'plic',
      (room_id: number, message: string, message_temp_id: string) => ({
        type: 'SendMessage',
        data: { room_id, message, message_temp_id },
      }),
    ],
    ['native', (room: number, text: string, id: string) => ({ do: 'post', room: `native:${room}`, text, id })],
  ])('in %s comes out of its frame as it was', (name, frameOf) => {
    const dialect = dialects.find((each) => each.name === name)
    fc.assert(
      fc.property(roomNumber, said, reference, (room, text, ref) => {
        const decoded = dialect?.decode({ text: JSON.stringify(frameOf(room, text, ref)) }, 'ready', 'c')
        expect(decoded).toMatchObject({
          is: 'request',
          request: { do: 'post', room: `${name}:${room}`, text, clientRef: ref },
        })
      }),
      { numRuns: 500 },
    )
  })
})
