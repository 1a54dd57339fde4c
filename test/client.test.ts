// hansard/client against a running server, through a network that breaks.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Client, connect, type Room, type State } from '../src/client/client.ts'
import { openRoom, runServer, type TestServer } from './running-server.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
import { VirtualClock } from './virtual-clock.ts'

let server: TestServer
let directory: string
let proxy: TcpProxy
let clients: Client[]
let tokens: Record<'ann' | 'bob', string>
beforeEach(async () => {
  clients = []
  directory = await mkdtemp(join(tmpdir(), 'hansard-client-'))
  server = await runServer({ storage: 'sqlite', directory })
  proxy = await startTcpProxy(server.port)
  const [ann, bob] = [await server.account('ann'), await server.account('bob')]
  tokens = { ann: ann.token, bob: bob.token }
  await openRoom(server, 'native:1', [
    { account: ann.account, role: 'owner' },
    { account: bob.account, role: 'member' },
  ])
})
afterEach(async () => {
  for (const client of clients) client.close()
  await proxy.close()
  expect(server.faults).toEqual([])
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

const enter = async (who: keyof typeof tokens, port = proxy.port): Promise<{ client: Client; room: Room }> => {
  const client = await connect({ url: `ws://127.0.0.1:${port}/native`, token: tokens[who], firstWaitMs: 5 })
  clients.push(client)
  return { client, room: await client.join('native:1') }
}

const texts = (room: Room) => room.messages.map(({ text }) => text)

describe('hansard/client', () => {
  it('joins, talks, and keeps the room up to date', async () => {
    const { client, room } = await enter('ann')
    const other = (await enter('bob')).room
    const heard: string[] = []
    other.on((event) => heard.push(event.is))
    const id = await room.post('hello')
    await room.edit(id, 'hello!')
    const gone = await room.post('spam')
    await room.remove(gone)
    await room.mute('bob', 60)
    await expect.poll(() => [...other.mutes.keys()]).toEqual(['bob'])
    expect(texts(other)).toEqual(['hello!'])
    expect(heard).toEqual(['posted', 'edited', 'posted', 'removed', 'muted'])
    await expect(other.post('let me')).rejects.toMatchObject({ name: 'Refused', code: 'muted', retryable: true })
    await room.unmute('bob')
    await other.post('thanks')
    expect([...room.present.values()].map(({ username }) => username)).toEqual(['ann', 'bob'])
    expect((await room.history({ limit: 1 })).messages.map(({ text }) => text)).toEqual(['thanks'])
    await other.leave()
    await expect.poll(() => [...room.present.values()].map(({ username }) => username)).toEqual(['ann'])
    expect(client.user?.username).toBe('ann')
  })

  it('knows how far its account has read, on whichever device', async () => {
    const { room } = await enter('ann')
    const phone = (await enter('bob')).room
    const laptop = (await enter('bob')).room
    const ids = [await room.post('one'), await room.post('two'), await room.post('three')]
    await expect.poll(() => [phone.unread, laptop.unread]).toEqual([3, 3])
    phone.read(ids[1] as number)
    await expect.poll(() => [phone.unread, laptop.unread]).toEqual([1, 1])
    phone.read(ids[0] as number)
    await laptop.leave()
    await expect.poll(async () => (await enter('bob')).room.readUpTo).toBe(ids[1])
    expect(room.readUpTo).toBeNull()
    const reads = await fetch(`${server.url}/api/v1/rooms/native:1/reads`, {
      headers: { authorization: `Bearer ${tokens.ann}` },
    })
    const items = [{ user: { username: 'bob' }, message: ids[1], at: expect.any(String) }]
    expect(await reads.json()).toMatchObject({ items })
  })

  it('is told who is there as a member in another protocol, and misses nothing for it', async () => {
    const room = await server.rooms.byAlias('native:1')
    if (!room) throw new Error('no room')
    await server.rooms.change(room, { aliases: ['native:1', 'ayaka:12'] }, null)
    const { room: ann } = await enter('ann')
    const names = () => [...ann.present.values()].map(({ username }) => username)
    for (const round of [1, 2, 3]) {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ayaka`)
      await new Promise((resolve) => socket.addEventListener('open', resolve))
      socket.send(JSON.stringify({ session_id: tokens.bob }))
      await expect.poll(names).toEqual(['ann', 'bob'])
      socket.close()
      await expect.poll(names).toEqual(['ann'])
      await ann.post(`after ${round}`)
      expect(texts(ann).at(-1)).toBe(`after ${round}`)
    }
  })

  it('loses and doubles nothing when the network is cut again and again', async () => {
    const { room } = await enter('ann')
    const { client, room: other } = await enter('bob', server.port)
    let cuts = 0
    const said: Promise<number>[] = []
    for (let index = 0; index < 60; index++) {
      said.push(room.post(`ann ${index}`), other.post(`bob ${index}`))
      if (index % 10 === 5) {
        await said.at(-1)
        proxy.cut()
        cuts++
      }
    }
    const ids = await Promise.all(said)
    expect(cuts).toBe(6)
    expect(new Set(ids).size).toBe(120)
    await expect.poll(() => texts(room).length).toBe(120)
    expect(texts(room)).toEqual(texts(other))
    expect(texts(room).filter((text) => text.startsWith('ann'))).toEqual(
      Array.from({ length: 60 }, (_, at) => `ann ${at}`),
    )
    expect(client.state).toBe('ready')
  })

  it('comes back to a server that was away, with what was said meanwhile', async () => {
    const { client, room } = await enter('ann')
    const states: State[] = []
    client.onState((state) => states.push(state))
    await room.post('before')
    proxy.target = null
    await server.stop()
    const waiting = room.post('typed while it was away')
    await expect.poll(() => states).toContain('waiting')
    server = await runServer({ storage: 'sqlite', directory })
    const { room: other } = await enter('bob', server.port)
    await other.post('said while she was away')
    proxy.target = server.port
    await waiting
    expect(states.at(-1)).toBe('ready')
    expect(texts(room)).toEqual(['before', 'said while she was away', 'typed while it was away'])
  })

  it('comes back into its rooms later, where its account came back too often for all of them', async () => {
    const clock = new VirtualClock()
    const strict = await runServer({ clock, actRate: { capacity: 4, perSecond: 1 } })
    const { account, token } = await strict.account('ann')
    const rooms = ['native:1', 'native:2']
    for (const alias of rooms) await openRoom(strict, alias, [{ account, role: 'owner' }])
    const network = await startTcpProxy(strict.port)
    const client = await connect({ url: `ws://127.0.0.1:${network.port}/native`, token, firstWaitMs: 5 })
    clients.push(client)
    const [first, second] = [await client.join('native:1'), await client.join('native:2')]
    const states: State[] = []
    client.onState((state) => states.push(state))
    // Three acts are used, the fourth signs it in again.
    network.cut()
    await expect.poll(() => strict.sessions.refusals.get('rate-limited')).toBe(2)
    network.cut()
    await expect.poll(() => strict.sessions.refusals.get('rate-limited'), { timeout: 5_000 }).toBeGreaterThan(2)
    clock.advance(10_000)
    await expect.poll(() => states.at(-1), { timeout: 5_000 }).toBe('ready')
    expect(await Promise.all([first.post('here'), second.post('and here')])).toEqual([1, 2])
    await expect.poll(() => [texts(first), texts(second)]).toEqual([['here'], ['and here']])
    await network.close()
    client.close()
    await strict.stop()
  })

  it('keeps no room that it is put out of, also while it was away', async () => {
    const { client, room } = await enter('bob')
    const heard: string[] = []
    room.on((event) => heard.push(event.is === 'shut' ? `shut: ${event.refused.code}` : event.is))
    const order = (method: string, path: string, body?: object) =>
      fetch(`${server.url}/api/v1/rooms/native:1/${path}`, {
        method,
        headers: { authorization: `Bearer ${server.ownerTokenText}`, 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
    await order('POST', 'kicks', { user: '@bob' })
    await expect.poll(() => [client.rooms.size, heard.at(-1)]).toEqual([0, 'kicked'])
    await order('PUT', 'members/@bob')
    const again = await client.join('native:1')
    again.on((event) => heard.push(event.is === 'shut' ? `shut: ${event.refused.code}` : event.is))
    proxy.cut()
    await order('POST', 'bans', { user: '@bob' })
    await expect.poll(() => [client.rooms.size, heard.at(-1)], { timeout: 5_000 }).toEqual([0, 'shut: banned'])
  })

  it('does not come back where it must not, and says why', async () => {
    const bad = connect({ url: `ws://127.0.0.1:${proxy.port}/native`, token: 'x'.repeat(32) })
    await expect(bad).rejects.toMatchObject({ name: 'ConnectionLost' })
    const { client, room } = await enter('bob')
    await fetch(`${server.url}/api/v1/users/@bob/bans`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.ownerTokenText}`, 'content-type': 'application/json' },
      body: '{}',
    })
    await expect.poll(() => client.state).toBe('closed')
    await expect(room.post('hello?')).rejects.toMatchObject({ name: 'ConnectionLost' })
  })
})
