// The load, in a process and on a core of its own: receivers that only count frames, and one sender that times its own
// messages from send to delivery. Prints one JSON line.
//
// arguments: url, protocol (ws | native | socket.io), receivers, in flight (closed loop) or 0, messages a second (open loop),
// seconds, token

import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

const [url = '', protocol = '', receivers = '0', inFlight = '0', rate = '0', seconds = '0', token = ''] =
  process.argv.slice(2)
const { hostname, port } = new URL(url)
const WARM_UP_MS = 1_000

/** A client's text frame: masked, with a key of zeros. */
const frameOf = (text: string): Buffer => {
  const payload = Buffer.from(text)
  const header =
    payload.length < 126
      ? Buffer.from([0x81, 0x80 | payload.length])
      : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255])
  return Buffer.concat([header, Buffer.alloc(4), payload])
}

/** Frames of a stream, counted; their payloads too when somebody wants them. */
const reader = (count: () => void, read: ((text: string) => void) | null) => {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk: Buffer) => {
    const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    let at = 0
    for (;;) {
      if (data.length - at < 2) break
      const short = (data[at + 1] as number) & 127
      const header = short < 126 ? 2 : short === 126 ? 4 : 10
      if (data.length - at < header) break
      const length =
        short < 126 ? short : short === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2))
      if (data.length - at < header + length) break
      count()
      if (read) read(data.toString('utf8', at + header, at + header + length))
      at += header + length
    }
    rest = at < data.length ? Buffer.from(data.subarray(at)) : Buffer.alloc(0)
  }
}

const PATHS: Readonly<Record<string, string>> = {
  ws: '/',
  native: '/native',
  'socket.io': '/socket.io/?EIO=4&transport=websocket',
}

interface Step {
  readonly waitFor: string
  readonly send: string | null
}

/** What is said until messages come. */
const stepsIn = (own: string | null): Step[] => {
  if (protocol === 'native') {
    return [
      { waitFor: '"hello"', send: JSON.stringify({ do: 'sign-in', token: own }) },
      { waitFor: '"signed-in"', send: JSON.stringify({ do: 'join', room: 'moneypot:2' }) },
      { waitFor: '"joined"', send: null },
    ]
  }
  const hashed = own === null ? {} : { hashed_token: createHash('sha256').update(own).digest('hex') }
  return [
    // engine.io's open packet, then socket.io's connect, then auth and its answer
    { waitFor: '0{"sid"', send: '40' },
    { waitFor: '40{"sid"', send: `420${JSON.stringify(['auth', { app_id: 2, ...hashed }])}` },
    { waitFor: '430[', send: null },
  ]
}

const open = async (count: () => void, read: ((text: string) => void) | null, own: string | null): Promise<Socket> => {
  const socket = connect(Number(port), hostname)
  const path = PATHS[protocol]
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  )
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    let head = ''
    const until = (chunk: Buffer) => {
      head += chunk.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      if (protocol === 'ws') return done()
      while (steps[0] && head.includes(steps[0].waitFor)) {
        const next = steps.shift()?.send ?? null
        if (next === null) done()
        else socket.write(frameOf(next))
      }
    }
    const steps = stepsIn(own)
    const done = () => {
      socket.off('data', until)
      resolve()
    }
    socket.on('data', until)
  })
  socket.on('data', reader(count, read))
  return socket
}

let delivered = 0
const count = () => {
  delivered++
}
for (let receiver = 0; receiver < Number(receivers); receiver++) await open(count, null, null)

const sentAt = new Map<number, number>()
const latencies: number[] = []
let measuring = false
let sequence = 0
const padding = 'x'.repeat(40)
const send = () => {
  const number = sequence++
  sentAt.set(number, performance.now())
  const text = `n${String(number).padStart(9, '0')} ${padding}`
  sender.write(frameOf(framed(number, text)))
}
const framed = (number: number, text: string): string => {
  if (protocol === 'ws') return text
  if (protocol === 'native') return JSON.stringify({ do: 'post', ref: number, room: 'moneypot:2', text })
  return `42${number}${JSON.stringify(['new_message', text])}`
}
const heard = (text: string) => {
  const [, number] = /"text":"n(\d{9})/.exec(text) ?? []
  if (number === undefined) return
  const at = sentAt.get(Number(number))
  if (at === undefined) return
  sentAt.delete(Number(number))
  if (measuring) latencies.push(performance.now() - at)
  if (Number(inFlight) > 0) send()
}
const sender = await open(count, heard, token === '' ? null : token)

if (Number(inFlight) > 0) for (let message = 0; message < Number(inFlight); message++) send()
const started = performance.now()
const open_loop =
  Number(inFlight) > 0
    ? null
    : setInterval(() => {
        const due = ((performance.now() - started) / 1_000) * Number(rate)
        while (sequence < due) send()
      }, 1)
await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))
delivered = 0
measuring = true
const from = performance.now()
const cpu = process.cpuUsage()
await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1_000))
const elapsed = (performance.now() - from) / 1_000
const used = process.cpuUsage(cpu)
if (open_loop) clearInterval(open_loop)
latencies.sort((a, b) => a - b)
const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? null
process.stdout.write(
  `${JSON.stringify({ deliveriesPerSecond: Math.round(delivered / elapsed), p50: at(0.5), p99: at(0.99), loaderCpu: (used.user + used.system) / 1e6 / elapsed })}\n`,
)
process.exit()
