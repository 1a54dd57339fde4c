// No credential leaves the server in a recording, wherever somebody put it.

import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { sent, told } from '../src/recording/placeholders.ts'
import { Secrets } from '../src/recording/secrets.ts'
import type { Participant } from './dialogue-people.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { participants } from './participants.ts'
import { openRoom, runServer, type TestServer } from './running-server.ts'

/** as an operator may choose one */
const OWNERS = 'of.the.owner/any:form+it=has~0123'
const PUSH = 'APA91bHun4MxP5egoKMwt2KZFBaFUH'

let server: TestServer
const { people, io, ws } = participants(() => server.url)

beforeEach(async () => {
  server = await runServer({ adminToken: OWNERS })
})
afterEach(async () => {
  for (const participant of people.splice(0)) participant.leave()
  await server.stop()
})

const send = (participant: Participant, step: object) => participant.send({ who: '', dir: 'C>S', ...step })
const post = (path: string, body: unknown, authorization?: string) =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
    body: JSON.stringify(body),
  })

interface Person {
  readonly name: string
  readonly token: string
  readonly hash: string
  readonly jwt: string
  readonly expired: string
}

/** Somebody of whom the recording knows nothing yet, and a room that they are in. */
const person = async (name: string): Promise<Person> => {
  const { account, token } = await server.account(name)
  const { jwt = '', expired = '' } = await jsonWebTokens(account.id, Date.now())
  await openRoom(server, `native:${account.number}`, [{ account, role: 'owner' }])
  return { name, token, hash: server.identity.hashToken(token), jwt, expired }
}
const secretsOf = ({ token, hash, jwt, expired }: Person) => [token, hash, jwt, expired]

const signIn = async (token: string, room: string) => {
  const native = await ws('/native')
  send(native, { msg: { do: 'sign-in', ref: 1, token } })
  send(native, { msg: { do: 'join', ref: 2, room } })
  await native.until(() => JSON.stringify(native.frames).includes('joined'), 'the room')
  return native
}

const places: Record<string, (who: Person, room: string) => Promise<unknown>> = {
  'a sign-in that is malformed beside it': async ({ token, hash }) => {
    send(await ws('/native'), { msg: { do: 'sign-in', ref: { no: 1 }, token, more: [token] } })
    send(await io(), { ev: ['auth', { hashed_token: hash }], ack: '1' })
    send(await io(), { ev: ['auth', { app_id: 18, hashed_token: hash, token_hash: hash, token }] })
    send(await io(), { ev: ['signin_request', [token, hash]] })
    send(await ws('/ayaka'), { msg: { session_id: [token] } })
    send(await ws('/maint'), { msg: { fulfill: { bot: `Bot ${token}` } } })
  },
  'the field that is not read': async ({ hash }) => {
    send(await io(), { ev: ['auth', { app_id: 18, hashed_token: 'f'.repeat(64), token_hash: hash }], ack: '1' })
  },
  'text that is no JSON': async ({ token }) => {
    send(await ws('/native'), { text: `{"do":"sign-in","ref":1,"token":"${token}"` })
    const escaped = [...token].map((letter) => `\\u00${letter.charCodeAt(0).toString(16)}`).join('')
    send(await ws('/native'), { text: `{"do":"sign-in","ref":1,"token":"${escaped}"` })
    send(await ws('/maint'), { text: `Bot ${token}` })
  },
  'the name of a field': async ({ token, hash, jwt }) => {
    send(await ws('/native'), { msg: { do: 'sign-in', [token]: 1, ref: { [hash]: jwt } } })
  },
  'a message, before and after its bearer signs in': async (who, room) => {
    const { token } = who
    const words = [...secretsOf(who), token.toUpperCase(), `x${token}y`, `${token}${token}`, OWNERS, `x${OWNERS}y`]
    const stranger = await ws('/native')
    for (const word of words) send(stranger, { msg: { do: 'post', ref: 2, room, text: `it is ${word}.` } })
    await stranger.barrier()
    const native = await signIn(token, room)
    for (const word of words) send(native, { msg: { do: 'post', ref: 3, room, text: `it is ${word}.` } })
    await native.until(() => JSON.stringify(native.frames).split('"done"').length > words.length, 'the answers')
  },
  'another one, of what was said before the recording': async ({ token }, room) => {
    await signIn(token, room)
  },
  'an address': async ({ token, hash, jwt, expired }, room) => {
    await post(`/api/v1/rooms/${room}/messages?token=${token}`, { text: 'x' }, `Bearer ${token}`)
    await post(`/update_username?token=${token}`, { user_id: 2, username: 'anna' })
    await post(`/update_username?token=${encodeURIComponent(OWNERS)}`, { user_id: 2, username: 'annb' })
    const encoded = [...token].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')
    await post(`/update_username?%74oken=${encoded}`, { user_id: 2 })
    await post(`/api/v1/rooms/${token}/messages`, { text: 'x' }, `Bearer ${token}`)
    await post(`/api/v1/rooms/${hash}/messages?${jwt}`, { text: 'x' })
    for (const secret of [expired, hash]) await ws(`/plic?token=${secret}`).catch(() => {})
  },
  'the head and body of a request': async ({ token, hash, jwt }, room) => {
    const path = `/api/v1/rooms/${room}/messages`
    await post(path, { text: `it is ${token}` })
    await post(path, { text: hash, ref: token }, `Bearer ${jwt}`)
    await post(path, { text: 'x' }, `bearer ${token}`)
    await post(path, { text: 'x' }, `Basic ${token}`)
    await post('/v3/channels/12/messages/create', { content: jwt }, token)
  },
  'what a push service wants': async ({ name }) => {
    await post('/signup', { username: `${name}s`, phone_number: '998901234567', gcm_token: PUSH, device_type: 'x' })
    await post('/get_token', { phone_number: '998901234567', gcm_token: PUSH })
    send(await io(), { ev: ['signin_request', { token: '', gcm_token: PUSH }] })
  },
}

