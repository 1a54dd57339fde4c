// One visit of a socket.io client of a given generation, in a process of its own as clients are: signs in, speaks,
// leaves, and prints what it heard. Arguments: package, transports (comma separated), address, hashed token, text.

import { createRequire } from 'node:module'

interface Client {
  on(event: string, heard: (...args: unknown[]) => void): void
  emit(event: string, ...args: unknown[]): void
  disconnect(): void
}

const [generation = '', transports = '', url = '', hashedToken = '', text = ''] = process.argv.slice(2)
const connect = createRequire(import.meta.url)(generation) as (url: string, options: object) => Client
const socket = connect(url, { transports: transports.split(','), forceNew: true, reconnection: false })
const asked = (event: string, ...args: unknown[]) =>
  new Promise<unknown[]>((resolve) => socket.emit(event, ...args, (...answer: unknown[]) => resolve(answer)))

const heard: unknown[] = []
socket.on('new_message', (message) => heard.push(message))
await new Promise<void>((resolve) => socket.on('connect', () => resolve()))
const auth = await asked('auth', { app_id: 18, hashed_token: hashedToken })
const answer = await asked('new_message', text)
socket.disconnect()
process.stdout.write(JSON.stringify({ auth, answer, heard }))
process.exitCode = 0
