// What must hold of every world, however it went.

import { expect } from 'vitest'
import { createActor } from 'xstate'
import { definitions } from '../src/actors/definitions.ts'
import type { Recorded } from '../src/log/event-log.ts'
import { handedTo } from '../src/projections/handed.ts'
import { dump } from '../src/projections/read-database.ts'
import { LocalReadModels } from '../src/projections/read-models.ts'
import { World } from './simulation.ts'

interface Worlds {
  readonly first: number
  readonly count: number
  readonly steps: number
  /** what plays them */
  readonly command: string
}

/** Plays a world a seed, or only that of HANSARD_TEST_SEED; the first that broke a law fails, with how to see it again. */
export const playWorlds = async ({ first, count, steps, command }: Worlds) => {
  const chosen = process.env.HANSARD_TEST_SEED
  const seeds = chosen === undefined ? Array.from({ length: count }, (_, index) => first + index) : [Number(chosen)]
  const played = { deaths: 0, losses: 0, unanswered: 0, shut: 0, worlds: seeds.length }
  for (const seed of seeds) {
    const world = new World(seed)
    await world.run(steps)
    expect(await brokenLaws(world), `seed ${seed}: play it alone with HANSARD_TEST_SEED=${seed} ${command}`).toEqual([])
    world.end()
    played.deaths += world.deaths
    played.losses += world.losses
    played.shut += world.members.shut
    played.unanswered += world.unanswered
  }
  return played
}

type Plain = Record<string, never>
const data = (fact: Recorded): Plain => JSON.parse(fact.data)

/** The laws that a world broke; empty when it kept them all. */
const brokenLaws = async (world: World): Promise<string[]> => {
  const facts = await world.facts()
  return [
    ...world.faults.map((fault) => `fault: ${fault}`),
    ...world.broken,
    ...world.members.broken,
    ...streamsInOrder(facts),
    ...messagesOnce(facts, world),
    ...messagesGoAndComeBack(facts),
    ...seamsWithoutGap(facts, world),
    ...nobodyLeftInside(facts),
    ...mutesEndOnce(facts),
    ...replayIsLife(facts, world),
    ...witnessesSaw(facts, world),
    ...(await readModelsAreARebuild(world)),
  ]
}

const streamsInOrder = (facts: readonly Recorded[]): string[] => {
  const last = new Map<string, { revision: number; at: number }>()
  const broken: string[] = []
  for (const { stream, revision, metadata } of facts) {
    const before = last.get(stream) ?? { revision: -1, at: 0 }
    const { at } = JSON.parse(metadata)
    if (revision !== before.revision + 1) broken.push(`${stream}: ${revision} after ${before.revision}`)
    if (at < before.at) broken.push(`${stream}@${revision}: time went back`)
    last.set(stream, { revision, at })
  }
  return broken
}

/** Ids are unique and grow in each room; an acknowledged text is there once, each client's in its order; nothing told is missing. */
const messagesOnce = (facts: readonly Recorded[], world: World): string[] => {
  const broken: string[] = []
  const posted = facts.filter(({ type }) => type === 'MessagePosted')
  const ids = new Set<number>()
  const lastIn = new Map<string, number>()
  const texts = new Map<string, number>()
  for (const fact of posted) {
    const { id, text } = data(fact) as unknown as { id: number; text: string }
    if (ids.has(id)) broken.push(`message id ${id} twice`)
    ids.add(id)
    if (id <= (lastIn.get(fact.stream) ?? 0)) broken.push(`${fact.stream}: message id ${id} does not grow`)
    lastIn.set(fact.stream, id)
    if (texts.has(text)) broken.push(`'${text}' stored twice`)
    texts.set(text, id)
  }
  for (const { acknowledged } of world.clients) {
    const stored = acknowledged.map((text) => texts.get(text))
    if (stored.includes(undefined)) broken.push(`an acknowledged message of ${acknowledged} is missing`)
    if (stored.some((id, at) => at > 0 && (id as number) <= (stored[at - 1] as number)))
      broken.push(`acknowledged out of order: ${acknowledged}`)
  }
  for (const id of world.told) if (!ids.has(id)) broken.push(`message ${id} was told and is not on the log`)
  return broken
}

/** What is removed was there and what is restored was removed, whoever else asked at the same time; nothing is edited while gone. */
const messagesGoAndComeBack = (facts: readonly Recorded[]): string[] => {
  const gone = new Set<number>()
  return facts.flatMap((fact) => {
    const { id } = data(fact) as unknown as { id: number }
    const { type, stream, revision } = fact
    if (type !== 'MessageRemoved' && type !== 'MessageRestored' && type !== 'MessageEdited') return []
    if (gone.has(id) !== (type === 'MessageRestored')) return [`${stream}@${revision}: ${type} of ${id}`]
    if (type === 'MessageRemoved') gone.add(id)
    if (type === 'MessageRestored') gone.delete(id)
    return []
  })
}

/** From the first message a client was shown to the last, it was shown every one of its room. A history lacks what was removed. */
const seamsWithoutGap = (facts: readonly Recorded[], world: World): string[] => {
  const rooms = new Map<string, string>()
  for (const fact of facts) {
    if (fact.type === 'RoomOpened')
      for (const alias of data(fact).aliases as unknown as string[]) rooms.set(alias, fact.stream)
  }
  const removed = new Set(
    facts.filter(({ type }) => type === 'MessageRemoved').map((fact) => data(fact).id as unknown as number),
  )
  return world.clients.flatMap(({ id, alias, snapshot, ...client }) => {
    const seen = client.seen.filter((message) => !removed.has(message))
    const [first, last] = [seen[0], seen.at(-1)]
    if (snapshot === null || first === undefined || last === undefined) return []
    const all = facts
      .filter(({ type, stream }) => type === 'MessagePosted' && stream === rooms.get(alias))
      .map((fact) => data(fact).id as unknown as number)
      .filter((message) => message >= first && message <= last && !removed.has(message))
    return JSON.stringify(all) === JSON.stringify(seen) ? [] : [`${id} saw ${seen} of ${all}`]
  })
}

