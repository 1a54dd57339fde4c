// What the OpenAPI document says of a route beside its schemas.

import * as shapes from './shapes.ts'

export const TAGS = {
  users: 'accounts, their tokens and roles',
  rooms: 'rooms and spaces',
  members: 'who belongs to a room',
  messages: 'what is said, and search in it',
  moderation: 'mutes, bans, kicks, rules, and the log of what staff did',
  record: 'connections, facts and statecharts',
} as const

/** `id` is what generated clients call it by. */
export const operation = (tag: keyof typeof TAGS, id: string, summary: string) => ({
  tags: [tag],
  operationId: id,
  summary,
})

export const DONE = { 204: shapes.done }
