// npx node bench/sizing.ts: what a message, a visit and an open connection take, for docs/operations.md. One server as
// an operator starts it, native clients over raw WebSocket, sizes of its files and of its process.

import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { connect } from '../src/client/client.ts'
import { OWNER_TOKEN, type ServerProcess, startProcess } from '../test/server-process.ts'

const ACCOUNTS = 50
const CONNECTIONS = 2_000
const MESSAGES = 20_000
const TEXT = 'A message as people write them, about sixty characters long.'
const ROOM = 'moneypot:2'
/** a burst's garbage is collected by then */
const SETTLE_MS = 15_000

const directory = mkdtempSync(join(tmpdir(), 'hansard-sizing-'))
const bytesOf = (name: string): number => statSync(join(directory, name)).size
const files = () => ({ log: bytesOf('log.db'), read: bytesOf('read.db') })

const residentBytes = ({ child }: ServerProcess): number =>
  1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1])

const account = async ({ url }: ServerProcess, username: string): Promise<string> => {
  const headers = { authorization: `Bearer ${OWNER_TOKEN}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ username })
  const made = await fetch(`${url}/api/v1/users`, { method: 'POST', headers, body })
  return ((await made.json()) as { token: string }).token
}

/** Signed in and in the room. */
const visit = async ({ url }: ServerProcess, token: string): Promise<WebSocket> => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/native`)
  await once(socket, 'open')
  for (const frame of [
    { do: 'sign-in', ref: 'in', token },
    { do: 'join', ref: 'join', room: ROOM },
  ]) {
    const answered = new Promise<void>((resolve) => {
      const hear = (data: Buffer) => {
        if (JSON.parse(data.toString()).ref !== frame.ref) return
        socket.off('message', hear)
        resolve()
      }
      socket.on('message', hear)
    })
    socket.send(JSON.stringify(frame))
    await answered
  }
  return socket
}

const say = (what: string, bytes: number): void => console.log(`${what.padEnd(44)} ${(bytes / 1024).toFixed(2)} KiB`)

let server = await startProcess(directory)
const tokens = await Promise.all(Array.from({ length: ACCOUNTS }, (_, at) => account(server, `user${at}`)))
const first = await visit(server, tokens[0] as string)
await pause(SETTLE_MS)
const empty = residentBytes(server)
const sockets: WebSocket[] = []
while (sockets.length < CONNECTIONS) sockets.push(...(await Promise.all(tokens.map((token) => visit(server, token)))))
await pause(SETTLE_MS)
say('a server at rest', empty)
say('an open connection, signed in and in a room', (residentBytes(server) - empty) / CONNECTIONS)
for (const socket of [first, ...sockets]) socket.close()
await pause(2_000)
await server.stop()
const visited = files()
say('a visit, in the log', visited.log / CONNECTIONS)
say('a visit, in the read models', visited.read / CONNECTIONS)

server = await startProcess(directory)
const client = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token: tokens[0] as string })
const room = await client.join(ROOM)
for (let sent = 0; sent < MESSAGES; sent += 500) await Promise.all(Array.from({ length: 500 }, () => room.post(TEXT)))
client.close()
await server.stop()
const talked = files()
say(`a message of ${TEXT.length} characters, in the log`, (talked.log - visited.log) / MESSAGES)
say(`a message of ${TEXT.length} characters, in the read models`, (talked.read - visited.read) / MESSAGES)

let started = performance.now()
server = await startProcess(directory)
console.log(`start on that log: ${Math.round(performance.now() - started)} ms`)
await server.stop()
const { backupLog } = await import('../src/log/sqlite-backup.ts')
started = performance.now()
const { facts, bytes } = await backupLog(directory, join(directory, 'copy.db'))
const ms = performance.now() - started
console.log(`backup of ${facts} facts, ${(bytes / 2 ** 20).toFixed(1)} MiB, read through: ${Math.round(ms)} ms`)
rmSync(directory, { recursive: true })
