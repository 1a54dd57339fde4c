// What must hold of a log that was written by many lives, each of which was killed.

import { expect } from 'vitest'
import type { Recorded } from '../src/log/event-log.ts'

export interface Said {
  readonly id: number
  readonly text: string
}

/** A sanction that was acknowledged: over in a second, in force to the end, or taken back at once. */
export interface Deed {
  readonly kind: 'mute' | 'ban'
  readonly is: 'short' | 'long' | 'lifted'
  readonly name: string
}

/** Each acknowledged text once, each speaker's in the order of acknowledgement. */
export const holdsEvery = (said: readonly Said[], acknowledged: ReadonlyMap<string, readonly string[]>): void => {
  const texts = said.map(({ text }) => text)
  expect(new Set(texts).size).toBe(texts.length)
  for (const [speaker, own] of acknowledged) {
    const known = new Set(own)
    expect(texts.filter((text) => text.startsWith(`${speaker} `) && known.has(text))).toEqual(own)
  }
}

/** Every stream from its first fact on, every position after the one before, every fact whole. */
export const gapless = (facts: readonly Recorded[]): void => {
  const next = new Map<string, number>()
  let last = 0
  for (const { stream, revision, position, data, metadata } of facts) {
    expect([stream, revision]).toEqual([stream, next.get(stream) ?? 0])
    next.set(stream, revision + 1)
    expect(position).toBeGreaterThan(last)
    last = position
    for (const text of [data, metadata]) JSON.parse(text)
  }
}

/** The messages, in the order of the log: their ids grow in it, and whatever was stored was sent, as it was sent, once. */
export const saidIn = (facts: readonly Recorded[], sent: ReadonlySet<string>): Said[] => {
  const posted = facts.filter(({ type }) => type === 'MessagePosted')
  const ids = new Map<string, number>()
  const said = posted.map(({ stream, data }) => {
    const { id, text } = JSON.parse(data) as Said
    expect(id).toBeGreaterThan(ids.get(stream) ?? 0)
    ids.set(stream, id)
    return { id, text }
  })
  expect(new Set(said.map(({ id }) => id)).size).toBe(said.length)
  expect(new Set(said.map(({ text }) => text)).size).toBe(said.length)
  expect(said.filter(({ text }) => !sent.has(text))).toEqual([])
  return said
}

/** Whoever entered a room or came online has left it by the end. */
export const nobodyLeftBehind = (facts: readonly Recorded[]): void => {
  const inside = new Map<string, number>()
  const count = (key: string, by: number) => inside.set(key, (inside.get(key) ?? 0) + by)
  for (const { stream, type, data } of facts) {
    if (type === 'PresenceEntered' || type === 'CameOnline') count(`${stream} ${JSON.parse(data).connection}`, 1)
    if (type === 'PresenceLeft' || type === 'WentOffline') count(`${stream} ${JSON.parse(data).connection}`, -1)
    if (type === 'ConnectionOpened') count(stream, 1)
    if (type === 'ConnectionClosed') count(stream, -1)
  }
  expect(inside.size).toBeGreaterThan(0)
  expect([...inside].filter(([, left]) => left !== 0)).toEqual([])
}

/**
 * What was to be over soon ended by its time, once, then or later, and a late end says so; what was not did not.
 * `overdue`: nobody ran when these came due, and for more than a second after.
 */
export const sanctionsEnded = (
  facts: readonly Recorded[],
  deeds: readonly Deed[],
  overdue: ReadonlySet<string>,
): void => {
  const read = (type: string) => facts.filter((fact) => fact.type === type).map(({ data }) => JSON.parse(data))
  const names = namesIn(facts)
  for (const [kind, began, ended] of [
    ['mute', 'UserMuted', 'MuteExpired'],
    ['ban', 'MemberBanned', 'MemberBanExpired'],
  ] as const) {
    const nameOf = ({ name, user }: { name?: string; user: string }) => name ?? (names.get(user) as string)
    const set = read(began)
    const over = read(ended)
    const called = (is: readonly string[]) =>
      deeds.flatMap((deed) => (deed.kind === kind && is.includes(deed.is) ? [deed.name] : [])).sort()
    const known = new Set(called(['short', 'long', 'lifted']))
    expect(
      set
        .map(nameOf)
        .filter((name) => known.has(name))
        .sort(),
    ).toEqual([...known].sort())
    // One whose answer the death swallowed may be there too, and ends like the others.
    const short = set.filter(({ until }, at) => nameOf(set[at]).startsWith('short') && until !== null)
    expect(over.map(nameOf).sort()).toEqual(short.map(nameOf).sort())
    const untils = new Map(short.map((fact) => [nameOf(fact), fact.until as number]))
    for (const fact of over) {
      const { due, fired, late } = fact as { due: number; fired: number; late: boolean }
      expect(due).toBe(untils.get(nameOf(fact)))
      expect(fired).toBeGreaterThanOrEqual(due)
      expect(late).toBe(fired - due > 1_000)
    }
    const kept = over.filter((fact) => overdue.has(nameOf(fact)))
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.filter(({ late }) => !late)).toEqual([])
  }
}

/** The names of those whose time was to be short and is not over on record. */
export const unended = (facts: readonly Recorded[], deeds: readonly Deed[]): Set<string> => {
  const names = namesIn(facts)
  const over = facts.filter(({ type }) => type === 'MuteExpired' || type === 'MemberBanExpired')
  const ended = new Set(over.map(({ data }) => JSON.parse(data)).map(({ name, user }) => name ?? names.get(user)))
  return new Set(deeds.flatMap(({ is, name }) => (is === 'short' && !ended.has(name) ? [name] : [])))
}

const namesIn = (facts: readonly Recorded[]): Map<string, string> =>
  new Map(
    facts
      .filter(({ type }) => type === 'UserRegistered')
      .map(({ data }) => JSON.parse(data))
      .map(({ user, username }) => [user, username]),
  )
