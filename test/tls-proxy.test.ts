// Behind a proxy with TLS, as docs/operations.md sets it up: https and wss lead in, pages of the public address may call,
// and nobody who comes that way is taken for this machine's own.

import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request as ask, type IncomingHttpHeaders } from 'node:http'
import { request as askSafely, createServer, type Server } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { runServer, type TestServer } from './running-server.ts'

const PUBLIC = 'https://chat.example.org'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
if (!hasOpenssl) console.log('NOT RUN: the proxy with TLS, for want of openssl, which makes its certificate')

/** What a proxy sees by itself; here the client says it. */
const addressIn = ({ client = '203.0.113.9' }: IncomingHttpHeaders): string => `${client}`

let server: TestServer
let proxy: Server
let port: number
beforeAll(async () => {
  if (!hasOpenssl) return
  server = await runServer({ publicUrl: PUBLIC, trustProxy: ['127.0.0.1'] })
  proxy = createServer(certificate(), (incoming, answer) => {
    const { method, url: path, headers } = incoming
    const told = { ...headers, 'x-forwarded-for': addressIn(headers), 'x-forwarded-proto': 'https' }
    const passed = ask({ port: server.port, method, path, headers: told }, (came) => {
      answer.writeHead(came.statusCode ?? 502, came.headers)
      came.pipe(answer)
    })
    incoming.pipe(passed)
  })
  proxy.on('upgrade', ({ url, headers }, socket, head) => {
    const through = connect(server.port, '127.0.0.1', () => {
      const lines = Object.entries({ ...headers, 'x-forwarded-for': '203.0.113.9' })
      through.write(`GET ${url} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
      through.write(head)
      socket.pipe(through).pipe(socket)
    })
    for (const end of [socket, through]) end.on('error', () => end.destroy())
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  port = (proxy.address() as AddressInfo).port
})
afterAll(async () => {
  if (!hasOpenssl) return
  proxy.closeAllConnections()
  proxy.close()
  await server.stop()
})

/** For the time of the test, of nobody in particular. */
const certificate = () => {
  const folder = mkdtempSync(join(tmpdir(), 'hansard-tls-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const wanted = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-subj',
    '/CN=chat.example.org',
    '-days',
    '1',
  ]
  execFileSync('openssl', ['req', '-x509', '-nodes', ...wanted, '-keyout', key, '-out', cert], { stdio: 'pipe' })
  const read = { key: readFileSync(key), cert: readFileSync(cert) }
  rmSync(folder, { recursive: true })
  return read
}

const safely = async (method: string, path: string, headers: Readonly<Record<string, string>>, body = '') => {
  const asked = askSafely({
    port,
    method,
    path,
    headers: { host: 'chat.example.org', ...headers },
    rejectUnauthorized: false,
  })
  asked.end(body)
  const [answer] = await once(asked, 'response')
  let text = ''
  for await (const piece of answer) text += piece
  return { status: answer.statusCode, headers: answer.headers, text }
}

/** The socket's answer to a sign-in, or the status that it was turned away with. */
const socketOf = async (origin: string): Promise<unknown> => {
  const { token } = await server.account(`user-${new URL(origin).hostname}`)
  const headers = { host: 'chat.example.org' }
  const socket = new WebSocket(`wss://127.0.0.1:${port}/native`, { rejectUnauthorized: false, origin, headers })
  return new Promise((resolve) => {
    socket.on('unexpected-response', (_request, { statusCode }) => resolve(statusCode))
    socket.on('error', () => {})
    socket.on('open', () => socket.send(JSON.stringify({ do: 'sign-in', ref: 'in', token })))
    socket.on('message', (frame: Buffer) => {
      const { ref, is } = JSON.parse(frame.toString())
      if (ref !== 'in') return
      resolve(is)
      socket.close()
    })
  })
}

describe.skipIf(!hasOpenssl)('behind a proxy with TLS', () => {
  it('wss leads to the same server, for pages of the public address and no others', async () => {
    expect(await socketOf(PUBLIC)).toBe('signed-in')
    expect(await socketOf('https://evil.example')).toBe(403)
  })

  it('https does, and the public address may call', async () => {
    const headers = { authorization: `Bearer ${server.ownerTokenText}`, origin: PUBLIC }
    const rooms = await safely('GET', '/api/v1/rooms', headers)
    expect([rooms.status, rooms.headers['access-control-allow-origin']]).toEqual([200, PUBLIC])
    const other = await safely('GET', '/api/v1/rooms', { ...headers, origin: 'https://evil.example' })
    expect(other.headers['access-control-allow-origin']).toBeUndefined()
  })

  it('takes nobody for this machine’s own: no guests where that is for this machine alone', async () => {
    const guest = await safely('POST', '/api/v1/guests', { 'content-type': 'application/json' }, '{"username":"eve"}')
    expect(guest.status).toBe(403)
  })

  it('counts clients by the address that the proxy tells, each against its own limit', async () => {
    const leftTo = async (client: string): Promise<number> => {
      const headers = { authorization: `Bearer ${server.ownerTokenText}`, client }
      return Number((await safely('GET', '/api/v1/rooms', headers)).headers['x-ratelimit-remaining'])
    }
    const left = await leftTo('198.51.100.1')
    expect(await leftTo('198.51.100.1')).toBe(left - 1)
    expect(await leftTo('198.51.100.2')).toBe(left)
  })
})
