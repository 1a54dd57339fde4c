// Lines of an IRC channel's log, one file a day (`2006-06-01.log`), as ircd's own loggers and irssi write them:
//
//   [11:22] <nick> text          [11:22]  * nick text          === nick  has joined #ubuntu
//   === nick  has left #ubuntu   === nick is now known as other
//
// Times are hours and minutes in UTC; one smaller than the one before it is the next day's. A line without a time has
// that of the line before. What has another form (modes, topics, notices) is `other`: text at most, never an act. A ban
// is of a mask (`=== mode/#ubuntu [+b *!*@host]  by oper`), which names nobody in particular.

const DAY_MS = 86_400_000

interface Place {
  /** from 1 */
  readonly line: number
  /** ms since 1970, at the minute */
  readonly at: number
  readonly raw: string
}

export type IrcLine = Place &
  (
    | { readonly is: 'said'; readonly nick: string; readonly text: string; readonly action: boolean }
    | { readonly is: 'joined' | 'left'; readonly nick: string }
    | { readonly is: 'renamed'; readonly nick: string; readonly to: string }
    | { readonly is: 'ban'; readonly by: string }
    | { readonly is: 'other' }
  )

const TIMED = /^\[(\d\d):(\d\d)\] (.*)$/
const SAID = /^<([^>]+)> ?(.*)$/
const DID = /^ \* (\S+) ?(.*)$/
const JOINED = /^=== (\S+) {1,2}has joined #\S+/
const LEFT = /^=== (\S+) {1,2}has left #\S+/
const RENAMED = /^=== (\S+) is now known as (\S+)/
const BAN = /^=== mode\/#\S+ \[\+\w*b\w* .*\] {1,2}by (\S+)/
const CHANNEL = /^=== \S+ {1,2}has (?:joined|left) (#\S+)/m

/** Between the angle brackets a blank may follow a `]`, which is not part of the nick. */
const nickOf = (written: string): string => written.replaceAll('] ', ']')

/** `day`: as in the file's name, `2006-06-01`. @throws Error with the line, when a time is none */
export const readIrcLog = (text: string, day: string): IrcLine[] => {
  const midnight = Date.parse(`${day}T00:00:00Z`)
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day) || Number.isNaN(midnight)) throw new Error(`${day}: a day as 2006-06-01`)
  const rows = text.split('\n')
  if (rows.at(-1) === '') rows.pop()
  let at = midnight + firstMinute(rows) * 60_000
  return rows.map((row, index) => {
    const raw = row.replace(/\r$/, '')
    const [, hour, minute, rest] = TIMED.exec(raw) ?? []
    if (rest !== undefined) {
      const clock = Number(hour) * 60 + Number(minute)
      if (Number(hour) > 23 || Number(minute) > 59) throw new Error(`line ${index + 1}: ${hour}:${minute} is no time`)
      const today = midnight + Math.floor((at - midnight) / DAY_MS) * DAY_MS + clock * 60_000
      at = today < at ? today + DAY_MS : today
    }
    return { line: index + 1, at, raw, ...actOf(raw, rest) }
  })
}

const firstMinute = (rows: readonly string[]): number => {
  for (const row of rows) {
    const [, hour, minute] = TIMED.exec(row) ?? []
    if (hour !== undefined) return Number(hour) * 60 + Number(minute)
  }
  return 0
}

type Act = IrcLine extends infer Line ? (Line extends IrcLine ? Omit<Line, keyof Place> : never) : never

const actOf = (raw: string, timed: string | undefined): Act => {
  if (timed !== undefined) {
    const [, who, text] = SAID.exec(timed) ?? []
    if (who !== undefined) return { is: 'said', nick: nickOf(who), text: text ?? '', action: false }
    const [, doer, done] = DID.exec(timed) ?? []
    if (doer !== undefined) return { is: 'said', nick: doer, text: done ?? '', action: true }
    return { is: 'other' }
  }
  const [, joined] = JOINED.exec(raw) ?? []
  if (joined !== undefined) return { is: 'joined', nick: joined }
  const [, left] = LEFT.exec(raw) ?? []
  if (left !== undefined) return { is: 'left', nick: left }
  const [, nick, to] = RENAMED.exec(raw) ?? []
  if (nick !== undefined && to !== undefined) return { is: 'renamed', nick, to }
  const [, by] = BAN.exec(raw) ?? []
  return by !== undefined ? { is: 'ban', by } : { is: 'other' }
}

/** The channel as its joins and leaves name it, in lower case; null where there is none. */
export const channelOf = (text: string): string | null => CHANNEL.exec(text)?.[1]?.toLowerCase() ?? null
