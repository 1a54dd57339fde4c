// The lobby over hansard's own protocol, by hansard/client: it comes back by itself, resumes, and sends again what had no
// answer. This file knows the wire; what is shown is its listener's matter. moneypot.js has the same face over socket.io.

import { Client } from '/client/client.ts'
import { sentence, when, wordsOf } from './words.js'

const lobbyName = 'moneypot:2'
/** between tries to come back: somebody is looking at the page */
const longestWaitMs = 5_000

export const longestText = 5_000

/** Refusals by the constants that both of the page's wires speak. */
const constants = {
  muted: 'MUTED',
  'rate-limited': 'RATE_LIMITED',
  'slow-mode': 'SLOW',
  'text-empty': 'INVALID_TEXT',
  'text-too-long': 'INVALID_TEXT',
  'user-required': 'USER_REQUIRED',
  'not-authorized': 'NOT_AUTHORIZED',
  'room-closed': 'ROOM_CLOSED',
  'room-archived': 'ARCHIVED',
  blocked: 'NOT_PERMITTED',
  'not-muted': 'NOT_MUTED',
}

const words = {
  ...wordsOf(longestText),
  SLOW: 'This room is in slow mode; wait a little.',
  ARCHIVED: 'This room is closed for good: it can be read and nothing more be said.',
  INVALID_COMMAND: 'Write /mute name minutes (and why), or /unmute name.',
}

export const inWords = (refusal) => words[refusal] ?? sentence(refusal)

/** What a reason of ours for ending a connection says to a person. */
const endings = {
  banned: 'You are banned from this server.',
  'signed in elsewhere': 'You came in elsewhere, and only the newest may stay.',
}
const inTheRoom = { banned: ({ until }) => `You are banned from this room${untilWhen(until)}.` }
const untilWhen = (ms) => (ms ? ` until ${when(ms)}` : '')
const byWhom = (by) => (by ? ` by ${by.username}` : '')

/** `expires_at` of a mute without end, as the Moneypot wire says it. */
const endless = '9999-12-31T23:59:59.999Z'

const user = ({ number, username, role }) => ({ id: number, uname: username, role })
const message = ({ id, author, text, at, edited }) => ({ id, user: user(author), text, at, edited })
const mute = (name, until, { by, reason } = {}) => ({
  uname: name,
  ...(by !== undefined && { by: by?.username ?? null, reason }),
  mins: until === null ? null : Math.max(1, Math.ceil((until - Date.now()) / 60_000)),
  expires_at: until === null ? endless : new Date(until).toISOString(),
})

/**
 * See moneypot.js; `token` as it is, or nothing for a reader. `hear` is also told `edited`, `removed`, `typing` and the
 * room's `mode`.
 */
export function openLobby(token, hear) {
  const url = `${location.origin.replace(/^http/, 'ws')}/native`
  let client
  let room = null
  let last = null

  const entered = () => {
    const own = [...room.present.values()].find(({ id }) => id === client.user?.id)
    hear.entered({
      ...(own && { user: user(own) }),
      room: {
        users: Object.fromEntries([...room.present.values()].map((each) => [each.username, user(each)])),
        mode: room.mode,
        history: room.messages.map(message),
        muteList: Object.fromEntries([...room.mutes].map(([name, until]) => [name, mute(name, until)])),
      },
    })
  }

  /** Who is put out of the room alone keeps the connection, which is of no use here. */
  const putOut = ({ user: id, by }, mine, others) => {
    if (id === client.user?.id) {
      const ended = client
      client = null
      ended.close()
      hear.connection('refused', mine)
    } else {
      const name = room.present.get(id)?.username
      if (name) hear.system(`${name} ${others}${byWhom(by)}.`)
    }
  }

  const happened = {
    joined: entered,
    posted: (event) => hear.message(message(event.message)),
    edited: (event) => hear.edited(event.message, event.text),
    removed: (event) => hear.removed(event.message),
    restored: entered,
    entered: (event) => hear.joined(user(event.user)),
    left: (event) => hear.left(user(event.user)),
    muted: (event) => hear.muted(mute(event.user, event.until, event)),
    unmuted: (event) => hear.unmuted(event.user),
    kicked: (event) => putOut(event, `You were put out of the room${byWhom(event.by)}.`, 'was put out'),
    banned: (event) =>
      putOut(event, `You are banned from this room${untilWhen(event.until)}.`, `was banned${untilWhen(event.until)}`),
    changed: (event) => hear.mode(event.mode),
    archived: () => hear.mode('archived'),
    typing: (event) => hear.typing(event.user.username, event.on),
  }

  const open = () => {
    room = null
    client = new Client({ url, token: token ?? null, longestWaitMs })
    const own = client
    own.onEvent((event) => {
      if (own !== client) return
      if (event.is === 'closing') last = event
      // A reader or somebody whose token is not known any more is told by the first `signed-in` or `closing`.
      if (room && event.room === room.id) happened[event.is]?.(event)
    })
    own.onState((state) => {
      if (own !== client) return
      if (state === 'waiting') hear.connection('away')
      if (state === 'connecting') hear.connection('connecting')
      if (state !== 'closed') return
      if (last?.code === 4301) hear.entered({ room: { users: {}, history: [], muteList: {} } })
      else
        hear.connection('refused', endings[last?.reason] ?? sentence(last?.reason ?? 'the server ended the connection'))
    })
    hear.connection('connecting')
    own.join(lobbyName).then(
      (joined) => {
        if (own !== client) return
        room = joined
        entered()
      },
      (refusal) => {
        if (own !== client || own.state === 'closed') return
        hear.connection('refused', inTheRoom[refusal.code]?.(refusal.values) ?? sentence(refusal.message))
      },
    )
  }

  open()
  return {
    /** `answered(null)` when it is stored, else with a refusal for `inWords`. */
    send(text, answered) {
      if (!room) return answered('AWAY')
      carry(room, text, hear).then(
        () => answered(null),
        (refusal) => answered(constants[refusal.code] ?? refusal.message),
      )
    },
    typing(on) {
      room?.typing(on)
    },
    again: open,
    close() {
      const ended = client
      client = null
      ended?.close()
    },
  }
}

/** A text, or the command it is. */
async function carry(room, text, hear) {
  const [, un, name, minutes, why] = /^\/(un)?mute(?:\s+(\S+)(?:\s+([0-9]+)(?:\s+(.+))?)?)?$/i.exec(text) ?? []
  if (!/^\/(un)?mute\b/i.test(text)) return room.post(text)
  if (!name || (un && minutes) || (!un && !Number(minutes))) throw new Error(words.INVALID_COMMAND)
  if (un) await room.unmute(name)
  else await room.mute(name, Number(minutes) * 60, why ?? null)
  hear.system(
    un ? `${name} may write again.` : `${name} is muted for ${minutes} ${minutes === '1' ? 'minute' : 'minutes'}.`,
  )
}
