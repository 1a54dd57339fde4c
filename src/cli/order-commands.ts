// Keeping order in a room from a terminal: what a moderator does over REST, in words.

import { ConfigError } from '../config.ts'
import { asking, type Command, type Flags, listed } from './commands.ts'
import type { Answer } from './door.ts'
import { ofRoom, person, query } from './references.ts'

export const REASON = { reason: 'TEXT  why; on record' } as const
export const LENGTH = { seconds: 'N  for so long; without it, without end' } as const

/** @throws ConfigError */
export const secondsOf = (given: string): number => {
  if (!/^[0-9]{1,9}$/.test(given)) throw new ConfigError(`--seconds: a whole number, and not ${given}`)
  return Number(given)
}

/** Of a mute or a ban: how long, and why. */
export const sanction = ({ seconds, reason }: Flags) => ({
  ...(seconds === undefined ? {} : { seconds: secondsOf(seconds) }),
  ...(reason === undefined ? {} : { reason }),
})

export const howLong = ({ seconds }: Flags): string => (seconds === undefined ? '' : ` for ${seconds} seconds`)

/** Something done to somebody in a room. */
const doing = (verb: string, door: 'mutes' | 'bans' | 'kicks', is: string, says: string): Command => {
  const hasEnd = door !== 'kicks'
  return asking({
    usage: `room ${verb} ROOM NAME ${hasEnd ? '[--seconds N] ' : ''}[--reason TEXT]`,
    says,
    words: [2, 2],
    options: { ...(hasEnd ? LENGTH : {}), ...REASON },
    ask: async ({ ask }, [room, name], own) => {
      const made = await ask('POST', `${ofRoom(room)}/${door}`, { user: person(name), ...sanction(own) })
      return { text: `${name} is ${is} ${room}${howLong(own)}\n`, json: made }
    },
  })
}

const undoing = (verb: string, door: 'mutes' | 'bans', is: string, says: string): Command =>
  asking({
    usage: `room ${verb} ROOM NAME [--reason TEXT]`,
    says,
    words: [2, 2],
    options: REASON,
    ask: async ({ ask }, [room, name], { reason }) => {
      const user = person(name)
      await ask('DELETE', `${ofRoom(room)}/${door}/${encodeURIComponent(user)}${query({ reason })}`)
      return { text: `${name} is ${is} ${room}\n`, json: { room, user, [door]: false } }
    },
  })

const line = ({ id, room, at, author, text, removed }: Answer): string[] => [
  `${id}`,
  room,
  at,
  `${author.username}:`,
  removed ? '(removed)' : text,
]

export const orderCommands: Readonly<Record<string, Command>> = {
  'room mute': doing(
    'mute',
    'mutes',
    'muted in',
    'an account, or a name that has none yet, may read and not write there',
  ),
  'room unmute': undoing('unmute', 'mutes', 'not muted in', 'lifts a mute'),
  'room kick': doing('kick', 'kicks', 'put out of', 'puts an account out; it may come back'),
  'room ban': doing('ban', 'bans', 'banned from', 'puts an account out, and keeps it out'),
  'room unban': undoing('unban', 'bans', 'not banned from', 'lifts a ban'),
  'message find': asking({
    usage: 'message find WORDS [--room ROOM] [--author NAME] [--at TIME]',
    says: 'messages that have all of these words, newest first, each with its number; what is removed is not found',
    more: ['"two words" are sought together, begin* as a beginning: quote them for the shell.'],
    words: [1, 1],
    options: {
      room: 'ROOM  in this one alone',
      author: 'NAME  by this account alone',
      at: 'TIME  by the words of then: a time with its zone (2026-01-31T12:00:00Z) or a position',
    },
    ask: (door, [q], { room, author, at }) =>
      listed(
        door,
        `/search${query({ q, room, author: author === undefined ? undefined : person(author), at, limit: '500' })}`,
        line,
      ),
  }),
  'message remove': asking({
    usage: 'message remove ROOM NUMBER [--reason TEXT]',
    says: 'hides a message from every history; its number is in room show and message find',
    words: [2, 2],
    options: REASON,
    ask: async ({ ask }, [room, id], { reason }) => {
      await ask('DELETE', `${ofRoom(room)}/messages/${encodeURIComponent(id as string)}${query({ reason })}`)
      return { text: `message ${id} is removed\n`, json: { room, id: Number(id), removed: true } }
    },
  }),
  'message restore': asking({
    usage: 'message restore ROOM NUMBER',
    says: 'brings a removed message back',
    words: [2, 2],
    ask: async ({ ask }, [room, id]) => {
      const back = await ask('POST', `${ofRoom(room)}/messages/${encodeURIComponent(id as string)}/restore`)
      return { text: `message ${id} is back\n`, json: back }
    },
  }),
}
