// Printed from src/dialects/native/schema.ts: UPDATE_NATIVE=1 npx vitest run test/native-pages.test.ts

/** What a client sends. */
export type CommandFrame =
  /** Who it is. First of all. */
  | { readonly do: 'sign-in'; readonly ref?: string | number; readonly token: string | null }
  /** Enter a room and hear it. With `since`, what was missed comes instead of a snapshot. */
  | {
      readonly do: 'join'
      readonly ref?: string | number
      readonly room: string
      readonly since?: { readonly epoch: string; readonly revision: number }
    }
  /** Leave a room. */
  | { readonly do: 'leave'; readonly ref?: string | number; readonly room: string }
  /** Say something. The same `id` again is stored once, and answered the same. */
  | {
      readonly do: 'post'
      readonly ref?: string | number
      readonly room: string
      readonly text: string
      readonly id?: string
      readonly replyTo?: number
      readonly kind?: 'text' | 'action'
    }
  /** Change a message of one’s own. */
  | {
      readonly do: 'edit'
      readonly ref?: string | number
      readonly room: string
      readonly message: number
      readonly text: string
    }
  /** Hide a message: its author, or staff. */
  | {
      readonly do: 'remove'
      readonly ref?: string | number
      readonly room: string
      readonly message: number
      readonly reason?: string | null
    }
  /** Show a removed message again: staff. */
  | { readonly do: 'restore'; readonly ref?: string | number; readonly room: string; readonly message: number }
  /** One is writing, or no more. Told at most once a second. */
  | { readonly do: 'typing'; readonly ref?: string | number; readonly room: string; readonly on: boolean }
  /** One has read up to this message. */
  | { readonly do: 'read'; readonly ref?: string | number; readonly room: string; readonly message: number }
  /** Messages before or after an id; with neither the newest. Oldest first. */
  | {
      readonly do: 'history'
      readonly ref?: string | number
      readonly room: string
      readonly before?: number
      readonly after?: number
      readonly limit?: number
    }
  /** Keep somebody from writing: staff. */
  | {
      readonly do: 'mute'
      readonly ref?: string | number
      readonly room: string
      readonly user: string
      readonly seconds?: number | null
      readonly reason?: string | null
    }
  /** End a mute: staff. */
  | { readonly do: 'unmute'; readonly ref?: string | number; readonly room: string; readonly user: string }
  /** Answered at once. */
  | { readonly do: 'ping'; readonly ref?: string | number }

