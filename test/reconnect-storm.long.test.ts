// Row 19 of the catalogue of bad input with its real number: ten thousand clients come within a second, twice: to a server
// that has just begun, and again after it was killed under them. Everybody gets in, nothing acknowledged is lost, the server
// answers meanwhile, and what it holds in memory is bounded.

import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import WebSocket from 'ws'
import { asking } from './asking.ts'
import { OWNER_TOKEN, type ServerProcess, startProcess } from './server-process.ts'

const CLIENTS = 10_000
const ACCOUNTS = 100
const WITHIN_MS = 1_000
/** for all of them to be in, on two shared cores */
const MOST_MS = 240_000
const MAX_RESIDENT_BYTES = 2_000_000_000

let directory: string
let server: ServerProcess
let tokens: string[]
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-'))
  server = await startProcess(directory)
  tokens = []
  for (let at = 0; at < ACCOUNTS; at++) {
    const made = await api('POST', '/users', { username: `user${at}` })
    tokens.push((made.body as { token: string }).token)
  }
  await api('POST', '/rooms', { name: 'r', aliases: ['moneypot:18'] })
})
afterAll(async () => {
  await server.kill()
  await rm(directory, { recursive: true, force: true })
})

const api = (method: string, path: string, body?: unknown) =>
  asking(`${server.url}/api/v1${path}`, method, { authorization: `Bearer ${OWNER_TOKEN}` }, body)

/** Comes until it is signed in, as clients do: after a wait that doubles, with jitter. Resolves with the socket. */
const comeIn = async (at: number): Promise<WebSocket> => {
  for (let tries = 0; ; tries++) {
    const socket = await attempt(at)
    if (socket) return socket
    await pause(Math.min(1_000 * 2 ** tries, 16_000) * (0.5 + Math.random() / 2))
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const attempt = (at: number): Promise<WebSocket | null> =>
  new Promise((resolve) => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/native`)
    socket.on('error', () => resolve(null))
    socket.on('close', () => resolve(null))
    socket.on('message', (data) => {
      const { is } = JSON.parse(String(data)) as { is: string }
      if (is === 'hello') socket.send(JSON.stringify({ do: 'sign-in', ref: 1, token: tokens[at % ACCOUNTS] }))
      else if (is === 'signed-in') resolve(socket)
      else if (is === 'refused') socket.close()
    })
  })

const storm = async () => {
  const begun = Array.from({ length: CLIENTS }, async (_, at) => {
    await pause((at / CLIENTS) * WITHIN_MS)
    return comeIn(at)
  })
  let over = false
  const watching = (async () => {
    for (; !over; await pause(250)) expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  })()
  const inside = await Promise.all(begun)
  over = true
  await watching
  return inside
}

/** The most the server's process has had in memory so far (proc(5), VmHWM). */
const peakBytes = (): number => {
  const [, kib] = /^VmHWM:\s+([0-9]+) kB/m.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8')) ?? []
  return Number(kib) * 1_024
}

const open = async (): Promise<number> => {
  const page = await (await fetch(`${server.url}/metrics`)).text()
  return Number(/^hansard_connections ([0-9]+)$/m.exec(page)?.[1])
}

it('ten thousand clients come at once, and come back at once', { timeout: 2 * MOST_MS + 60_000 }, async () => {
  const said: string[] = []
  const say = async (text: string) => {
    expect((await api('POST', '/rooms/moneypot:18/messages', { text })).status).toBe(201)
    said.push(text)
  }
  const first = await storm()
  expect(await open()).toBe(CLIENTS)
  await say('everybody is here')
  const dropped = Promise.all(first.map((socket) => new Promise((resolve) => socket.once('close', resolve))))
  await server.kill()
  await dropped
  const port = new URL(server.url).port
  server = await startProcess(directory, ['--port', port])
  const second = await storm()
  expect(await open()).toBe(CLIENTS)
  await say('everybody is back')
  const { body } = await api('GET', '/rooms/moneypot:18/messages')
  expect((body as { items: { text: string }[] }).items.map(({ text }) => text)).toEqual(said)
  expect(peakBytes()).toBeLessThan(MAX_RESIDENT_BYTES)
  for (const socket of second) socket.terminate()
  await expect.poll(open, { timeout: 60_000, interval: 500 }).toBe(0)
  const page = await (await fetch(`${server.url}/metrics`)).text()
  expect(page).toMatch(/^hansard_faults_total 0$/m)
})
