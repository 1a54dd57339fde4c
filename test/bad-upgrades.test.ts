// Handshakes that are none, or too many, over bare TCP: refused by HTTP's own codes, and nothing of them stays. Rows 13, 14,
// 19, 21 and 34.

import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

let clock: VirtualClock
let server: TestServer
beforeAll(async () => {
  clock = new VirtualClock()
  server = await runServer({ clock, trustProxy: ['127.0.0.1'] })
})
afterAll(async () => {
  expect(server.sessions.size).toBe(0)
  expect(server.faults).toEqual([])
  await server.stop()
})

/** seconds, as the last answer says; NaN: nothing */
let retryAfter = Number.NaN

/** The status of the first answer to these lines. */
const answer = (...lines: readonly string[]): Promise<string> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname)
    let heard = ''
    socket.on('error', () => {})
    socket.on('data', (data) => {
      heard += data
      socket.end()
    })
    socket.on('close', () => {
      retryAfter = Number(/^retry-after: ([0-9]+)\r$/im.exec(heard)?.[1])
      resolve(heard.split(' ', 2)[1] ?? 'none')
    })
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  })

const upgrade = (path: string, more: readonly string[] = [], changed: Readonly<Record<string, string | null>> = {}) => {
  const headers: Record<string, string | null> = {
    Host: new URL(server.url).host,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    ...changed,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]))
  return answer(`GET ${path} HTTP/1.1`, ...lines, ...more)
}

describe.each(['/native', '/maint', '/plic?token=x', '/ayaka', '/socket.io/?EIO=4&transport=websocket'])(
  '%s',
  (path) => {
    it.each<[string, string, readonly string[], Readonly<Record<string, string | null>>]>([
      ['as it should be', '101', [], {}],
      ['with headers of 100 KB', '431', [`X: ${'x'.repeat(100_000)}`], {}],
      ['with 5,000 headers', '431', Array.from({ length: 5_000 }, (_, at) => `X-${at}: y`), {}],
      ['with a key that is none', '400', [], { 'Sec-WebSocket-Key': 'short' }],
      ['without a key', '400', [], { 'Sec-WebSocket-Key': null }],
      ['of another version', '400', [], { 'Sec-WebSocket-Version': '7' }],
      ['with a header folded onto two lines', '400', ['X: a', ' b'], {}],
      ['with two lengths', '400', ['Content-Length: 1', 'Content-Length: 2'], {}],
      ['with a length and chunks', '400', ['Content-Length: 1', 'Transfer-Encoding: chunked'], {}],
      ['with a byte that no header has', '400', ['X: a\u0000b'], {}],
    ])('answers an upgrade %s with %s', async (_what, status, more, changed) => {
      expect(await upgrade(path, more, changed)).toBe(status)
    })

    it('lets no foreign page in, and this server’s own', async () => {
      const refused = path.startsWith('/socket.io') ? '400' : '403'
      expect(await upgrade(path, [], { Origin: 'https://evil.example' })).toBe(refused)
      expect(await upgrade(path, [], { Origin: 'null' })).toBe(refused)
      expect(await upgrade(path, [], { Origin: server.url })).toBe('101')
      // Of a page in development, and as old Node clients write it.
      expect(await upgrade(path, [], { Origin: 'http://localhost:3000' })).toBe('101')
      expect(await upgrade(path, [], { Origin: new URL(server.url).host })).toBe('101')
    })
  },
)

it('a path with a NUL or bytes that are no text is none of ours', async () => {
  for (const path of ['/nat%00ive', '/%ff', '/../native/../../etc', '//native', '*']) {
    expect(['400', '404']).toContain(await upgrade(path))
  }
})

describe('whoever opens sockets without end', () => {
  it('from one address is told to come back later, and others are not', async () => {
    const from = (address: string) => upgrade('/native', [`X-Forwarded-For: ${address}`])
    for (let at = 0; at < 1_200; at += 100) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => from('203.0.113.7')))
      expect(new Set(answers)).toEqual(new Set(['101']))
    }
    const head = await server.log.head()
    expect(await from('203.0.113.7')).toBe('503')
    expect(retryAfter).toBeGreaterThanOrEqual(1)
    expect(retryAfter).toBeLessThanOrEqual(10)
    expect(await upgrade('/socket.io/?EIO=4&transport=websocket', ['X-Forwarded-For: 203.0.113.7'])).toBe('400')
    expect(await from('203.0.113.8')).toBe('101')
    expect(await upgrade('/native')).toBe('101')
    expect(await server.log.head()).toBe(head)
    clock.advance(1_000)
    for (let at = 0; at < 20; at++) expect(await from('203.0.113.7')).toBe('101')
    expect(await from('203.0.113.7')).toBe('503')
  })
})
