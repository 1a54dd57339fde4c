// What hansard is measured beside: broadcasts that keep nothing and forget everything. Modes: `ws` (one write a
// message and socket), `ws-gathered` (one tick's messages as one write a socket), `ws-deflating` (deflated for each
// socket), `socket.io`. A second argument is the payload's size in bytes, which blanks fill up to: as much as is sent by
// what it is measured beside.

import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { constants, deflateRawSync } from 'node:zlib'
import { Server } from 'socket.io'
import { WebSocketServer } from 'ws'
import { binaryFrame, textFrame } from '../src/transports/websocket-frame.ts'

const FLUSHED = { finishFlush: constants.Z_SYNC_FLUSH }
const mode = process.argv[2]
const size = Number(process.argv[3] ?? 0)
const http = createServer()
let id = 0
const message = (text: string) => ({ id: ++id, user: { uname: 'owner', role: 'admin' }, text })

if (mode === 'socket.io') {
  const io = new Server(http, { perMessageDeflate: false })
  io.on('connection', (socket) => {
    socket.on('auth', (_payload, ack) => ack(null, {}))
    socket.on('new_message', (text: string, ack) => {
      io.emit('new_message', message(text))
      ack()
    })
  })
} else {
  const server = new WebSocketServer({ server: http, perMessageDeflate: false })
  const raw = (socket: unknown) => (socket as { _socket: Socket })._socket
  let gathered: Buffer[] = []
  server.on('connection', (socket) => {
    socket.on('message', (data) => {
      if (mode === 'ws-deflating') {
        const text = JSON.stringify(['new_message', message(String(data))])
        for (const client of server.clients) raw(client).write(binaryFrame(deflateRawSync(text, FLUSHED)))
        // It knows its own by their text.
        raw(socket).write(textFrame(text))
        return
      }
      const frame = textFrame(JSON.stringify(['new_message', message(String(data))]).padEnd(size))
      if (mode === 'ws') {
        for (const client of server.clients) raw(client).write(frame)
        return
      }
      if (gathered.push(frame) > 1) return
      setImmediate(() => {
        const joined = Buffer.concat(gathered)
        gathered = []
        for (const client of server.clients) raw(client).write(joined)
      })
    })
  })
}
http.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on http://127.0.0.1:${(http.address() as AddressInfo).port}\n`)
})
