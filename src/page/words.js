// What the page says of refusals, by the constants that both of its wires speak.

export const wordsOf = (longestText) => ({
  MUTED: 'You are muted.',
  RATE_LIMITED: 'That was too fast; wait a few seconds.',
  INVALID_TEXT: `A message has 1 to ${longestText} characters.`,
  USER_REQUIRED: 'Only people with a name can write.',
  NOT_AUTHORIZED: 'Only moderators can do that.',
  ROOM_CLOSED: 'This room is closed.',
  NOT_PERMITTED: 'A rule of this room forbids some of these words.',
  NOT_MUTED: 'This person is not muted.',
  AWAY: 'The server is away.',
})
