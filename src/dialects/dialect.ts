// A dialect is a pure codec: frames into requests, facts and outcomes into frames. It holds no rule of chat, keeps no
// state and does no I/O. What differs between dialects beside frames is data, in its profile.

import type { CloseCause, ConnectionLimits } from '../actors/connection/connection.facts.ts'
import type { AccountRole, Fact, Person } from '../actors/fact.ts'
import type { Outcome } from '../actors/outcome.ts'
import type { RefusalCode } from '../actors/refusals.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import type { RoomExtra, TextFault } from '../actors/room/room.facts.ts'

/** A named event with its arguments (socket.io); `ack` is the transport's own reference to the callback given. */
export interface EventIn {
  readonly event: string
  readonly args: readonly unknown[]
  readonly ack: number | null
}

/** A WebSocket message; null: it was binary. */
export interface TextIn {
  readonly text: string | null
}

/** The address that a WebSocket was opened at, where the dialect reads it: before any message. */
export interface OpenedIn {
  readonly query: URLSearchParams
}

export type FrameIn = EventIn | TextIn | OpenedIn

/** What goes out: an event, the answer to a callback, or a value as the JSON of a WebSocket text message. */
export type FrameOut =
  | { readonly event: string; readonly args: readonly unknown[] }
  | { readonly ack: number; readonly args: readonly unknown[] }
  | { readonly json: unknown }

/** A room as clients of a dialect name it: an alias (`maint:1`) or an id. */
export type RoomName = string

/** A token's text, the hex SHA-256 of it, or a JSON Web Token of another party. */
export type Credential = { readonly token: string } | { readonly hashedToken: string } | { readonly jwt: string }

/** How a client wants to be served, from its welcome on. */
export interface ConnectionOptions {
  /** each frame a binary message, all of them one zlib stream */
  readonly zlib?: boolean
  /** false: it does not hear of others' statuses */
  readonly statuses?: boolean
}

/** What a client asks for, in the words of the core. `tag`: its own reference to the request, for the answer. */
export type Request = { readonly tag?: string | number | null } & (
  | {
      readonly do: 'sign-in'
      /** null: nobody, who may read what anybody may */
      readonly credential: Credential | null
      readonly options?: ConnectionOptions
      /** a fault of the rest, told only to whoever the credential lets in */
      readonly fault?: CloseReason
    }
  /** sign in (null: stay anonymous) and enter this room */
  | { readonly do: 'enter'; readonly room: RoomName; readonly credential: Credential | null }
  /** `since`: it heard the room up to there, and wants what it missed */
  | {
      readonly do: 'join'
      readonly room: RoomName
      readonly since?: { readonly epoch: string; readonly revision: number }
    }
  | { readonly do: 'leave'; readonly room: RoomName }
  | {
      readonly do: 'post'
      /** null: the one room that this connection is in */
      readonly room: RoomName | null
      readonly text: string
      readonly clientRef: string | null
      readonly replyTo?: number | null
      /** absent: text */
      readonly kind?: 'text' | 'action'
      /** what the dialect wants kept beside the text, under its own name */
      readonly extra?: Readonly<Record<string, unknown>> | null
      readonly fault?: TextFault
    }
  | {
      readonly do: 'edit'
      readonly room: RoomName
      readonly message: number
      readonly text: string
      readonly fault?: TextFault
    }
  | { readonly do: 'remove'; readonly room: RoomName; readonly message: number; readonly reason: string | null }
  | { readonly do: 'restore'; readonly room: RoomName; readonly message: number }
  /** it was read up to this message */
  | { readonly do: 'read'; readonly room: RoomName; readonly message: number }
  /** `named`: the client wants the name shown beside the account's number */
  | { readonly do: 'typing'; readonly room: RoomName; readonly on: boolean; readonly named?: boolean }
  | {
      readonly do: 'history'
      readonly room: RoomName
      /** message ids, exclusive; with neither the newest */
      readonly before: number | null
      readonly after?: number | null
      readonly limit: number
    }
  /** `name` folded */
  | {
      readonly do: 'mute'
      readonly room: RoomName | null
      readonly name: string
      readonly seconds: number | null
      readonly reason?: string | null
      readonly fault?: TextFault | 'command-invalid'
    }
  | {
      readonly do: 'unmute'
      readonly room: RoomName | null
      readonly name: string
      readonly fault?: TextFault | 'command-invalid'
    }
  | { readonly do: 'status'; readonly status: Readonly<Record<string, unknown>> }
  /** asks nothing of anybody: a ping */
  | { readonly do: 'answer'; readonly frames: readonly FrameOut[] }
)

