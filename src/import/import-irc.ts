// An IRC log straight into the event log, as if it had been said here at its own times: the same actors decide, with a
// clock that stands at the line's minute. Each line's commands have ids made of the line, so that a line is stored
// once however often it is given, and a run that was cut off goes on where it was.

import { createHash } from 'node:crypto'
import { isOpenToAll } from '../actors/alias.ts'
import { readNameKey } from '../actors/birth.ts'
import { Claims } from '../actors/claims.ts'
import { definitions } from '../actors/definitions.ts'
import { FactCodec } from '../actors/fact-codec.ts'
import { Host, type Submitted } from '../actors/host.ts'
import { type Account, Identity } from '../actors/identity.ts'
import { foldName, nameFault } from '../actors/names.ts'
import type { Chance, Clock } from '../actors/ports.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import { type RoomRef, Rooms } from '../actors/rooms.ts'
import { userStream } from '../actors/user/user.facts.ts'
import type { EventLog } from '../log/event-log.ts'
import { type IrcLine, readIrcLog } from './irc-log.ts'

/** What one line may lead to. */
const PARTS = ['', 'member', 'enter', 'leave']
/** Lines after which it is noted how far the file is stored. */
const NOTE_EVERY = 500
/** Commands under way: they share appends. */
const MAX_UNDER_WAY = 200
/** Whom nobody can sign in as: it tells an account of an import from one of the same name that is somebody's. */
const MARK = 'irc'

export class ImportRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ImportRefused'
  }
}

export interface IrcFile {
  /** for messages to people */
  readonly name: string
  /** `2006-06-01` */
  readonly day: string
  readonly text: string
}

export interface ImportOptions {
  readonly log: EventLog
  readonly chance: (clock: Clock) => Chance
  readonly nameKey: string
  readonly node: string
  readonly files: readonly IrcFile[]
  /** an alias; the room is opened when it is not there */
  readonly room: string
  readonly roomName: string
  progress?(file: string, done: number, of: number): void
}

export interface ImportReport {
  lines: number
  messages: number
  /** they stood in the log already */
  known: number
  /** of masks, which name nobody: counted, and no act */
  bans: number
  /** modes, topics, notices: no act of anybody's */
  passedOver: number
}

/** What waits for less waits for a log that is away, and not for anything of the room's. */
const LONGEST_PAUSE_MS = 10_000

/** Stands where it is put; nothing of the room's becomes due while an import runs. */
class LineClock implements Clock {
  time = 0

  now(): number {
    return this.time
  }

  at(due: number, run: () => void): () => void {
    if (due - this.time > LONGEST_PAUSE_MS) return () => {}
    const timeout = setTimeout(run, due - this.time)
    return () => clearTimeout(timeout)
  }

  soon(run: () => void): void {
    setImmediate(run)
  }
}

/** @throws ImportRefused, LogUnavailable */
export const importIrc = async (options: ImportOptions): Promise<ImportReport> => {
  const files = options.files
    .map((file) => ({ ...file, lines: readIrcLog(file.text, file.day) }))
    .sort((one, other) => one.day.localeCompare(other.day))
  const clock = new LineClock()
  clock.time = files[0]?.lines[0]?.at ?? 0
  const chance = options.chance(clock)
  const host = new Host({
    log: options.log,
    codec: new FactCodec(),
    clock,
    chance,
    node: options.node,
    definitions,
    store: { summary: async () => null, keepSummary: () => {}, message: async () => null },
    onFault: (_where, error) => {
      throw error
    },
  })
  await host.start()
  const claims = new Claims(host.ledger, clock, await readNameKey(host.ledger, options.nameKey, chance))
  const identity = new Identity(host, claims, { verifier: null, provision: false })
  const rooms = new Rooms(host, claims)
  const run = new Import(host, identity, clock, await roomOf(rooms, options))
  try {
    await run.begin()
    for (const file of files) await run.take(file, options.progress ?? (() => {}))
    await run.end()
  } finally {
    await host.close()
  }
  return run.report
}

const roomOf = async (rooms: Rooms, { room: alias, roomName: name }: ImportOptions): Promise<RoomRef> => {
  const known = await rooms.byAlias(alias)
  if (known) return known
  const opened = await rooms.open({ name, aliases: [alias], asker: null })
  if (!opened.ok) throw new ImportRefused(`${alias}: ${opened.refusal.code}`)
  return opened.room
}

