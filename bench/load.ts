// The load, in a process and on a core of its own: receivers that only count frames, and one sender that times its own
// messages from send to delivery. Prints one JSON line. Its settings are one JSON argument.

import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { PollingClient } from './polling.ts'
import { type Account, type Protocol, type ProtocolName, protocols } from './protocols.ts'

export interface LoadSettings {
  readonly url: string
  readonly protocol: ProtocolName | 'polling'
  /** where it differs from what the receivers speak */
  readonly senderProtocol: ProtocolName | null
  readonly receivers: number
  /** messages in flight; 0: `rate` says when */
  readonly inFlight: number
  /** messages a second */
  readonly rate: number
  readonly seconds: number
  /** before it: code is compiled as it gets hot, and a server runs for weeks */
  readonly warmUpSeconds: number
  readonly sender: Account | null
  /** a receiver each, in turn; none: nobody in particular */
  readonly accounts: readonly Account[]
}

export interface Load {
  readonly deliveriesPerSecond: number
  /** payload of one, on average */
  readonly bytes: number
  /** ms from send to delivery */
  readonly p50: number
  readonly p99: number
  /** share of its core that the load took */
  readonly loaderCpu: number
}

const settings: LoadSettings = JSON.parse(process.argv[2] ?? '')
const { url, receivers, inFlight, rate, seconds, warmUpSeconds } = settings
const { hostname, port } = new URL(url)

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
const reader = (count: (bytes: number) => void, read: ((text: string) => void) | null) => {
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
      count(length)
      if (read) read(data.toString('utf8', at + header, at + header + length))
      at += header + length
    }
    rest = at < data.length ? Buffer.from(data.subarray(at)) : Buffer.alloc(0)
  }
}

const open = async (
  protocol: Protocol,
  account: Account | null,
  read: ((text: string) => void) | null,
): Promise<Socket> => {
  const socket = connect(Number(port), hostname)
  const path = await protocol.path(account)
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  )
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`${path.slice(0, 40)} was closed after: ${head.slice(-400)}`)))
    let head = ''
    const steps = [...protocol.steps(account)]
    const until = (chunk: Buffer) => {
      head += chunk.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      while (steps[0] && head.includes(steps[0].waitFor)) {
        const next = steps.shift()?.send ?? null
        if (next !== null) socket.write(frameOf(next))
        else {
          socket.off('data', until)
          resolve()
        }
      }
    }
    socket.on('data', until)
  })
  socket.on('data', reader(count, read))
  return socket
}

let delivered = 0
let bytes = 0
const count = (length: number) => {
  delivered++
  bytes += length
}

const sentAt = new Map<number, number>()
const latencies: number[] = []
let measuring = false
let sequence = 0
/** Its own a run: the text is some protocols' reference, and the same again would be a repetition. */
const padding = randomBytes(20).toString('hex')
const send = () => {
  const number = sequence++
  sentAt.set(number, performance.now())
  say(number, `n${String(number).padStart(9, '0')} ${padding}`)
}
const heard = (text: string) => {
  const [, number] = /"n(\d{9}) /.exec(text) ?? []
  if (number === undefined) return
  const at = sentAt.get(Number(number))
  if (at === undefined) return
  sentAt.delete(Number(number))
  if (measuring) latencies.push(performance.now() - at)
  if (inFlight > 0) send()
}

const receiverOf = (receiver: number): Account | null => settings.accounts[receiver % settings.accounts.length] ?? null

/** Everybody is there; returns how the sender says a message. */
const gather = async (): Promise<(number: number, text: string) => void> => {
  if (settings.protocol === 'polling') {
    const protocol = protocols['socket.io']
    for (let receiver = 0; receiver < receivers; receiver++) {
      await new PollingClient(url, protocol, receiverOf(receiver), count, null).signIn()
    }
    const sender = new PollingClient(url, protocol, settings.sender, count, heard)
    await sender.signIn()
    return (number, text) => sender.say(protocol.post(number, text))
  }
  const protocol: Protocol = protocols[settings.protocol]
  for (let receiver = 0; receiver < receivers; receiver++) await open(protocol, receiverOf(receiver), null)
  const speaking = settings.senderProtocol === null ? protocol : protocols[settings.senderProtocol]
  const sender = await open(speaking, settings.sender, heard)
  return (number, text) => sender.write(frameOf(speaking.post(number, text)))
}
const say = await gather()

for (let message = 0; message < inFlight; message++) send()
const started = performance.now()
const openLoop =
  inFlight > 0
    ? null
    : setInterval(() => {
        const due = ((performance.now() - started) / 1_000) * rate
        while (sequence < due) send()
      }, 1)
await new Promise((resolve) => setTimeout(resolve, warmUpSeconds * 1_000))
delivered = 0
bytes = 0
measuring = true
const from = performance.now()
const cpu = process.cpuUsage()
await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
const elapsed = (performance.now() - from) / 1_000
const used = process.cpuUsage(cpu)
if (openLoop) clearInterval(openLoop)
latencies.sort((a, b) => a - b)
const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
const load: Load = {
  deliveriesPerSecond: Math.round(delivered / elapsed),
  bytes: Math.round(bytes / delivered),
  p50: at(0.5),
  p99: at(0.99),
  loaderCpu: (used.user + used.system) / 1e6 / elapsed,
}
process.stdout.write(`${JSON.stringify(load)}\n`)
process.exit()