/** How far a connection is, as far as decoding depends on it. */
export type Standing = 'connected' | 'authenticating' | 'ready'

/** A close code and the words beside it. */
export interface CloseReason {
  readonly code: number | null
  readonly reason: string | null
}

export type Decoded =
  | { readonly is: 'request'; readonly request: Request }
  /** a refusal `malformed`: `path` says where, `reply` goes to the sender once that is on record */
  | {
      readonly is: 'malformed'
      readonly path: string
      readonly reply: readonly FrameOut[]
      /** counts against the profile's strikes, or ends the connection; absent: it stays */
      readonly after?: 'strike' | CloseReason
    }
  | { readonly is: 'ignored' }

export interface MessageView {
  readonly id: number
  readonly author: Person
  readonly text: string
  readonly kind: 'text' | 'action'
  /** ms since 1970 */
  readonly at: number
  readonly ref: string | null
  readonly replyTo: number | null
  readonly extra: Readonly<Record<string, unknown>> | null
  readonly edited: boolean
}

/** A room at one revision, and whoever is there: entered, or online as a member. */
export interface RoomView {
  readonly room: RoomContext
  readonly present: readonly Person[]
  readonly revision: number
  /** of a space that is followed: its owner's number */
  readonly owner: number | null
}

/** What a connection is told when it has signed in, or has entered a room. */
export interface Welcome {
  readonly connection: string
  /** the log's identity: revisions of another one mean nothing */
  readonly epoch: string
  /** null: an anonymous reader */
  readonly user: { readonly id: string; readonly number: number; readonly username: string } | null
  readonly account: AccountRole | null
  /** the rooms it hears from now on, beginning at their revisions */
  readonly rooms: readonly RoomView[]
  /** of the room entered, oldest first */
  readonly history: readonly MessageView[]
  /** what a resuming connection missed, which follows as it happened; null: it has the history instead */
  readonly missed: readonly Fact[] | null
  /** the last message of the room entered that the account has marked as read; null: none, or the profile asks for none */
  readonly readUpTo: number | null
}

/** What a connection is told when it comes to follow a room after it has signed in. */
export interface Followed {
  readonly connection: string
  readonly user: string
  readonly room: RoomView
  /** the rooms of a space that it follows with it */
  readonly channels: readonly RoomView[]
  /** of the space that the room is in, null where there is none */
  readonly space: RoomContext | null
  /** why: MemberAdded, or the RoomOpened of a channel */
  readonly because: Fact
}

/** What an answer may tell beside its outcome. */
export interface Told {
  /** the room asked about */
  readonly room: RoomContext | null
  /** the message that a repeated reference was first used for, or one posted to a room that its sender does not hear */
  readonly message: MessageView | null
  readonly history: readonly MessageView[]
  /** there are older (or, asked with `after`, newer) messages */
  readonly more: boolean
}

/** Who hears a frame: by connection, or all connections of an account. */
export type Audience =
  | 'all'
  | { readonly except: string }
  | { readonly only: string }
  | { readonly exceptUser: string }
  | { readonly onlyUser: string }

export interface Addressed {
  readonly frame: FrameOut
  readonly to: Audience
  /** left out for connections that want none of these */
  readonly topic?: 'status'
}

/** What a codec may know of the room when it encodes a fact of it. */
export interface View {
  readonly room: RoomContext
  /** the space that the room is in */
  readonly space: RoomContext | null
  /** the owner's number, for RoomChanged of a space */
  readonly owner: number | null
  /** the message of MessageEdited, MessageRemoved, MessageRestored */
  readonly message: MessageView | null
  /** the account of TypingStarted, TypingStopped, StatusChanged, MemberAdded; of a mute, ban or kick where the profile tells of those */
  readonly person: Person | null
}

/** A room as the read models have it, at or after the fact that is announced. Times are ms since 1970. */
export interface RoomNews {
  readonly name: string
  readonly kind: 'room' | 'space'
  readonly aliases: readonly string[]
  readonly openedAt: number
  /** since when only staff may write; null: it is open */
  readonly lockedAt: number | null
  readonly extra: RoomExtra
}