class Import {
  readonly report: ImportReport = { lines: 0, messages: 0, known: 0, bans: 0, passedOver: 0 }
  readonly #host: Host
  readonly #identity: Identity
  readonly #clock: LineClock
  readonly #room: RoomRef
  readonly #stream: string
  /** ids of commands whose facts stand in the room's stream */
  readonly #done = new Set<string>()
  readonly #accounts = new Map<string, Account>()
  /** folded nick → connection */
  readonly #present = new Map<string, string>()
  #underWay: Promise<void>[] = []
  #last: { readonly day: string; readonly line: IrcLine } | null = null

  constructor(host: Host, identity: Identity, clock: LineClock, room: RoomRef) {
    this.#host = host
    this.#identity = identity
    this.#clock = clock
    this.#room = room
    this.#stream = roomStream(room.id)
  }

  /** Whoever a run that was cut off left here is still here, and what it stored is not stored again. */
  async begin(): Promise<void> {
    const { snapshot } = await this.#host.load(this.#stream)
    for (const connection of (snapshot.context as RoomContext).connections.keys()) {
      if (connection.startsWith(`${MARK}-`)) this.#present.set(connection.slice(MARK.length + 1), connection)
    }
    for await (const fact of this.#host.facts(this.#stream, 0, Number.MAX_SAFE_INTEGER)) {
      this.#done.add(fact.metadata.$causationId)
    }
  }

  async take(
    file: IrcFile & { lines: readonly IrcLine[] },
    progress: (file: string, done: number, of: number) => void,
  ) {
    const noted = await this.#notedOf(file)
    // Lines are stored in their order: what stands behind the note tells how far the run that wrote it came. Its last
    // line may be there in part.
    const begun = file.lines.findLastIndex((line) =>
      PARTS.some((part) => this.#done.has(this.#id(file.day, line, part))),
    )
    const stored = Math.max(noted, begun)
    this.report.lines += stored
    this.report.known += stored
    for (const line of file.lines.slice(stored)) {
      await this.#line(file, line)
      if (line.line % NOTE_EVERY === 0 || line.line === file.lines.length) {
        await this.#note(file, line.line)
        progress(file.name, line.line, file.lines.length)
      }
    }
  }

  /** How many of its lines a run before this one has noted as stored. */
  async #notedOf({ name, day, lines }: IrcFile & { lines: readonly IrcLine[] }): Promise<number> {
    const noted = (await this.#host.ledger.last(this.#notes(day)))?.data as { lines: number; hash: string } | undefined
    if (!noted) return 0
    if (noted.lines > lines.length || noted.hash !== hashOf(lines.slice(0, noted.lines))) {
      throw new ImportRefused(`${name}: another log of ${day} is in ${this.#room.name} already`)
    }
    return noted.lines
  }

  async #note({ day, lines }: { day: string; lines: readonly IrcLine[] }, count: number): Promise<void> {
    await this.#settle()
    const data = { lines: count, hash: hashOf(lines.slice(0, count)) }
    const cause = { by: null, correlationId: this.#room.id }
    await this.#host.ledger.append(this.#notes(day), () => ({ type: 'LinesImported', data }), cause)
  }

  #notes(day: string): string {
    return `import-${this.#room.id}-${day}`
  }

