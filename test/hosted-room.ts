// One room and its connections on hosts of their own, over a log in memory that can be told to misbehave.

import { definitions } from '../src/actors/definitions.ts'
import { FactCodec } from '../src/actors/fact-codec.ts'
import { Host, type HostOptions } from '../src/actors/host.ts'
import type { Asker, MessageRow } from '../src/actors/room/room.facts.ts'
import type { Envelope, Recorded } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { SeededChance } from './seeded-chance.ts'
import { VirtualClock } from './virtual-clock.ts'

export const ROOM = 'room-r'
export const ann: Asker = { id: 'ann', number: 1, username: 'ann', account: 'admin' }

export let clock: VirtualClock
export let log: MemoryLog
export let trouble: {
  before?: (stream: string, facts: readonly Envelope[]) => void | Promise<void>
  after?: () => void
}
export let faults: string[]

export const begin = (): void => {
  clock = new VirtualClock()
  trouble = {}
  faults = []
  log = new MemoryLog({
    beforeAppend: (stream, facts) => trouble.before?.(stream, facts),
    afterAppend: () => trouble.after?.(),
  })
}

/** The log is as it should be from now on. */
export const calm = (): void => {
  trouble = {}
}

export const node = (name: string, seed: number, more: Partial<HostOptions> = {}) =>
  new Host({
    log,
    codec: new FactCodec(),
    clock,
    chance: new SeededChance(seed, clock),
    store: { summary: async () => null, keepSummary: () => {}, message: async () => null },
    node: name,
    definitions,
    onFault: (where, error) => faults.push(`${where}: ${error}`),
    ...more,
  })

export const open = (host: Host) =>
  host.send(ROOM, {
    type: 'room.open',
    asker: null,
    room: 'r',
    number: 1,
    name: 'r',
    kind: 'room',
    parent: null,
    aliases: [],
    machine: host.machineHash('room'),
    members: [],
  })

export const post = (host: Host, text: string, clientRef: string | null = null) =>
  host.send(ROOM, {
    type: 'message.post',
    asker: ann,
    text,
    kind: 'text',
    clientRef,
    replyTo: null,
    extra: null,
    entered: false,
  })

export const remove = (host: Host, id: number) =>
  host.send(ROOM, { type: 'message.remove', asker: ann, id, reason: null })
export const edit = (host: Host, id: number, text: string) =>
  host.send(ROOM, { type: 'message.edit', asker: ann, id, text })

/** The row of a message as the read models have it, once they are at a revision: what the log says up to there. */
const rowOf = async (_stream: string, revision: number, id: number): Promise<MessageRow | null> => {
  const about = (await facts()).slice(0, revision + 1).filter(({ data }) => JSON.parse(data).id === id)
  const posted = about.find(({ type }) => type === 'MessagePosted')
  if (!posted) return null
  const { author, text } = JSON.parse(posted.data)
  const removed = about.some(({ type }) => type === 'MessageRemoved')
  return { id, revision: posted.revision, author: author.id, text, removed }
}
export const rows = { store: { summary: async () => null, keepSummary: () => {}, message: rowOf } }

export const mute = (host: Host, seconds: number) =>
  host.send(ROOM, { type: 'mute.set', asker: null, name: 'bob', user: null, seconds, reason: null })

export const facts = async (): Promise<Recorded[]> => {
  const found: Recorded[] = []
  for await (const fact of log.readStream(ROOM)) found.push(fact)
  return found
}
export const types = async () => (await facts()).map(({ type }) => type)
export const texts = async () =>
  (await facts()).filter(({ type }) => type === 'MessagePosted').map(({ data }) => JSON.parse(data).text)

/** Lets everything come to rest, moving the clock over short pauses. */
export const rest = async () => {
  for (let round = 0; round < 50; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (clock.next() <= clock.now() + 3_000) clock.advance(Math.max(0, clock.next() - clock.now()))
  }
}

/** So many appends to the room meet a fact of another there. */
export const overtake = (times: number): void => {
  let left = times
  trouble.before = async (stream) => {
    if (stream !== ROOM || left === 0) return
    const mine = trouble
    trouble = {}
    const fact = { id: `foreign ${left--}`, type: 'MemberKicked', v: 1, metadata: '{"at":1}' }
    await log.append(ROOM, [{ ...fact, data: '{"by":null,"reason":null,"user":"x"}' }], (await facts()).length - 1)
    trouble = mine
  }
}

/** Time goes on, in steps that leave a turn to what happens in each. */
export const passes = async (ms: number, step = 30_000) => {
  for (let left = ms; left > 0; left -= step) {
    clock.advance(step)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

export const settled = async <T>(work: Promise<T>): Promise<T> => {
  await rest()
  return work
}

export const openConnection = (host: Host) =>
  host.send('connection-c', {
    type: 'connection.open',
    connection: 'c',
    dialect: null,
    version: 0,
    transport: 'test',
    since: clock.now(),
    limits: { authTimeoutMs: 0, afkMs: 0, typingMs: 0, badFrameStrikes: 0 },
    options: { oneRoom: false, socketsPerAccount: 0, closeCodes: {} },
    node: host.node,
    incarnation: 'i',
    machine: '',
  })
