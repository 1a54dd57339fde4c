// Whoever belongs to a room no more hears nothing of it, reads nothing and writes nothing there, on the sockets that are
// open: taken out, put out or banned, of the room or of the space it is in, and whatever the log did meanwhile.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Client, connect, type Room } from '../src/client/client.ts'
import { LogUnavailable } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { asking } from './asking.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

/** A log of which one stream cannot be read while `away` is it; `met` is told of each try. */
class TroubledLog extends MemoryLog {
  away = ''
  met = () => {}

  override readStream(...[stream, options]: Parameters<MemoryLog['readStream']>): ReturnType<MemoryLog['readStream']> {
    if (stream !== this.away) return super.readStream(stream, options)
    this.met()
    throw new LogUnavailable('away', 'no')
  }
}

const clock = new VirtualClock()
const log = new TroubledLog()
let server: TestServer
let ann: Awaited<ReturnType<TestServer['account']>>
let client: Client
let space: string
let made = 0

const ask = async (method: string, path: string, body?: unknown) => {
  const answer = await asking(
    `${server.url}/api/v1${path}`,
    method,
    { authorization: `Bearer ${server.ownerTokenText}` },
    body,
  )
  expect(answer.status, `${method} ${path} ${JSON.stringify(answer.body)}`).toBeLessThan(300)
  return answer.body
}
const opened = async (more: object): Promise<string> =>
  (await ask('POST', '/rooms', { name: `room ${++made}`, ...more })).id

beforeAll(async () => {
  server = await runServer({ clock, log })
})
beforeEach(async () => {
  client?.close()
  ann = await server.account(`ann${++made}`)
  client = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token: ann.token })
  space = await opened({ kind: 'space', members: [ann.account.id] })
})
afterAll(async () => {
  client.close()
  expect(server.faults).toEqual([])
  await server.stop()
})

/** What she hears of what is said now, and what she is refused, once all that follows from before has been done. */
const lotIn = async (room: Room) => {
  await server.settled()
  const heard: string[] = []
  const stop = room.on((event) => event.is === 'posted' && heard.push(event.message.text))
  await ask('POST', `/rooms/${room.id}/messages`, { text: 'for members' })
  const refused = (error: { code: string }) => error.code
  const posting = await room.post('hello').then(() => 'posted', refused)
  const reading = await room.history().then(() => 'read', refused)
  stop()
  return { heard, posting, reading }
}
const OUT = { heard: [], posting: 'not-a-member', reading: 'not-a-member' }
const IN = { heard: ['for members', 'hello'], posting: 'posted', reading: 'read' }

describe('whoever is in a room', () => {
  const private_ = async () => {
    const id = await opened({ members: [ann.account.id] })
    return client.join(id)
  }

  it('and is taken out of it hears it no more', async () => {
    const room = await private_()
    expect(await lotIn(room)).toEqual(IN)
    await ask('DELETE', `/rooms/${room.id}/members/${ann.account.id}`)
    expect(await lotIn(room)).toEqual(OUT)
    expect(await server.readModels.query('presence.open', {})).toMatchObject({ result: [] })
  })

  it.each(['kicks', 'bans'])('and is put out by %s hears it no more', async (kind) => {
    const room = await private_()
    await ask('POST', `/rooms/${room.id}/${kind}`, { user: ann.account.id })
    expect(await lotIn(room)).toMatchObject({ heard: [], posting: kind === 'bans' ? 'banned' : 'not-a-member' })
  })

  it('where all may be stays, a member no more', async () => {
    const id = await opened({ aliases: [`moneypot:${++made}`], members: [ann.account.id] })
    const room = await client.join(id)
    await ask('DELETE', `/rooms/${id}/members/${ann.account.id}`)
    expect(await lotIn(room)).toEqual(IN)
  })

  it('and belongs to its space stays', async () => {
    const room = await client.join(await opened({ parent: space, members: [ann.account.id] }))
    await ask('DELETE', `/rooms/${room.id}/members/${ann.account.id}`)
    expect(await lotIn(room)).toEqual(IN)
  })
})

describe('whoever is in the rooms of a space', () => {
  it.each([
    ['taken out', (user: string) => ask('DELETE', `/rooms/${space}/members/${user}`)],
    ['put out', (user: string) => ask('POST', `/rooms/${space}/kicks`, { user })],
    ['banned', (user: string) => ask('POST', `/rooms/${space}/bans`, { user })],
  ])('and is %s of it hears those no more, but the ones of their own', async (_how, act) => {
    const channel = await client.join(await opened({ parent: space }))
    const own = await client.join(await opened({ parent: space, members: [ann.account.id] }))
    const another = await client.join(await opened({ members: [ann.account.id] }))
    expect(await lotIn(channel)).toEqual(IN)
    await act(ann.account.id)
    expect(await lotIn(channel)).toEqual(OUT)
    expect(await lotIn(own)).toEqual(IN)
    expect(await lotIn(another)).toEqual(IN)
  })

  it('is put out of them also where the log cannot tell of one for a moment', async () => {
    const channel = await client.join(await opened({ parent: space }))
    await server.settled()
    log.away = `room-${channel.id}`
    server.host.release(log.away)
    const met = new Promise<void>((resolve) => {
      log.met = resolve
    })
    await ask('POST', `/rooms/${space}/bans`, { user: ann.account.id })
    await met
    log.away = ''
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(500)
    expect(await lotIn(channel)).toEqual(OUT)
  })
})
