// An IRC log played as life: each nick is a client of its own that comes, talks and leaves when the log says so, as many
// times faster as is asked for. Lines go one after another, each stored before the next is said, so that the room's
// history has the log's order. A line has no seconds: those of one minute are spread over it.

import { foldName } from '../actors/names.ts'
import { type Clock, pause } from '../actors/ports.ts'
import type { IrcLine } from '../import/irc-log.ts'
import type { Cast } from './cast.ts'
import { type Enter, PASSING, type Performer } from './performers.ts'

const MINUTE_MS = 60_000
/** before a message that was refused for now is said again, and how often */
const AGAIN_MS = 500
const TRIES = 60

export interface PlayedFile {
  /** for messages to people */
  readonly name: string
  readonly lines: readonly IrcLine[]
}

export interface RefusedLine {
  readonly file: string
  readonly line: number
  readonly nick: string
  readonly code: string
  readonly text: string
}

export interface Report {
  readonly lines: number
  readonly said: number
  readonly entered: number
  /** said, but with another text at its ends: the protocols take no blanks there */
  readonly trimmed: number
  readonly refused: readonly RefusedLine[]
  readonly bans: number
  readonly passedOver: number
  /** false: it was stopped before the end */
  readonly whole: boolean
}

export interface PlayOptions {
  readonly files: readonly PlayedFile[]
  readonly cast: Cast
  readonly enter: Enter
  readonly clock: Clock
  /** times faster than it was; Infinity: as fast as it goes */
  readonly speed: number
  readonly signal: AbortSignal
  progress(told: Progress): void
}

export type Progress = { readonly file: string; readonly done: number; readonly of: number } & (
  | { readonly stage: 'accounts' }
  | { readonly stage: 'lines'; readonly at: number; readonly said: number; readonly here: number }
)

const STOPPED = Symbol('stopped')

/** @throws StageRefused */
export const play = async (options: PlayOptions): Promise<Report> => {
  const stage = new Stage(options)
  try {
    for (const file of options.files) await stage.day(file)
    return stage.report(true)
  } catch (error) {
    if (error !== STOPPED) throw error
    return stage.report(false)
  } finally {
    await stage.empty()
  }
}

class Stage {
  readonly #options: PlayOptions
  readonly #stopped: Promise<never>
  /** folded nick → its client */
  readonly #here = new Map<string, Performer>()
  readonly #refused: RefusedLine[] = []
  #counts = { lines: 0, said: 0, entered: 0, trimmed: 0, bans: 0, passedOver: 0 }

  constructor(options: PlayOptions) {
    this.#options = options
    const { signal } = options
    this.#stopped = new Promise((_resolve, reject) => {
      if (signal.aborted) reject(STOPPED)
      signal.addEventListener('abort', () => reject(STOPPED), { once: true })
    })
    this.#stopped.catch(() => {})
  }

  report(whole: boolean): Report {
    return { ...this.#counts, refused: this.#refused, whole }
  }

  /** Whoever is here at a file's end leaves with it: the next says who is there then. */
  async day(file: PlayedFile): Promise<void> {
    const { cast, signal, progress, clock, speed } = this.#options
    const of = file.lines.length
    const told = (done: number, all: number) => progress({ stage: 'accounts', file: file.name, done, of: all })
    await this.#unlessStopped(cast.engage(nicksIn(file.lines), signal, told))
    const begun = clock.now()
    const moments = spread(file.lines)
    for (const [index, line] of file.lines.entries()) {
      const due = begun + ((moments[index] as number) - (moments[0] as number)) / speed
      if (clock.now() < due) await this.#unlessStopped(pause(clock, due - clock.now()))
      await this.#unlessStopped(this.#line(file, line))
      this.#counts.lines++
      const { said } = this.#counts
      progress({ stage: 'lines', file: file.name, done: index + 1, of, at: line.at, said, here: this.#here.size })
    }
    await this.empty()
  }

  async empty(): Promise<void> {
    const all = [...this.#here.values()]
    this.#here.clear()
    // A server that is gone answers nobody.
    const given = pause(this.#options.clock, 2_000)
    await Promise.race([Promise.all(all.map((performer) => performer.leave())), given])
  }

  async #line(file: PlayedFile, line: IrcLine): Promise<void> {
    switch (line.is) {
      case 'said':
        return this.#say(file, line, await this.#enter(line.nick))
      case 'joined':
        await this.#enter(line.nick)
        return
      case 'left':
        return this.#leave(line.nick)
      case 'renamed':
        await this.#leave(line.nick)
        await this.#enter(line.to)
        return
      case 'ban':
        this.#counts.bans++
        return
      case 'other':
        this.#counts.passedOver++
    }
  }

  async #say(file: PlayedFile, line: IrcLine & { is: 'said' }, performer: Performer): Promise<void> {
    const { nick, text, action } = line
    let code = await performer.say(text, action)
    for (let tries = 1; code !== null && PASSING.includes(code) && tries < TRIES; tries++) {
      await this.#unlessStopped(pause(this.#options.clock, AGAIN_MS))
      code = await performer.say(text, action)
    }
    if (code !== null) this.#refused.push({ file: file.name, line: line.line, nick, code, text })
    else {
      this.#counts.said++
      if (text !== text.trim()) this.#counts.trimmed++
    }
  }

  async #enter(nick: string): Promise<Performer> {
    const folded = foldName(nick)
    const known = this.#here.get(folded)
    if (known) return known
    const performer = await this.#options.enter(this.#options.cast.token(folded))
    this.#here.set(folded, performer)
    this.#counts.entered++
    return performer
  }

  async #leave(nick: string): Promise<void> {
    const folded = foldName(nick)
    const performer = this.#here.get(folded)
    this.#here.delete(folded)
    await performer?.leave()
  }

  #unlessStopped<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#stopped])
  }
}

const nicksIn = (lines: readonly IrcLine[]): Map<string, string> => {
  const nicks = new Map<string, string>()
  const add = (nick: string) => {
    const folded = foldName(nick)
    if (!nicks.has(folded)) nicks.set(folded, nick)
  }
  for (const line of lines) {
    if (line.is === 'said' || line.is === 'joined') add(line.nick)
    if (line.is === 'renamed') add(line.to)
  }
  return nicks
}

/** Each line's moment: those of a minute at even distances in it. */
export const spread = (lines: readonly { readonly at: number }[]): number[] => {
  const perMinute = new Map<number, number>()
  for (const { at } of lines) perMinute.set(at, (perMinute.get(at) ?? 0) + 1)
  const before = new Map<number, number>()
  return lines.map(({ at }) => {
    const place = before.get(at) ?? 0
    before.set(at, place + 1)
    return at + (MINUTE_MS * place) / (perMinute.get(at) as number)
  })
}