it('a recording holds no credential, whether it lets anybody in or not, wherever it was put', async () => {
  const persons = await Promise.all(Object.keys(places).map((_place, at) => person(`person${at}`)))
  const room = (at: number) => `native:${2 + at}`
  const earlier = Object.keys(places).findIndex((place) => place.startsWith('another one'))
  const { token, hash } = persons[earlier] as Person
  await post(`/api/v1/rooms/${room(earlier)}/messages`, { text: `${token} ${hash}` }, `Bearer ${token}`)
  const response = await fetch(`${server.url}/api/v1/recording`, { headers: { authorization: `Bearer ${OWNERS}` } })
  expect(response.status).toBe(200)
  for (const [at, act] of Object.values(places).entries()) {
    await act(persons[at] as Person, room(at))
    for (const participant of people) await participant.barrier()
  }
  for (const participant of people.splice(0)) participant.leave()
  await expect.poll(() => server.sessions.size).toBe(0)
  // A server that stops ends a recording with all that was heard.
  const [text] = await Promise.all([response.text(), server.stop()])

  for (const [at, place] of Object.keys(places).entries()) {
    for (const secret of [...secretsOf(persons[at] as Person), OWNERS]) {
      for (const shown of [secret, secret.slice(1, -1), encodeURIComponent(secret)])
        expect(text.toLowerCase(), place).not.toContain(shown.toLowerCase())
    }
  }
  for (const shown of [PUSH, '998901234567', '\\\\u00', 'a line is missing']) expect(text).not.toContain(shown)
  // They were there.
  for (const at of [0, 4, 6, 7]) expect(text).toContain(`person${at}.token}`)
  for (const shown of ['person1.hash', 'owner.token}', 'person7.hash', '"as":"person7"']) expect(text).toContain(shown)
})

it('whatever a value is made of, no credential is in what is shown of it', async () => {
  const who = await person('ann')
  const known = () => {
    const secrets = new Secrets(server.identity, OWNERS, () => {})
    return { secrets, ids: new Map(), messages: new Map(), people: new Map() }
  }
  const all = [...secretsOf(who), OWNERS]
  const secret = fc.constantFrom(...all)
  const text = fc
    .array(fc.oneof(secret, fc.string({ maxLength: 4 }), fc.constantFrom(' ', '.', '-', 'a', '$', '${')), {
      maxLength: 5,
    })
    .map((parts) => parts.join(''))
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      text,
      fc.integer(),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(text, fc.constantFrom('token', 'text', 'users')), tie('value'), { maxKeys: 3 }),
    ),
  }))
  await fc.assert(
    fc.asyncProperty(value, secret, async (given, credential) => {
      const about = known()
      await about.secrets.learn(given)
      for (const shown of [sent(given, { ...about, credential }), told(given, about)]) {
        const left = JSON.stringify(about.secrets.swept({ shown }))
        for (const one of all) expect(left).not.toContain(one)
      }
    }),
    { numRuns: 300 },
  )
})
