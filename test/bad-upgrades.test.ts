// Handshakes that are none, over bare TCP: refused by HTTP's own codes, and nothing of them stays. Rows 13, 14 and 34.

import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runServer, type TestServer } from './running-server.ts'

let server: TestServer
beforeAll(async () => {
  server = await runServer()
})
afterAll(async () => {
  expect(server.sessions.size).toBe(0)
  expect(server.faults).toEqual([])
  await server.stop()
})

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
    socket.on('close', () => resolve(heard.split(' ', 2)[1] ?? 'none'))
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
    })
  },
)

it('a path with a NUL or bytes that are no text is none of ours', async () => {
  for (const path of ['/nat%00ive', '/%ff', '/../native/../../etc', '//native', '*']) {
    expect(['400', '404']).toContain(await upgrade(path))
  }
})
