// A dialect is a pure codec: frames into requests, facts and outcomes into frames. It holds no rule of chat, keeps no
// state and does no I/O. What differs between dialects beside frames is data, in its profile.

import type { CloseCause, ConnectionLimits } from '../actors/connection/connection.facts.ts'
import type { Fact, Person } from '../actors/fact.ts'
import type { Outcome } from '../actors/outcome.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import type { TextFault } from '../actors/room/room.facts.ts'

/** What came in: a named event with its arguments; `ack` is the transport's own reference to the callback given. */
export interface FrameIn {
  readonly event: string
  readonly args: readonly unknown[]
  readonly ack: number | null
}

/** What goes out: an event, or the answer to a callback. */
export type FrameOut =
  | { readonly event: string; readonly args: readonly unknown[] }
  | { readonly ack: number; readonly args: readonly unknown[] }

/** What a client asks for, in the words of the core. */
export type Request =
  /** sign in (or stay anonymous) and enter the room of this alias; `token`: hex SHA-256 of the token */
  | { readonly do: 'enter'; readonly alias: string; readonly token: string | null }
  | {
      readonly do: 'post'
      readonly text: string
      readonly clientRef: string | null
      readonly fault?: TextFault
    }
  /** `name` folded */
  | {
      readonly do: 'mute'
      readonly name: string
      readonly seconds: number | null
      readonly fault?: TextFault | 'command-invalid'
    }
  | { readonly do: 'unmute'; readonly name: string; readonly fault?: TextFault | 'command-invalid' }

/** How far a connection is, as far as decoding depends on it. */
export type Standing = 'connected' | 'authenticating' | 'entered'

export type Decoded =
  | { readonly is: 'request'; readonly request: Request }
  /** a refusal `malformed`: `path` says where, `reply` goes to the sender once that is on record */
  | { readonly is: 'malformed'; readonly path: string; readonly reply: readonly FrameOut[] }
  | { readonly is: 'ignored' }

export interface SnapshotMessage {
  readonly id: number
  readonly author: Person
  readonly text: string
  readonly at: number
}

/** A room at one revision: what an entering client is shown before live facts follow. */
export interface Snapshot {
  readonly user: Person | null
  readonly room: RoomContext
  readonly history: readonly SnapshotMessage[]
}

/** Who hears a frame. */
export type Audience = 'all' | { readonly except: string } | { readonly only: string }

export interface Addressed {
  readonly frame: FrameOut
  readonly to: Audience
}

/** What a codec may know of the room when it encodes a fact of it. */
export interface View {
  readonly room: RoomContext
}

/** How the socket is ended: `disconnect` tells the client not to come back by itself, `drop` lets it. */
export interface Closing {
  readonly frames: readonly FrameOut[]
  readonly how: 'disconnect' | 'drop'
}

export interface Profile {
  readonly limits: ConnectionLimits
  /** no frame for this long: WentIdle */
  readonly idleAfterMs: number
  /** messages in the snapshot */
  readonly history: number
}

export interface Dialect {
  readonly name: string
  readonly version: number
  readonly profile: Profile
  /** the events that tell this dialect apart on a shared listener; no two dialects share one */
  readonly events: readonly string[]
  /** total: any frame at all */
  decode(frame: FrameIn, standing: Standing): Decoded
  /** the answer to `enter`, once everything it tells of is on the log */
  welcome(ack: number | null, snapshot: Snapshot): readonly FrameOut[]
  /** what the asker alone gets for a request */
  reply(request: Request, outcome: Outcome, ack: number | null): readonly FrameOut[]
  /** what listeners of the room get for a fact */
  encode(fact: Fact, view: View): readonly Addressed[]
  closing(cause: CloseCause): Closing
}
