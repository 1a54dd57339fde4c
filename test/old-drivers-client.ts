// One visit of a drivers.uz client by a given generation of socket.io, in a process of its own: what it sends is buffered
// before it has connected, as the robot of 2016 does it. Arguments: package, transports, address, token, topic, text.

import { createRequire } from 'node:module'

interface Client {
  on(event: string, heard: (...args: unknown[]) => void): void
  emit(event: string, ...args: unknown[]): void
  disconnect(): void
}

const [generation = '', transports = '', url = '', token = '', topic = '', body = ''] = process.argv.slice(2)
const connect = createRequire(import.meta.url)(generation) as (url: string, options: object) => Client
const socket = connect(url, { transports: transports.split(','), forceNew: true, reconnection: false })
const first = (event: string) => new Promise<unknown>((resolve) => socket.on(event, resolve))

const heard = Promise.all([first('signin_response'), first('message_events'), first('typing_event')])
socket.emit('signin_request', { token })
socket.emit('message_events', { topic_id: Number(topic), body, stamp_id: 's1', attrs: { text: body } })
socket.emit('typing_event', { topic_id: Number(topic), user_id: 1 })
process.stdout.write(JSON.stringify(await heard))
socket.disconnect()
process.exitCode = 0