/** What a codec may know when it announces a fact of a room to whoever has signed in, there or not. */
export interface NewsView {
  readonly room: RoomNews
  readonly parent: RoomNews | null
  readonly owner: Pick<Person, 'number' | 'username'> | null
  /** the account that the fact is about */
  readonly person: Pick<Person, 'number' | 'username'> | null
  /** since when that account has or had belonged to the room */
  readonly since: number | null
}

/** How the socket is ended: `disconnect` tells the client not to come back by itself, `drop` lets it. */
export interface Closing extends CloseReason {
  readonly frames: readonly FrameOut[]
  readonly how: 'disconnect' | 'drop'
}

export interface Profile {
  readonly limits: ConnectionLimits
  /** no frame for this long: WentIdle */
  readonly idleAfterMs: number
  /** messages shown on entering a room */
  readonly history: number
  /** a token that is not in force: its bearer may read, may try again, or is closed */
  readonly unknownToken: 'reads' | 'may-retry' | 'closes'
  /** which rooms a connection hears once it has signed in: those it asks for, or all that it belongs to */
  readonly rooms: 'asked-for' | 'entered-at-sign-in' | 'followed-at-sign-in'
  /** a robot hears and may write in every room that the dialect shows, a member or not; absent: as others do */
  readonly robots?: 'everywhere'
  /** a connection that is put out of its only room has nothing left */
  readonly oneRoom: boolean
  /** connections an account may have in this dialect: a newer one closes the older; 0: any number */
  readonly socketsPerAccount: number
  /** WebSocket close codes by cause */
  readonly closeCodes: Readonly<Partial<Record<CloseCause, number>>>
  /** a sign-in that cannot be decided now has no answer in this dialect: the connection ends, and may come back */
  readonly endsUnanswered?: boolean
  /** told when there are as many connections as may be */
  readonly whenFull?: CloseReason
  /** for a peer that answers no ping */
  readonly lostCode: number | null
  /** its frames about an edit or a removal show the whole message, which is looked up before they leave */
  readonly showsWholeMessages: boolean
  /** its frames tell of mutes, bans and kicks, also of whoever is away: looked up before they leave */
  readonly tellsOfSanctions?: true
  /** its frames tell of a room's space, its owner and who joins it: looked up before they leave */
  readonly tellsOfSpaces?: true
  /** whoever enters a room is told how far they have read there */
  readonly tellsReads?: boolean
}

export interface Dialect {
  readonly name: string
  readonly version: number
  readonly profile: Profile
  /** socket.io: the events that tell this dialect apart on a shared listener; no two dialects share one */
  readonly events: readonly string[]
  /** the frame that says something in a room, by the name its page has for it; null: clients say it over REST */
  readonly posts: string | null
  /** WebSocket: the path it is served at; null: it speaks socket.io */
  readonly path: string | null
  /** WebSocket: the address it was opened at says something, too */
  readonly readsAddress?: boolean
  /** what the server says first */
  readonly greeting: readonly FrameOut[]
  /** total: any frame at all. `connection`: its id, for answers that name it */
  decode(frame: FrameIn, standing: Standing, connection?: string): Decoded
  /** the answer to `sign-in` and `enter`, once everything it tells of is on the log */
  welcome(request: Request, welcome: Welcome, ack: number | null): readonly FrameOut[]
  /** what a connection is told before it hears a room that it came to follow after its welcome */
  followed?(followed: Followed): readonly FrameOut[]
  /** what the asker alone gets for a request */
  reply(request: Request, outcome: Outcome, ack: number | null, told: Told): readonly FrameOut[]
  /** what listeners of the room get for a fact */
  encode(fact: Fact, view: View): readonly Addressed[]
  /** a refusal that ends the connection, once it was told */
  endsWith?(request: Request, code: RefusalCode): CloseReason | null
  /** what every signed-in connection of this dialect gets for a fact of any room that the dialect shows */
  announce?(fact: Fact, view: NewsView): readonly FrameOut[]
  closing(cause: CloseCause, told: CloseReason): Closing
}

export const TOLD_NOTHING: Told = { room: null, message: null, history: [], more: false }