/** After the last start, whoever entered, came online or opened has left, gone or closed. */
const nobodyLeftInside = (facts: readonly Recorded[]): string[] => {
  const inside = new Map<string, string>()
  for (const fact of facts) {
    const { connection } = data(fact) as unknown as { connection?: string }
    if (fact.type === 'ConnectionOpened') inside.set(fact.stream, fact.type)
    if (fact.type === 'ConnectionClosed') inside.delete(fact.stream)
    if (fact.type === 'PresenceEntered' || fact.type === 'CameOnline')
      inside.set(`${fact.stream} ${connection}`, fact.type)
    if (fact.type === 'PresenceLeft' || fact.type === 'WentOffline') inside.delete(`${fact.stream} ${connection}`)
  }
  return [...inside].map(([where, type]) => `left behind: ${type} ${where}`)
}

/** Every mute with an end was ended once: by its time, by a moderator, or by the mute that replaced it. */
const mutesEndOnce = (facts: readonly Recorded[]): string[] => {
  const running = new Map<string, number>()
  const broken: string[] = []
  for (const fact of facts) {
    const { name, until, due, fired } = data(fact) as unknown as {
      name: string
      until: number
      due: number
      fired: number
    }
    const key = `${fact.stream} ${name}`
    if (fact.type === 'UserMuted') running.set(key, until)
    if (fact.type === 'UserUnmuted' && !running.delete(key)) broken.push(`${key} unmuted without a mute`)
    if (fact.type === 'MuteExpired') {
      if (running.get(key) !== due || fired < due)
        broken.push(`${key} expired at ${fired}, due ${due}, ran until ${running.get(key)}`)
      running.delete(key)
    }
  }
  return [...broken, ...[...running.keys()].map((key) => `${key} is muted for ever`)]
}

/** An actor folded from the log alone is the one in memory: state, context and timers. */
const replayIsLife = (facts: readonly Recorded[], world: World): string[] => {
  const broken: string[] = []
  const streams = Map.groupBy(facts, ({ stream }) => stream)
  for (const [stream, recorded] of streams) {
    const actor = world.life?.host.peek(stream)
    const definition = definitions.find(({ kind }) => stream.startsWith(`${kind}-`))
    if (!actor || !definition) continue
    const replayed = createActor(definition.machine)
    const timers = new Map<string, number>()
    let now = 0
    replayed.system.scheduler = {
      schedule: (_source, _target, _event, delay, id) => void timers.set(id as string, now + delay),
      cancel: (_source, id) => void timers.delete(id),
      cancelAll: () => timers.clear(),
    }
    replayed.start()
    for (const fact of recorded) {
      const { at, by, connection } = JSON.parse(fact.metadata)
      now = at
      replayed.send({ type: fact.type, id: fact.id, revision: fact.revision, at, by, connection, data: data(fact) })
    }
    const state = (snapshot: unknown) => {
      const { value, context } = snapshot as { value: unknown; context: unknown }
      return JSON.stringify({ value, context: definition.summarise(context) })
    }
    if (state(actor.snapshot) !== state(replayed.getSnapshot())) broken.push(`${stream}: replay differs from life`)
    const armed = actor.timers.armed().map(({ id, due }) => `${id} ${due}`)
    const due = [...timers].map(([id, at]) => `${id} ${at}`)
    if (armed.sort().join() !== due.sort().join()) broken.push(`${stream}: timers ${armed} where a replay has ${due}`)
    if (actor.revision !== (recorded.at(-1) as Recorded).revision) broken.push(`${stream}: the live actor is behind`)
  }
  return broken
}

/** Whoever is said to have been handed a message for sure was shown it; whoever was shown one is said to have been, at least maybe. */
const witnessesSaw = (facts: readonly Recorded[], world: World): string[] => {
  const db = world.life?.readModels.generations.db
  if (!db) return []
  const everybody = [{ exceptConnection: null, exceptUser: null }]
  const reach = { moneypot: everybody, drivers: everybody }
  return facts
    .filter(({ type }) => type === 'MessagePosted')
    .flatMap((fact) => {
      const { id } = data(fact) as unknown as { id: number }
      const { revision, position, stream } = fact
      const { at } = JSON.parse(fact.metadata)
      const args = { room: stream.slice('room-'.length), id, revision, position, at, reach }
      const { sure, maybe } = handedTo(db, args)
      const [surely, atAll] = [sure, [...sure, ...maybe]].map(
        (some) => new Set(some.map(({ connection }) => connection)),
      )
      return world.clients.flatMap((client) => {
        const saw = client.seen.includes(id)
        if (!saw && surely?.has(client.id))
          return [
            `${client.id} is said to have been handed ${id}, and was not: ${JSON.stringify(sure.find(({ connection }) => connection === client.id))}`,
          ]
        return saw && !atAll?.has(client.id) ? [`${client.id} was shown ${id}, which is not told`] : []
      })
    })
}

const readModelsAreARebuild = async (world: World): Promise<string[]> => {
  const live = world.life?.readModels
  if (!live) return ['no life at the end']
  await live.generations.progress()
  const rebuilt = await LocalReadModels.open(world.log, () => {})
  await rebuilt.generations.progress()
  const equal = dump(live.generations.db) === dump(rebuilt.generations.db)
  await rebuilt.close()
  return equal ? [] : ['the read models differ from a rebuild']
}
