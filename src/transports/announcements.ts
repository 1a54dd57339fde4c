// News of rooms for those who are not in them: that a room was opened, changed or archived, that somebody came to belong
// to it or does no more. A dialect that announces it tells everybody who has signed in; the others tell nobody.

import type { Fact } from '../actors/fact.ts'
import type { Account } from '../actors/identity.ts'
import { pause } from '../actors/ports.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import { notedOwner, roomOf } from '../actors/room/room.facts.ts'
import type { Dialect, NewsView } from '../dialects/dialect.ts'
import { LogUnavailable } from '../log/event-log.ts'
import type { Session } from './session.ts'
import type { SessionsOptions } from './surroundings.ts'
import { Batch } from './transport.ts'

const NEWS: ReadonlySet<string> = new Set(['RoomOpened', 'RoomChanged', 'RoomArchived', 'MemberAdded', 'MemberRemoved'])

/** before what could not be had is asked for again */
const ASK_AGAIN_MS = 1_000

type Options = Pick<SessionsOptions, 'host' | 'identity' | 'readModels' | 'dialects' | 'onFault'>

export class Announcements {
  readonly #options: Options
  readonly #dialects: readonly Dialect[]
  readonly #audience: (dialect: Dialect) => readonly Session[]
  /** rooms whose earlier news is not told yet; what comes after it waits in line */
  readonly #waiting = new Map<string, Promise<void>>()

  constructor(options: Options, audience: (dialect: Dialect) => readonly Session[]) {
    this.#options = options
    this.#dialects = options.dialects.filter(({ announce }) => announce !== undefined)
    this.#audience = audience
  }

  hear(stream: string, facts: readonly Fact[]): void {
    const news = facts.filter(({ type }) => NEWS.has(type))
    if (news.length === 0) return
    const { aliases } = this.#options.host.contextOf<RoomContext>(stream)
    for (const dialect of this.#dialects) {
      if (!aliases.some((alias) => alias.startsWith(`${dialect.name}:`))) continue
      // Those who are signed in now: what comes to pass later is not told for the past.
      const audience = this.#audience(dialect)
      if (audience.length > 0) this.#queue(stream, news, dialect, audience)
    }
  }

  #queue(stream: string, news: readonly Fact[], dialect: Dialect, audience: readonly Session[]): void {
    const turn = (this.#waiting.get(stream) ?? Promise.resolve())
      .then(() => this.#tellAll(news, dialect, audience))
      .catch((error) => this.#options.onFault(`news of ${stream}`, error))
      .finally(() => {
        if (this.#waiting.get(stream) === turn) this.#waiting.delete(stream)
      })
    this.#waiting.set(stream, turn)
  }

  /** As long as what it shows cannot be had, and somebody is there to be told, it waits. */
  async #tellAll(news: readonly Fact[], dialect: Dialect, audience: readonly Session[]): Promise<void> {
    const untold = [...news]
    while (untold.length > 0 && audience.some(({ ended }) => !ended)) {
      try {
        await this.#tell(untold[0] as Fact, dialect, audience)
        untold.shift()
      } catch (error) {
        if (!(error instanceof LogUnavailable)) throw error
        await pause(this.#options.host.clock, ASK_AGAIN_MS)
      }
    }
  }

  async #tell(fact: Fact, dialect: Dialect, audience: readonly Session[]): Promise<void> {
    const view = await this.#view(fact, dialect)
    const frames = view ? (dialect.announce?.(fact, view) ?? []) : []
    if (frames.length === 0) return
    const batch = new Batch(frames)
    for (const session of audience) session.announce(batch)
  }

  async #view({ stream, revision, type, data, metadata }: Fact, dialect: Dialect): Promise<NewsView | null> {
    const { host, readModels } = this.#options
    const id = roomOf(stream)
    const { result: room } = await readModels.query('rooms.get', { id }, { atLeast: { stream, revision } })
    if (!room) return null
    const parent = room.parent === null ? null : (await readModels.query('rooms.get', { id: room.parent }, {})).result
    const { members } = await host.loadContext<RoomContext>(stream)
    const owner = await this.#account(
      members.findKey((role) => role === 'owner') ?? notedOwner(room.extra, dialect.name),
    )
    const { user = null } = data as { user?: string }
    const left = type === 'MemberRemoved' && user !== null
    const since = left ? (await readModels.query('member.since', { room: id, user }, {})).result : metadata.at
    return { room, parent, owner, person: await this.#account(user), since }
  }

  async #account(id: string | null): Promise<Account | null> {
    return id === null ? null : this.#options.identity.byId(id)
  }
}
