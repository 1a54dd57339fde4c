// Row 16: whoever begins a request and never ends it is let go at a deadline of the HTTP server: half a minute, and what
// passes until it looks; on the clock of the wall, so that it is one of the long tests.

import { connect, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { runServer } from './running-server.ts'

const MOST_MS = 120_000

it('a handshake that never ends is closed, and others are served meanwhile', async () => {
  const server = await runServer()
  const { hostname, port } = new URL(server.url)
  const slow = [
    '',
    'GET /native HTTP/1.1\r\nHost: x\r\nUpgrade: websock',
    'POST /api/v1/guests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"user',
  ]
  const ends: Promise<string>[] = []
  const sockets: Socket[] = []
  for (const begun of slow) {
    for (let at = 0; at < 20; at++) {
      const socket = connect(Number(port), hostname)
      sockets.push(socket)
      socket.write(begun)
      // One byte a second of a header that goes on.
      const drip = begun.includes('websock') ? setInterval(() => socket.write('k'), 1_000) : undefined
      ends.push(
        new Promise((resolve) => {
          let heard = ''
          socket.on('data', (data) => {
            heard += data
          })
          socket.on('error', () => {})
          socket.on('close', () => {
            clearInterval(drip)
            resolve(heard.split('\r\n', 1)[0] ?? '')
          })
        }),
      )
    }
  }
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  const late = new Promise<string[]>((_resolve, reject) => {
    setTimeout(() => reject(new Error(`some were open after ${MOST_MS} ms`)), MOST_MS).unref()
  })
  try {
    const answers = await Promise.race([Promise.all(ends), late])
    expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 408 Request Timeout']))
    expect(server.faults).toEqual([])
  } finally {
    for (const socket of sockets) socket.destroy()
    await server.stop()
  }
})
