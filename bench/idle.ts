// What a connection costs that says nothing, beside one of a bare ws server: resident memory of the whole process, with
// and without so many of them, divided.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import WebSocket from 'ws'
import { type Running, serve, start } from './processes.ts'

const CONNECTIONS = Number(process.env.CONNECTIONS ?? 5_000)
const WARM = 500
const AT_ONCE = 50
/** for facts to be stored and garbage to be collected */
const REST_MS = 5_000

type SignIn = (socket: WebSocket) => Promise<void>

const open = async (url: string, count: number, signIn: SignIn): Promise<WebSocket[]> => {
  const sockets: WebSocket[] = []
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, async () => {
      const socket = new WebSocket(url, { perMessageDeflate: false })
      await once(socket, 'open')
      await signIn(socket)
      return socket
    })
    sockets.push(...(await Promise.all(some)))
  }
  return sockets
}

const bytesEach = async (server: Running, path: string, signIn: SignIn): Promise<number> => {
  const url = server.url.replace('http', 'ws') + path
  // The first ones pay for code and pools that all share.
  const warm = await open(url, WARM, signIn)
  await pause(REST_MS)
  const before = server.memory()
  const all = await open(url, CONNECTIONS, signIn)
  await pause(REST_MS)
  const bytes = (server.memory() - before) / CONNECTIONS
  for (const socket of [...warm, ...all]) socket.terminate()
  await server.stop()
  return bytes
}

/** Nobody in particular, in no room: what remains is the connection itself. */
const asReader: SignIn = async (socket) => {
  socket.send(JSON.stringify({ do: 'sign-in', ref: 1, token: null }))
  await new Promise<void>((resolve) => {
    socket.on('message', (data) => String(data).includes('"signed-in"') && resolve())
  })
}

export const measureIdle = async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hansard-bench-'))
  const bare = await bytesEach(await start([join(import.meta.dirname, 'bare.ts'), 'ws']), '/', async () => {})
  const native = await bytesEach(await serve(directory), '/native', asReader)
  rmSync(directory, { recursive: true, force: true })
  return { connections: CONNECTIONS, bytesEach: native, bareBytesEach: bare, ofBare: native / bare }
}
