// Who listens to which room. What one commit acknowledged for a room is encoded once per dialect and leaves as one
// write a socket; only listeners that an audience names get a selection of their own.

import type { Fact } from '../actors/fact.ts'
import type { Host } from '../actors/host.ts'
import type { Acknowledged } from '../actors/outcome.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { Addressed, Dialect } from '../dialects/dialect.ts'
import { Batch } from './transport.ts'

/** A connection that hears a room. */
export interface Listener {
  readonly id: string
  readonly dialect: Dialect
  /** facts of this room up to this revision are in `batch` */
  deliver(batch: Batch, room: string, revision: number): void
  /** held back more than it may */
  overflow(): void
}

interface Place {
  readonly listener: Listener
  /** live facts wait here until the snapshot has left; null: nothing waits */
  held: Fact[] | null
}

/** Facts that may wait for one snapshot. */
const MAX_HELD = 10_000

export class Hub {
  readonly #host: Host
  readonly #rooms = new Map<string, Map<string, Place>>()

  constructor(host: Host) {
    this.#host = host
    host.onAcknowledged((batch) => this.#hear(batch))
  }

  /** From now on the listener's facts of this room are held back, until `release`. */
  join(room: string, listener: Listener): void {
    let places = this.#rooms.get(room)
    if (!places) {
      places = new Map()
      this.#rooms.set(room, places)
    }
    places.set(listener.id, { listener, held: [] })
  }

  /** The snapshot has been handed over: what was held back follows, and then everything live. */
  release(room: string, listener: Listener): void {
    const place = this.#rooms.get(room)?.get(listener.id)
    if (!place?.held) return
    const { held } = place
    place.held = null
    if (held.length > 0) this.#tell(room, held, [place])
  }

  leave(room: string, listener: Listener): void {
    const places = this.#rooms.get(room)
    places?.delete(listener.id)
    if (places?.size === 0) this.#rooms.delete(room)
  }

  /** Rooms somebody listens to. */
  get size(): number {
    return this.#rooms.size
  }

  #hear({ kind, stream, facts }: Acknowledged): void {
    if (kind !== 'room') return
    const room = stream.slice('room-'.length)
    const places = this.#rooms.get(room)
    if (places) this.#tell(room, facts, places.values())
  }

  #tell(room: string, facts: readonly Fact[], places: Iterable<Place>): void {
    const context = this.#host.peek(roomStream(room))?.snapshot.context as RoomContext
    const revision = (facts.at(-1) as Fact).revision
    const encoded = new Map<Dialect, Encoded>()
    for (const place of places) {
      const { listener, held } = place
      if (held) {
        held.push(...facts)
        if (held.length > MAX_HELD) listener.overflow()
        continue
      }
      let frames = encoded.get(listener.dialect)
      if (!frames) {
        frames = encode(listener.dialect, facts, context)
        encoded.set(listener.dialect, frames)
      }
      const batch = frames.named.has(listener.id) ? selection(frames.all, listener.id) : frames.shared
      if (batch.frames.length > 0) listener.deliver(batch, room, revision)
    }
  }
}

interface Encoded {
  readonly all: readonly Addressed[]
  /** what everybody gets whom no audience names */
  readonly shared: Batch
  readonly named: ReadonlySet<string>
}

const encode = (dialect: Dialect, facts: readonly Fact[], room: RoomContext): Encoded => {
  const all = facts.flatMap((fact) => dialect.encode(fact, { room }))
  const named = new Set<string>()
  for (const { to } of all) if (to !== 'all') named.add('except' in to ? to.except : to.only)
  return { all, named, shared: selection(all, null) }
}

const selection = (all: readonly Addressed[], listener: string | null): Batch =>
  new Batch(
    all
      .filter(({ to }) => to === 'all' || ('except' in to ? to.except !== listener : to.only === listener))
      .map(({ frame }) => frame),
  )
