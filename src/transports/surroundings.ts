// What a session needs of everything else on its node.

import type { CloseCause } from '../actors/connection/connection.facts.ts'
import type { Host } from '../actors/host.ts'
import type { Identity } from '../actors/identity.ts'
import type { RateLimits } from '../actors/rate.ts'
import type { RefusalCode } from '../actors/refusals.ts'
import type { Rooms } from '../actors/rooms.ts'
import type { Closing, Dialect, FrameIn, FrameOut } from '../dialects/dialect.ts'
import type { ReadModels } from '../projections/read-models.ts'
import type { Hub } from './hub.ts'
import type { Session } from './session.ts'

export interface SessionsOptions {
  readonly host: Host
  readonly identity: Identity
  readonly rooms: Rooms
  /** of messages */
  readonly rates: RateLimits
  /** of what else a client has stored */
  readonly acts: RateLimits
  readonly readModels: ReadModels
  readonly hub: Hub
  readonly node: string
  readonly incarnation: string
  readonly dialects: readonly Dialect[]
  readonly maxConnections: number
  /** are typing events told and recorded? */
  readonly typing: boolean
  /** the log's identity */
  readonly epoch: string
  /** position of the last fact */
  head(): Promise<number>
  onFault(where: string, error: unknown): void
}

/** Hears what sessions hear and say. */
export interface Tap {
  opened(session: Session): void
  heard(session: Session, frame: FrameIn): void
  told(session: Session, frames: readonly FrameOut[]): void
  /** its client went */
  left(session: Session): void
  /** we ended it */
  closed(session: Session, closing: Closing): void
}

/** What a session needs of everything else. */
export interface Surroundings extends Omit<SessionsOptions, 'dialects' | 'maxConnections'> {
  /** mostly none */
  readonly taps: ReadonlySet<Tap>
  dialectOf(event: string): Dialect | null
  flushLater(session: Session): void
  count(what: Counted): void
  refused(code: RefusalCode): void
  /** it ended before its first frame: counted per minute, not recorded one by one */
  turnedAway(cause: CloseCause): void
  gone(session: Session): void
  /** the node is going: what is not on record yet, the next start repairs */
  stopping(): boolean
}

export type Counted = 'frames_ignored' | 'turned_away' | 'opened' | `closed_${CloseCause}`
