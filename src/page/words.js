// What the page says of refusals, by the constants that both of its wires speak.

export const wordsOf = (longestText) => ({
  MUTED: 'You are muted.',
  RATE_LIMITED: 'That was too fast; wait a few seconds.',
  INVALID_TEXT: `A message has 1 to ${longestText} characters.`,
  USER_REQUIRED: 'Only people with a name can write.',
  NOT_AUTHORIZED: 'Only moderators can do that.',
  ROOM_CLOSED: 'Only staff can write here now.',
  NOT_PERMITTED: 'A rule of this room forbids some of these words.',
  NOT_MUTED: 'This person is not muted.',
  AWAY: 'The server is away.',
})

/** What somebody wrote, at the end of a sentence of ours. */
export const ended = (text) => (/[.!?…]$/.test(text) ? text : `${text}.`)

/** What the server says in its own words, as a sentence. */
export const sentence = (text) => ended(text.charAt(0).toUpperCase() + text.slice(1))

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })
const clockTime = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' })

/** A time of today as the clock shows it, another with its day. */
export const when = (ms) =>
  new Date(ms).toDateString() === new Date().toDateString() ? clockTime.format(ms) : moment.format(ms)
