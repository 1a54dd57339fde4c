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
  fc.uint8Array({ maxLength: 200 }).map((bytes) => String(Buffer.from(bytes))),
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

/** A text that may be said, with nothing to trim, and a reference. */
const said = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 200 })
  .map((given) => given.trim())
  .filter((given) => given !== '' && !given.includes('\0') && !/^\/(un)?mute/i.test(given))
const reference = fc.string({ minLength: 1, maxLength: 100 })
const roomNumber = fc.integer({ min: 1, max: 2 ** 40 })
const messageId = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const json = fc.jsonValue({ maxDepth: 5 }).map((value) => JSON.parse(JSON.stringify(value)))
const given = {
  room: roomNumber,
  text: said,
  ref: reference,
  message: messageId,
  limit: fc.integer({ min: 1, max: 100 }),
}
type Given = { room: number; text: string; ref: string; message: number; limit: number; json: unknown }

/** dialect, how its client writes it (a frame, or an event and its arguments), and what is meant */
const commands: readonly (readonly [string, string, (given: Given) => unknown, (given: Given) => object])[] = [
  [
    'maint',
    'a message',
    ({ room, text, ref }) => ({ send: { room, text, nonce: ref } }),
    ({ room, text, ref }) => ({ do: 'post', room: `maint:${room}`, text, clientRef: ref }),
  ],
  [
    'maint',
    'typing',
    ({ room }) => ({ typing: { room } }),
    ({ room }) => ({ do: 'typing', room: `maint:${room}`, on: true }),
  ],
  [
    'maint',
    'history',
    ({ room, message, limit }) => ({ history: { room, before: message, limit } }),
    ({ room, message, limit }) => ({ do: 'history', room: `maint:${room}`, before: message, limit }),
  ],
  [
    'maint',
    'a ping of anything',
    ({ json }) => ({ ping: json }),
    ({ json }) => ({ do: 'answer', frames: [{ json: { t: 8, d: json } }] }),
  ],
  [
    'plic',
    'a message',
    ({ room, text, ref }) => ({ type: 'SendMessage', data: { room_id: room, message: text, message_temp_id: ref } }),
    ({ room, text, ref }) => ({ do: 'post', room: `plic:${room}`, text, clientRef: ref }),
  ],
  [
    'ayaka',
    'a heartbeat',
    ({ ref }) => ({ t: 'HEARTBEAT', s: ref }),
    ({ ref }) => ({ do: 'answer', frames: [{ json: { t: 'ACK', _s: 'c', s: ref, d: null } }] }),
  ],
  [
    'ayaka',
    'a presence',
    ({ text, message }) => ({ t: 'PRESENCE', type: 2, description: text, emoji: message }),
    ({ text, message }) => ({
      do: 'status',
      status: { ayaka: { type: 2, description: text, emoji: message, embed: null } },
    }),
  ],
  ['moneypot', 'a message', ({ text }) => ['new_message', text], ({ text }) => ({ do: 'post', room: null, text })],
  [
    'drivers',
    'a message',
    ({ room, text, ref, message, json }) => [
      'message_events',
      { topic_id: room, body: text, stamp_id: ref, reply_to: message, attrs: json, has_media: true },
    ],
    ({ room, text, ref, message, json }) => ({
      do: 'post',
      room: `drivers:${room}`,
      text,
      clientRef: ref,
      replyTo: message,
      extra: { drivers: { attrs: json, hasMedia: true } },
    }),
  ],
  [
    'drivers',
    'a visit',
    ({ room }) => ['join_topic', { topic_id: room }],
    ({ room }) => ({ do: 'join', room: `drivers:${room}` }),
  ],
  [
    'drivers',
    'typing',
    ({ room, message }) => ['typing_event', { topic_id: room, user_id: message }],
    ({ room }) => ({ do: 'typing', room: `drivers:${room}`, on: true }),
  ],
  [
    'native',
    'a message',
    ({ room, text, ref, message }) => ({ do: 'post', ref, room: `native:${room}`, text, id: ref, replyTo: message }),
    ({ room, text, ref, message }) => ({
      do: 'post',
      tag: ref,
      room: `native:${room}`,
      text,
      clientRef: ref,
      replyTo: message,
    }),
  ],
  [
    'native',
    'an edit',
    ({ ref, text, message }) => ({ do: 'edit', ref, room: ref, message, text }),
    ({ ref, text, message }) => ({ do: 'edit', tag: ref, room: ref, message, text }),
  ],
  [
    'native',
    'joining where it was',
    ({ ref, message }) => ({ do: 'join', ref: message, room: ref, since: { epoch: 'e', revision: message } }),
    ({ ref, message }) => ({ do: 'join', tag: message, room: ref, since: { epoch: 'e', revision: message } }),
  ],
  [
    'native',
    'history',
    ({ ref, message, limit }) => ({ do: 'history', ref, room: ref, after: message, limit }),
    ({ ref, message, limit }) => ({ do: 'history', tag: ref, room: ref, before: null, after: message, limit }),
  ],
  [
    'native',
    'a mute',
    ({ ref, limit }) => ({ do: 'mute', ref, room: ref, user: 'Bob', seconds: limit }),
    ({ ref, limit }) => ({ do: 'mute', tag: ref, room: ref, name: 'bob', seconds: limit, reason: null }),
  ],
]

describe('what a client says', () => {
  it.each(commands)('in %s comes out of its frame as it was: %s', (name, _what, written, meant) => {
    const dialect = dialects.find((each) => each.name === name)
    fc.assert(
      fc.property(fc.record({ ...given, json }), (values) => {
        // As the wire has it, and back.
        const read = JSON.parse(JSON.stringify(written(values)))
        const frame: FrameIn = Array.isArray(read)
          ? { event: read[0], args: read.slice(1), ack: null }
          : { text: JSON.stringify(read) }
        expect(dialect?.decode(frame, 'ready', 'c')).toMatchObject({ is: 'request', request: meant(values) })
      }),
      { numRuns: 300 },
    )
  })

  it.each(commands)(
    'in %s, with bytes of it changed, cut or repeated, is read without a throw: %s',
    (name, _what, written) => {
      const dialect = dialects.find((each) => each.name === name)
      const change = fc.record({ at: fc.nat(), bytes: fc.uint8Array({ maxLength: 8 }), drop: fc.nat(40) })
      fc.assert(
        fc.property(
          fc.record({ ...given, json }),
          fc.array(change, { maxLength: 3 }),
          standing,
          (values, changes, at) => {
            let wire = Buffer.from(JSON.stringify(written(values)))
            for (const { at: place, bytes, drop } of changes) {
              const from = place % (wire.length + 1)
              wire = Buffer.concat([wire.subarray(0, from), bytes, wire.subarray(from + drop)])
            }
            const decoded = dialect?.decode(frameOf(String(wire), dialect.path === null), at, 'c')
            expect(['request', 'malformed', 'ignored']).toContain(decoded?.is)
          },
        ),
        { numRuns: 300 },
      )
    },
  )
})

/** What is no list of an event and its arguments never comes to a codec of socket.io. */
const frameOf = (wire: string, isEvent: boolean): FrameIn => {
  if (!isEvent) return { text: wire }
  try {
    const [event, ...args] = JSON.parse(wire)
    return { event: String(event), args, ack: 1 }
  } catch {
    return { event: 'new_message', args: [wire], ack: 1 }
  }
}
