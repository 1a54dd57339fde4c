// The lobby over the Moneypot dialect (socket.io events `auth`, `new_message`, …). This file knows the wire and the
// connection; what is shown is its listener's matter.
//
// Each connection authenticates anew and starts from a fresh room, so the listener replaces what it had. Nothing is
// queued for a later connection: what could not be sent, or was not answered, is told to the caller.

import { wordsOf } from './words.js'

const lobbyAppId = 2
const answerWithinMs = 10_000
const busyRetryMs = 3_000

export const longestText = 350

const clientErrors = {
  'you are banned': 'You are banned from this room.',
  'no app found with the app_id you sent to `auth` event': 'This server has no lobby (no room with alias moneypot:2).',
}

const refusals = {
  ...wordsOf(longestText),
  INVALID_COMMAND: 'Write /mute name minutes (1 to 525600) or /unmute name.',
  INTERNAL_ERROR: 'The server could not store it; try again.',
  // The page's own.
  UNANSWERED: 'No answer came back.',
}

export const inWords = (refusal) => refusals[refusal] ?? `The server refused it (${refusal}).`

/**
 * Connects and stays connected. `hear` is told:
 * `connection(state, words?)` with connecting, busy, away (comes back by itself) or refused (only `again()` helps);
 * `entered({ user?, room })` once authenticated; `message`, `joined`, `left`, `muted`, `unmuted`, `system` as they come.
 */
export function openLobby(hashedToken, hear) {
  const socket = globalThis.io({ forceNew: true, reconnectionDelay: 500, reconnectionDelayMax: 4_000 })
  let entered = false
  let closed = false
  let busyTimer

  const refuse = (words) => {
    entered = false
    closed = true
    socket.disconnect()
    hear.connection('refused', words)
  }

  const authenticate = () => {
    const payload = { app_id: lobbyAppId, ...(hashedToken && { hashed_token: hashedToken }) }
    socket.timeout(answerWithinMs).emit('auth', payload, (unanswered, refusal, answer) => {
      if (!socket.connected || closed) return
      if (unanswered) {
        socket.disconnect().connect()
      } else if (refusal) {
        hear.connection('busy')
        busyTimer = setTimeout(authenticate, busyRetryMs)
      } else {
        entered = true
        hear.entered(answer)
      }
    })
  }

  socket.on('connect', authenticate)
  socket.on('connect_error', (error) => {
    if (closed) return
    if (socket.active) hear.connection('away')
    else refuse(`The server refused the connection (${error.message}).`)
  })
  socket.on('disconnect', (reason) => {
    entered = false
    clearTimeout(busyTimer)
    if (closed) return
    if (reason === 'io server disconnect') refuse('You were removed from the room.')
    else hear.connection('away')
  })
  socket.on('client_error', (text) => {
    // Before entry it stands in place of auth's ack; a ban comes with it at any time, the disconnect follows.
    if (!entered || text in clientErrors) refuse(clientErrors[text] ?? text)
    else hear.system(text)
  })
  socket.on('new_message', (message) => hear.message(message))
  socket.on('user_joined', (user) => hear.joined(user))
  socket.on('user_left', (user) => hear.left(user))
  socket.on('user_muted', (mute) => hear.muted(mute))
  socket.on('user_unmuted', ({ uname }) => hear.unmuted(uname))
  socket.on('system_message', (text) => hear.system(text))

  hear.connection('connecting')
  return {
    /** `answered(null)` when it is stored (its new_message came before), else with a refusal for `inWords`. */
    send(text, answered) {
      if (!entered) return answered('AWAY')
      socket.timeout(answerWithinMs).emit('new_message', text, (unanswered, refusal) => {
        answered(unanswered ? 'UNANSWERED' : (refusal ?? null))
      })
    },
    again() {
      closed = false
      hear.connection('connecting')
      socket.connect()
    },
    close() {
      closed = true
      clearTimeout(busyTimer)
      socket.disconnect()
    },
  }
}
