// Every refusal, in one table: the word on the wire, in the log, in the API and in the console.

export interface RefusalKind {
  /** for people */
  readonly title: string
  /** HTTP status of the native API */
  readonly status: number
  /** may the very same command succeed later without anybody changing it? */
  readonly retryable: boolean
}

const kind = (status: number, title: string, retryable = false): RefusalKind => ({ status, title, retryable })

export const refusals = {
  'not-in-this-state': kind(409, 'not possible in the present state'),
  malformed: kind(400, 'the frame or body could not be read'),
  'user-required': kind(401, 'sign in first'),
  'not-authorized': kind(403, 'not allowed to do that'),
  'rate-limited': kind(429, 'too much in too short a time; wait a little', true),
  'slow-mode': kind(429, 'this room is in slow mode; wait a little', true),
  muted: kind(403, 'muted in this room', true),
  banned: kind(403, 'banned'),
  'token-revoked': kind(401, 'this token was revoked'),
  'room-closed': kind(409, 'this room is closed'),
  'room-archived': kind(410, 'this room is archived'),
  'not-present': kind(409, 'enter the room first'),
  'not-a-member': kind(403, 'not a member of this room'),
  'text-not-a-string': kind(400, 'the text must be a string'),
  'text-empty': kind(400, 'the text is empty'),
  'text-too-long': kind(400, 'the text is too long'),
  blocked: kind(403, 'a blocking rule forbids this text'),
  'callback-invalid': kind(400, 'the callback must be a function'),
  'command-invalid': kind(400, 'the command was not understood'),
  'not-muted': kind(404, 'not on the mute list'),
  'not-banned': kind(404, 'not banned'),
  'not-removed': kind(409, 'this message is not removed'),
  'ref-reused': kind(409, 'this reference was used for another text'),
  'unknown-room': kind(404, 'no such room'),
  'unknown-user': kind(404, 'no such user'),
  'unknown-message': kind(404, 'no such message'),
  'unknown-token': kind(404, 'no such token'),
  'already-exists': kind(409, 'exists already'),
  'name-taken': kind(409, 'this name is taken'),
  'phone-taken': kind(409, 'this phone number is registered already'),
  'name-invalid': kind(400, 'this name is not allowed'),
  'alias-taken': kind(409, 'this alias is taken'),
  'room-full': kind(409, 'too many members, mutes or bans in this room'),
  'too-many-rooms': kind(409, 'in as many rooms as one connection may be; leave one first'),
  contended: kind(503, 'too many changes at once; try again', true),
  busy: kind(503, 'too much is waiting here; try again', true),
  unavailable: kind(503, 'the log cannot be reached; try again', true),
  faulted: kind(500, 'this part is out of service until it is looked at'),
} as const satisfies Record<string, RefusalKind>

export type RefusalCode = keyof typeof refusals

/** It says only that the log, or a part of this node, cannot take the command now: the same one may be sent again. */
export const isAway = (code: RefusalCode): boolean => AWAY.has(code)

const AWAY: ReadonlySet<RefusalCode> = new Set(['unavailable', 'contended', 'busy'])

/** A refusal as a value: which rule, where, on what. */
export interface Refusal {
  readonly code: RefusalCode
  /** the chart's state when it was decided, e.g. `open` */
  readonly state: string
  readonly guard: string | null
  readonly values: Readonly<Record<string, string | number | boolean | null>>
  /** null when no actor decided it (not found, unavailable) */
  readonly at: { readonly stream: string; readonly revision: number } | null
}