  /** Whoever is there at the end of the last file leaves with it: the next file says who is there then. */
  async end(): Promise<void> {
    if (this.#last) {
      for (const nick of [...this.#present.keys()])
        await this.#leave(nick, this.#id(this.#last.day, this.#last.line, `end ${nick}`))
    }
    await this.#settle()
  }

  async #line(file: IrcFile, line: IrcLine): Promise<void> {
    this.report.lines++
    if (line.is === 'other' || line.is === 'ban') {
      this.report[line.is === 'ban' ? 'bans' : 'passedOver']++
      return
    }
    const id = (part: string) => this.#id(file.day, line, part)
    await this.#reach(file, line)
    switch (line.is) {
      case 'said': {
        const account = await this.#enter(line.nick, id)
        this.report.messages++
        await this.#send({
          type: 'message.post',
          commandId: id(''),
          ...this.#from(account, line.nick),
          overRate: false,
          entered: true,
          text: line.text,
          kind: line.action ? 'action' : 'text',
          clientRef: null,
          replyTo: null,
          extra: account.username === line.nick ? null : { [MARK]: { nick: line.nick } },
        })
        return
      }
      case 'joined':
        await this.#enter(line.nick, id, '')
        return
      case 'left':
        await this.#leave(foldName(line.nick), id('leave'))
        return
      case 'renamed':
        await this.#leave(foldName(line.nick), id('leave'))
        await this.#enter(line.to, id, '')
    }
  }

  /** The clock stands at the line's minute once everything before is stored. */
  async #reach(file: IrcFile, line: IrcLine): Promise<void> {
    this.#last = { day: file.day, line }
    if (line.at !== this.#clock.time) {
      await this.#settle()
      this.#clock.time = line.at
    }
    const { lastAt } = await this.#host.load(this.#stream)
    if (line.at < lastAt) {
      const [then, now] = [line.at, lastAt].map((at) => new Date(at).toISOString().slice(0, 16))
      throw new ImportRefused(
        `${file.name}, line ${line.line}, is of ${then}, and the record of ${this.#room.name} goes to ${now}: what is older cannot be put before it. Import into another room (--room)`,
      )
    }
  }

  /** Said or joined here without having been seen to come: they were here before the log begins. */
  async #enter(nick: string, id: (part: string) => string, part = 'enter'): Promise<Account> {
    const account = await this.#accountOf(nick)
    const folded = foldName(nick)
    if (this.#present.has(folded)) return account
    const { id: user } = account
    if (!isOpenToAll(this.#room)) {
      await this.#send({ type: 'member.add', commandId: id('member'), by: user, asker: null, user, role: 'member' })
    }
    const from = this.#from(account, nick)
    this.#present.set(folded, from.connection)
    await this.#send({ type: 'presence.enter', commandId: id(part), ...from, node: this.#host.node })
    return account
  }

  async #leave(folded: string, commandId: string): Promise<void> {
    const connection = this.#present.get(folded)
    if (connection === undefined) return
    this.#present.delete(folded)
    await this.#send({ type: 'presence.leave', commandId, by: 'system', leaving: connection, cause: 'left' })
  }

  #from({ id, number, username }: Account, nick: string) {
    const asker = { id, number, username, account: 'member' as const }
    return { by: id, connection: `${MARK}-${foldName(nick)}`, asker }
  }

  async #accountOf(nick: string): Promise<Account> {
    const folded = foldName(nick)
    const known = this.#accounts.get(folded)
    if (known) return known
    const account = await this.#findOrMake(nick)
    this.#accounts.set(folded, account)
    return account
  }

  /** An account that is somebody's is not made to have said this: then the name has a mark. */
  async #findOrMake(nick: string): Promise<Account> {
    const plain = nameFault(nick) === null ? nick : `nick-${hash(nick).slice(0, 8)}`
    for (const username of [plain, `${plain.slice(0, 32 - MARK.length - 2)}[${MARK}]`]) {
      const existing = await this.#identity.byName(username)
      if (existing && (await this.#isImported(existing.id))) return existing
      if (existing) continue
      const profile = { dialect: MARK, fields: { nick } }
      const made = await this.#identity.register({ username, role: 'member', guest: false, asker: null, profile })
      if (!made.ok) throw new ImportRefused(`${nick}: ${made.refusal.code}`)
      await this.#host.letGo(userStream(made.account.id))
      return made.account
    }
    throw new ImportRefused(`${nick}: this name and its marked form are other people's`)
  }

  async #isImported(user: string): Promise<boolean> {
    for await (const { type, data } of this.#host.facts(userStream(user), 0, 5)) {
      if (type === 'ProfileSet' && (data as { dialect: string }).dialect === MARK) return true
    }
    return false
  }

  async #send(command: Submitted & { commandId: string }): Promise<void> {
    if (this.#done.has(command.commandId)) return
    const sent = this.#host.send(this.#stream, command).then((outcome) => {
      if (!outcome.ok) throw new ImportRefused(`${JSON.stringify(command)}: ${outcome.refusal.code}`)
    })
    // Heard by `settle`, or not at all once another has failed.
    sent.catch(() => {})
    this.#underWay.push(sent)
    if (this.#underWay.length >= MAX_UNDER_WAY) await this.#settle()
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#underWay.splice(0))
  }

  #id(day: string, { line, raw }: IrcLine, part: string): string {
    return hash([this.#room.id, day, line, raw, part].join('\n')).slice(0, 32)
  }
}

const hashOf = (lines: readonly IrcLine[]): string => hash(lines.map(({ raw }) => raw).join('\n'))

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
