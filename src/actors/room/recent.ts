// What happened within the last while, as a persistent map: two generations, the older of which is dropped whole.
//
// A key noted is found for at least `windowMs` of fact time (and at most twice that, or longer while nothing is
// noted); forgetting costs nothing per entry, where pruning an ordered map would walk it on every message.

import { Map as PersistentMap } from 'immutable'

export interface Recent<T> {
  /** ms since 1970: when `current` began */
  readonly since: number
  readonly current: PersistentMap<string, T>
  readonly previous: PersistentMap<string, T>
}

/** A generation holds at most this many; a fuller one is turned early, so a flood cannot fill the memory. */
const MAX_IN_GENERATION = 100_000

export const noneRecent = <T>(): Recent<T> => ({ since: 0, current: PersistentMap(), previous: PersistentMap() })

export const findRecent = <T>({ current, previous }: Recent<T>, key: string): T | undefined =>
  current.get(key) ?? previous.get(key)

export const noteRecent = <T>(recent: Recent<T>, key: string, value: T, at: number, windowMs: number): Recent<T> => {
  const { since, current, previous } = recent
  const age = at - since
  if (age <= windowMs && current.size < MAX_IN_GENERATION) return { since, current: current.set(key, value), previous }
  // After two windows of silence nothing in `current` is within the window either.
  return { since: at, current: PersistentMap([[key, value]]), previous: age > 2 * windowMs ? PersistentMap() : current }
}

export const summariseRecent = <T>({ since, current, previous }: Recent<T>) => ({
  since,
  current: [...current],
  previous: [...previous],
})

export const restoreRecent = <T>({ since, current, previous }: ReturnType<typeof summariseRecent<T>>): Recent<T> => ({
  since,
  current: PersistentMap(current),
  previous: PersistentMap(previous),
})
