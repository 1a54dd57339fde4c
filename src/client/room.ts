// A room as a client knows it: kept up to date from its facts, each folded in once.

import type { Client, Refused } from './client.ts'
import type { EventFrame, EventOf } from './frames.ts'

type Message = EventOf<'posted'>['message']
type Present = EventOf<'joined'>['present'][number]
/** After a drop the server did not let this account in again, and why. The room is not heard any more. */
export interface Shut {
  readonly is: 'shut'
  readonly room: string
  readonly refused: Refused
}
export type RoomEvent = Extract<EventFrame, { room: string }> | Shut

/** messages kept here; older ones are a question of `history` */
const MAX_MESSAGES = 1_000

/** randomUUID is there in secure contexts only. */
const reference = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('')

export class Room {
  readonly id: string
  name: string
  mode: EventOf<'joined'>['mode']
  /** of the last fact heard */
  revision: number
  /** oldest first, from where the client came in */
  messages: Message[] = []
  /** user id → who is here */
  readonly present = new Map<string, Present>()
  /** user's folded name → until when (ms since 1970; null: no end) */
  readonly mutes = new Map<string, number | null>()
  /** the last message marked as read, here or on another device; null: none */
  readUpTo: number | null = null
  readonly #client: Client
  readonly #listeners = new Set<(event: RoomEvent) => void>()

  constructor(client: Client, joined: EventOf<'joined'>) {
    this.#client = client
    this.id = joined.room
    this.name = joined.name
    this.mode = joined.mode
    this.revision = joined.revision
    this.#show(joined)
  }

  /** Called with what happens here, after this room shows it. A `joined` means: look at everything anew. */
  on(listener: (event: RoomEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves with the message's id once it is stored. Sent again after a drop, and stored once. */
  async post(
    text: string,
    { id = reference(), replyTo, kind }: { id?: string; replyTo?: number; kind?: 'text' | 'action' } = {},
  ): Promise<number> {
    const more = { ...(replyTo === undefined ? {} : { replyTo }), ...(kind === undefined ? {} : { kind }) }
    const frame = { do: 'post', room: this.id, text, id, ...more } as const
    const done = (await this.#client.command(frame, true)) as EventOf<'done'>
    return done.message as number
  }

  async edit(message: number, text: string): Promise<void> {
    await this.#client.command({ do: 'edit', room: this.id, message, text }, true)
  }

  async remove(message: number, reason: string | null = null): Promise<void> {
    await this.#client.command({ do: 'remove', room: this.id, message, reason }, true)
  }

  async restore(message: number): Promise<void> {
    await this.#client.command({ do: 'restore', room: this.id, message }, true)
  }

  async history(bounds: { before?: number; after?: number; limit?: number } = {}): Promise<EventOf<'history'>> {
    return (await this.#client.command({ do: 'history', room: this.id, ...bounds }, true)) as EventOf<'history'>
  }

  /** A mute replaces an earlier one and is announced: it is not sent again by itself. */
  async mute(user: string, seconds: number | null = null, reason: string | null = null): Promise<void> {
    await this.#client.command({ do: 'mute', room: this.id, user, seconds, reason })
  }

  async unmute(user: string): Promise<void> {
    await this.#client.command({ do: 'unmute', room: this.id, user })
  }

  typing(on = true): void {
    this.#client.tell({ do: 'typing', room: this.id, on })
  }

  read(message: number): void {
    this.#readTo(message)
    this.#client.tell({ do: 'read', room: this.id, message })
  }

  async leave(): Promise<void> {
    await this.#client.command({ do: 'leave', room: this.id }, true)
  }

  /** A frame about this room. What was folded in already is dropped. */
  hear(event: RoomEvent): void {
    if (event.is === 'joined') {
      // What it missed follows, each with its own revision.
      if (event.resumed) this.#people(event)
      else {
        this.revision = event.revision
        this.#show(event)
      }
    } else if ('revision' in event) {
      if (event.revision !== null) {
        if (event.revision <= this.revision) return
        this.revision = event.revision
      }
      this.#fold(event)
    }
    if (event.is === 'read' && event.user.id === this.#client.user?.id) this.#readTo(event.message)
    for (const listener of this.#listeners) listener(event)
  }

  /** Messages of others behind what was read. */
  get unread(): number {
    const mine = this.#client.user?.id
    return this.messages.filter(({ id, author }) => id > (this.readUpTo ?? 0) && author.id !== mine).length
  }

  #readTo(message: number): void {
    this.readUpTo = Math.max(this.readUpTo ?? 0, message)
  }

  #show(joined: EventOf<'joined'>): void {
    this.messages = [...joined.messages]
    this.#people(joined)
  }

  #people({ name, mode, present, mutes, readUpTo }: EventOf<'joined'>): void {
    if (readUpTo !== null) this.#readTo(readUpTo)
    this.name = name
    this.mode = mode
    this.present.clear()
    for (const each of present) this.present.set(each.id, each)
    this.mutes.clear()
    for (const { user, until } of mutes) this.mutes.set(user, until)
  }

  #fold(event: Exclude<RoomEvent, { is: 'joined' } | Shut>): void {
    switch (event.is) {
      case 'posted':
        this.messages.push(event.message)
        if (this.messages.length > MAX_MESSAGES) this.messages = this.messages.slice(-MAX_MESSAGES / 2)
        return
      case 'edited':
        this.messages = this.messages.map((message) =>
          message.id === event.message ? { ...message, text: event.text, edited: true } : message,
        )
        return
      case 'removed':
        this.messages = this.messages.filter(({ id }) => id !== event.message)
        return
      case 'entered':
        this.present.set(event.user.id, event.user)
        return
      case 'left':
        this.present.delete(event.user.id)
        return
      case 'muted':
        this.mutes.set(event.user, event.until)
        return
      case 'unmuted':
        this.mutes.delete(event.user)
        return
      case 'changed':
        this.name = event.name
        this.mode = event.mode
        return
      default:
        return
    }
  }
}
