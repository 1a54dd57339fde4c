// hansard's own protocol over raw WebSocket: JSON commands with references, typed results, facts with revisions, and
// resuming where a client was. schema.ts has every frame; docs/protocols/native.md is printed from it.

import type { CloseCause } from '../../actors/connection/connection.facts.ts'
import { foldName } from '../../actors/names.ts'
import type { Done } from '../../actors/outcome.ts'
import { type RefusalCode, refusals } from '../../actors/refusals.ts'
import type { RoomFact } from '../../actors/room/room.facts.ts'
import type { CloseReason, Decoded, Dialect, FrameIn, FrameOut, Request, Standing, Told, Welcome } from '../dialect.ts'
import { isPlainObject, parseJson, textFaultOf } from '../json.ts'
import { closeCodes } from './close-codes.ts'
import { encode, messageOf, presentOf, roomOf } from './encode.ts'
import { type CommandFrame, commandFrame, type EventFrame, MAX_REF, MAX_TEXT } from './schema.ts'

const event = (frame: EventFrame): FrameOut => ({ json: frame })

type Ref = string | number | null
const refOf = (asked: Request): Ref => asked.tag ?? null

const refusedFrame = (
  ref: Ref,
  code: RefusalCode,
  values: Readonly<Record<string, string | number | boolean | null>>,
) => {
  const { title, retryable } = refusals[code]
  return event({ is: 'refused', ref, code, title, retryable, values: { ...values } })
}

const malformed = (path: string, ref: Ref): Decoded => ({
  is: 'malformed',
  path,
  reply: [refusedFrame(ref, 'malformed', { field: path })],
  // Frames that are no commands at all; a command with a wrong field is an everyday mistake.
  ...(path === 'frame' ? { after: 'strike' } : {}),
})

const decode = (incoming: FrameIn, standing: Standing): Decoded => {
  const given = 'text' in incoming ? parseJson(incoming.text) : undefined
  if (!isPlainObject(given)) return malformed('frame', null)
  const ref = looseRef(given.ref)
  const read = commandFrame.safeParse(given)
  if (!read.success) {
    const path = read.error.issues[0]?.path.join('.') ?? ''
    return malformed(path === '' ? fieldOf(read.error.issues[0]) : path.slice(0, 100), ref)
  }
  const asked = requestOf(read.data)
  if (asked.do === 'sign-in' && standing !== 'connected') {
    return { is: 'malformed', path: 'do', reply: [refusedFrame(ref, 'already-exists', { field: 'do' })] }
  }
  return { is: 'request', request: { ...asked, tag: ref } }
}

const looseRef = (given: unknown): Ref => {
  if (typeof given === 'string') return given.length <= MAX_REF ? given : null
  return Number.isSafeInteger(given) ? (given as number) : null
}

/** An issue of the whole object names what should not be there. */
const fieldOf = (issue: { readonly code: string; readonly keys?: readonly string[] } | undefined): string =>
  issue?.keys?.[0]?.slice(0, 100) ?? 'do'

const spoken = (given: string) => {
  const text = given.trim()
  const fault = textFaultOf(text, MAX_TEXT)
  return { text: fault ? '' : text, ...(fault ? { fault } : {}) }
}

const requestOf = (frame: CommandFrame): Request => {
  switch (frame.do) {
    case 'sign-in':
      return { do: 'sign-in', credential: frame.token === null ? null : { token: frame.token } }
    case 'join':
      return { do: 'join', room: frame.room, ...(frame.since ? { since: frame.since } : {}) }
    case 'leave':
      return { do: 'leave', room: frame.room }
    case 'post':
      return {
        do: 'post',
        room: frame.room,
        clientRef: frame.id ?? null,
        replyTo: frame.replyTo ?? null,
        kind: frame.kind ?? 'text',
        ...spoken(frame.text),
      }
    case 'edit':
      return { do: 'edit', room: frame.room, message: frame.message, ...spoken(frame.text) }
    case 'remove':
      return { do: 'remove', room: frame.room, message: frame.message, reason: frame.reason }
    case 'restore':
      return { do: 'restore', room: frame.room, message: frame.message }
    case 'typing':
      return { do: 'typing', room: frame.room, on: frame.on }
    case 'read':
      return { do: 'read', room: frame.room, message: frame.message }
    case 'history':
      return {
        do: 'history',
        room: frame.room,
        before: frame.before ?? null,
        after: frame.after ?? null,
        limit: frame.limit,
      }
    case 'mute':
      return {
        do: 'mute',
        room: frame.room,
        name: foldName(frame.user),
        seconds: frame.seconds,
        reason: frame.reason,
      }
    case 'unmute':
      return { do: 'unmute', room: frame.room, name: foldName(frame.user) }
    case 'ping':
      return { do: 'answer', frames: [event({ is: 'done', ref: frame.ref ?? null })] }
  }
}

const welcome = (
  asked: Request,
  { connection, epoch, user, rooms, history, missed, readUpTo }: Welcome,
): FrameOut[] => {
  const ref = refOf(asked)
  if (asked.do === 'sign-in') return [event({ is: 'signed-in', ref, epoch, connection, user })]
  return rooms.map(({ room, present, revision }) =>
    event({
      is: 'joined',
      ref,
      ...roomOf(room),
      revision,
      present: present.map(presentOf),
      readUpTo,
      resumed: missed !== null,
      tooFarBehind: asked.do === 'join' && asked.since !== undefined && missed === null,
      messages: history.map(messageOf),
    }),
  )
}

const done = (asked: Request, { facts, values }: Done, { room, history, more }: Told): FrameOut[] => {
  const ref = refOf(asked)
  if (asked.do === 'history' && room) {
    return [event({ is: 'history', ref, room: room.room, messages: history.map(messageOf), more })]
  }
  if (ref === null) return []
  if (asked.do !== 'post') return [event({ is: 'done', ref })]
  const posted = (facts as readonly RoomFact[]).find((fact) => fact.type === 'MessagePosted')
  const message = posted?.type === 'MessagePosted' ? posted.data.id : Number(values.messageId)
  return [event({ is: 'done', ref, message })]
}

const codes = Object.fromEntries(Object.entries(closeCodes).map(([cause, { code }]) => [cause, code]))

export const native: Dialect = {
  name: 'native',
  version: 1,
  profile: {
    limits: { authTimeoutMs: 30_000, afkMs: 0, typingMs: 6_000, badFrameStrikes: 10 },
    idleAfterMs: 5 * 60_000,
    history: 50,
    unknownToken: 'closes',
    rooms: 'asked-for',
    oneRoom: false,
    socketsPerAccount: 0,
    closeCodes: codes,
    lostCode: closeCodes.client.code,
    showsWholeMessages: false,
    tellsReads: true,
  },
  events: [],
  posts: 'post',
  path: '/native',
  greeting: [event({ is: 'hello', protocol: 1 })],
  decode,
  welcome: (asked, told) => welcome(asked, told),
  reply: (asked, outcome, _ack, told) =>
    outcome.ok
      ? done(asked, outcome, told)
      : [refusedFrame(refOf(asked), outcome.refusal.code, outcome.refusal.values)],
  encode,
  closing: (cause: CloseCause, told: CloseReason) => {
    const { code, reason, comeBackAfterMs } = closeCodes[cause]
    const words = told.reason ?? reason
    const frames = [event({ is: 'closing', code: told.code ?? code, reason: words, comeBackAfterMs })]
    return { frames, how: 'disconnect', code: told.code ?? code, reason: words }
  },
}