/** What the server sends. */
export type EventFrame =
  /** The first frame. */
  | { readonly is: 'hello'; readonly protocol: 1 }
  /** The answer to `sign-in`. Another epoch than before: forget every revision. */
  | {
      readonly is: 'signed-in'
      readonly ref: string | number | null
      readonly epoch: string
      readonly connection: string
      readonly user: { readonly id: string; readonly number: number; readonly username: string } | null
    }
  /** The answer to `join`. Live frames above `revision` follow. */
  | {
      readonly is: 'joined'
      readonly ref: string | number | null
      readonly room: string
      readonly revision: number
      readonly name: string
      readonly mode: 'open' | 'slow' | 'locked'
      readonly present: {
        readonly id: string
        readonly number: number
        readonly username: string
        readonly role: 'owner' | 'admin' | 'mod' | 'robot' | 'member'
      }[]
      readonly mutes: { readonly user: string; readonly until: number | null }[]
      readonly readUpTo: number | null
      readonly resumed: boolean
      readonly tooFarBehind: boolean
      readonly messages: {
        readonly id: number
        readonly author: {
          readonly id: string
          readonly number: number
          readonly username: string
          readonly role: 'owner' | 'admin' | 'mod' | 'robot' | 'member'
        }
        readonly text: string
        readonly kind: 'text' | 'action'
        readonly at: number
        readonly ref: string | null
        readonly replyTo: number | null
        readonly edited: boolean
      }[]
    }
  /** A command was carried out; `message` is the id of what was posted. */
  | { readonly is: 'done'; readonly ref: string | number | null; readonly message?: number }
  /** The answer to `history`. */
  | {
      readonly is: 'history'
      readonly ref: string | number | null
      readonly room: string
      readonly messages: {
        readonly id: number
        readonly author: {
          readonly id: string
          readonly number: number
          readonly username: string
          readonly role: 'owner' | 'admin' | 'mod' | 'robot' | 'member'
        }
        readonly text: string
        readonly kind: 'text' | 'action'
        readonly at: number
        readonly ref: string | null
        readonly replyTo: number | null
        readonly edited: boolean
      }[]
      readonly more: boolean
    }
  /** A command was refused, and why; nothing changed. */
  | {
      readonly is: 'refused'
      readonly ref: string | number | null
      readonly code: string
      readonly title: string
      readonly retryable: boolean
      readonly values: Readonly<Record<string, string | number | boolean | null>>
    }
  /** The last frame before the close, which has the same code. null: do not come back by yourself. */
  | { readonly is: 'closing'; readonly code: number; readonly reason: string; readonly comeBackAfterMs: number | null }
  /** A message. */
  | {
      readonly is: 'posted'
      readonly room: string
      readonly revision: number
      readonly at: number
      readonly message: {
        readonly id: number
        readonly author: {
          readonly id: string
          readonly number: number
          readonly username: string
          readonly role: 'owner' | 'admin' | 'mod' | 'robot' | 'member'
        }
        readonly text: string
        readonly kind: 'text' | 'action'
        readonly at: number
        readonly ref: string | null
        readonly replyTo: number | null
        readonly edited: boolean
      }
    }
  /** A message has another text. */
  | {
      readonly is: 'edited'
      readonly room: string
      readonly revision: number
      readonly at: number
      readonly message: number
      readonly text: string
    }
  /** A message is hidden. */
  | {
      readonly is: 'removed'
      readonly room: string
      readonly revision: number
      readonly at: number
      readonly message: number
      readonly by: { readonly id: string; readonly number: number; readonly username: string } | null
    }
  /** A removed message is shown again. */
  | {
      readonly is: 'restored'
      readonly room: string
      readonly revision: number
      readonly at: number
      readonly message: number
      readonly by: { readonly id: string; readonly number: number; readonly username: string } | null
    }
  /** Somebody is here, on a first connection. */
  | {
      readonly is: 'entered'
      readonly room: string
      readonly revision: number | null
      readonly at: number
      readonly user: {
        readonly id: string
        readonly number: number
        readonly username: string
        readonly role: 'owner' | 'admin' | 'mod' | 'robot' | 'member'
      }
    }
  /** Somebody is gone, with the last connection. */
  | {
      readonly is: 'left'
      readonly room: string
      readonly revision: number | null
      readonly at: number
      readonly user: {
        readonly id: string
        readonly number: number
        readonly username: string
        readonly role: 'owner' | 'admin' | 'mod' | 'robot' | 'member'
      }
    }
  /** Somebody may not write. */
  | {
      readonly is: 'muted'
      readonly room: string
      readonly revision: number
      readonly at: number
      readonly user: string
      readonly until: number | null
      readonly by: { readonly id: string; readonly number: number; readonly username: string } | null
      readonly reason: string | null
    }
  /** A mute ended, by somebody or (null) by its time. */
  | {
      readonly is: 'unmuted'
      readonly room: string
      readonly revision: number
      readonly at: number
      readonly user: string
      readonly by: { readonly id: string; readonly number: number; readonly username: string } | null
    }
  /** The room’s name or mode. */
  | {
      readonly is: 'changed'
      readonly room: string
      readonly revision: number
      readonly at: number
      readonly name: string
      readonly mode: 'open' | 'slow' | 'locked'
    }
  /** A member’s role in the room; null: a member no more. */
  | {
      readonly is: 'role'
      readonly room: string
      readonly revision: number
      readonly at: number
      readonly user: string
      readonly role: 'owner' | 'admin' | 'mod' | 'robot' | 'member' | null
    }
  /** Put out, until (null: no end). */
  | {
      readonly is: 'banned'
      readonly room: string
      readonly revision: number
      readonly at: number
      readonly user: string
      readonly until: number | null
      readonly by: { readonly id: string; readonly number: number; readonly username: string } | null
    }
  /** Put out; may come back. */
  | {
      readonly is: 'kicked'
      readonly room: string
      readonly revision: number
      readonly at: number
      readonly user: string
      readonly by: { readonly id: string; readonly number: number; readonly username: string } | null
    }
  /** The room is closed for good. */
  | {
      readonly is: 'archived'
      readonly room: string
      readonly revision: number
      readonly at: number
      readonly by: { readonly id: string; readonly number: number; readonly username: string } | null
    }
  /** Somebody is writing, or no more. */
  | {
      readonly is: 'typing'
      readonly room: string
      readonly user: { readonly id: string; readonly number: number; readonly username: string }
      readonly on: boolean
    }
  /** Somebody has read up to this message. */
  | {
      readonly is: 'read'
      readonly room: string
      readonly user: { readonly id: string; readonly number: number; readonly username: string }
      readonly message: number
    }

export type EventOf<Name extends EventFrame['is']> = Extract<EventFrame, { is: Name }>
