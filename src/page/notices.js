// What a person is told who cannot write: by whom, why and until when they are muted, and how the room is.

import { timeLeft } from './people.js'
import { ended, when } from './words.js'

export const modes = {
  open: 'Everybody can write here again.',
  slow: 'The room is slow now: a message each now and then.',
  locked: 'The room is locked now: only staff can write.',
  archived: 'The room is closed for good: it can be read and nothing more be said.',
}

export function muteWhy({ by, reason }) {
  const who = by ? `You are muted by ${by}` : 'You are muted'
  return reason ? `${who}: ${ended(reason)}` : `${who}.`
}

export function muteEnd({ expires_at }) {
  const left = timeLeft(expires_at)
  if (left === 'no end') return 'You can write again when a moderator lifts it.'
  if (left === 'any moment') return 'You can write again any moment.'
  return `You can write again in ${left}, at ${when(Date.parse(expires_at))}.`
}
