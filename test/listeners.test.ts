// An address of its own for a dialect: at any path there, and nothing else. And what goes over all of them: pings.

import { once } from 'node:events'
import { io } from 'socket.io-client'
import { afterEach, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { readConfig } from '../src/config.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

let server: TestServer
afterEach(() => server?.stop())

const firstFrame = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url)
    socket.on('message', (data) => {
      socket.close()
      resolve(String(data))
    })
    socket.on('unexpected-response', (_request, { statusCode }) => reject(new Error(String(statusCode))))
    socket.on('error', reject)
  })

describe('an address of one dialect’s own', () => {
  it('speaks it at any path, and the API', async () => {
    server = await runServer({
      listen: { maint: { host: '127.0.0.1', port: 0 }, moneypot: { host: '127.0.0.1', port: 0 } },
    })
    const [moneypot, maint] = server.listeners.map(({ url }) => url.replace('http', 'ws')) as [string, string]
    expect(server.listeners.map(({ dialect }) => dialect)).toEqual(['moneypot', 'maint'])
    expect(JSON.parse(await firstFrame(`${maint}/`))).toEqual({ t: 1 })
    expect(JSON.parse(await firstFrame(`${maint}/any/path`))).toEqual({ t: 1 })
    await expect(firstFrame(`${moneypot}/maint`)).rejects.toThrow('404')
    await expect(firstFrame(`${server.url.replace('http', 'ws')}/`)).rejects.toThrow('404')
    expect((await fetch(`${maint.replace('ws', 'http')}/healthz`)).status).toBe(200)
    const socket = io(moneypot.replace('ws', 'http'), { transports: ['websocket'], reconnection: false })
    const answer = await new Promise((resolve) =>
      socket.emit('auth', { app_id: 2 }, (error: unknown) => resolve(error)),
    )
    expect(answer).toBeNull()
    socket.disconnect()
  })

  it('is set as port, host:port or [v6]:port', () => {
    const listen = (value: string) => readConfig({ HANSARD_LISTEN_MAINT: value }, {}).config.LISTEN_MAINT
    expect(listen('')).toBeNull()
    expect(listen('3030')).toEqual({ host: '127.0.0.1', port: 3030 })
    expect(listen('0.0.0.0:3030')).toEqual({ host: '0.0.0.0', port: 3030 })
    expect(listen('[::1]:3030')).toEqual({ host: '::1', port: 3030 })
    for (const wrong of ['x', ':1', '1:2:3', '127.0.0.1:99999', '::1:3030']) {
      expect(() => listen(wrong), wrong).toThrow('port, host:port or [v6]:port')
    }
  })
})

describe('a ping each twenty seconds', () => {
  const clock = new VirtualClock()
  const open = async (options: WebSocket.ClientOptions = {}) => {
    server = await runServer({ clock, pingIntervalMs: 20_000 })
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/native`, options)
    await once(socket, 'open')
    socket.send(JSON.stringify({ do: 'sign-in', ref: 1, token: server.ownerTokenText }))
    await new Promise<void>((resolve) =>
      socket.on('message', (said) => String(said).includes('signed-in') && resolve()),
    )
    return socket
  }
  const next = (socket: WebSocket) =>
    Promise.race([once(socket, 'ping').then(() => 'ping'), once(socket, 'close').then(([code]) => code as number)])

  it('ends whoever has not answered the last one', async () => {
    const socket = await open({ autoPong: false })
    clock.advance(19_999)
    clock.advance(1)
    expect(await next(socket)).toBe('ping')
    clock.advance(20_000)
    expect(await next(socket)).toBe(4104)
  })

  it('but nobody whose answer is at hand when this process has stood still', async () => {
    const socket = await open()
    for (let beat = 0; beat < 5; beat++) {
      clock.advance(20_000)
      expect(await next(socket)).toBe('ping')
      // It has answered by now, and this turn of the loop has not read that.
      await new Promise((resolve) => setImmediate(resolve))
    }
    socket.terminate()
  })
})
