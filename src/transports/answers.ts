// What a client is told of its own requests. A refusal is on record before it is told.

import { type Outcome, refused } from '../actors/outcome.ts'
import type { Refusal } from '../actors/refusals.ts'
import {
  type CloseReason,
  type Decoded,
  type FrameOut,
  type Request,
  TOLD_NOTHING,
  type Told,
} from '../dialects/dialect.ts'
import type { Session } from './session.ts'

const COMMANDS: Record<Exclude<Request['do'], 'answer'>, string> = {
  'sign-in': 'sign-in',
  enter: 'room.enter',
  join: 'room.enter',
  leave: 'room.leave',
  post: 'message.post',
  edit: 'message.edit',
  remove: 'message.remove',
  restore: 'message.restore',
  read: 'read.mark',
  typing: 'typing.start',
  history: 'history.note',
  status: 'status.set',
  mute: 'mute.set',
  unmute: 'mute.lift',
}

/** A close of which the dialect says code and words. */
export const UNTOLD: CloseReason = { code: null, reason: null }

/** Of what is on record: a client's own word may be part of it. */
const MAX_PATH = 100

export class Answers {
  readonly #session: Session
  #strikes = 0

  constructor(session: Session) {
    this.#session = session
  }

  malformed({ path, reply, after }: Extract<Decoded, { is: 'malformed' }>): Promise<void> {
    const session = this.#session
    const refusal: Refusal = {
      code: 'malformed',
      state: '',
      guard: null,
      values: { path: path.slice(0, MAX_PATH) },
      at: null,
    }
    const refusing = this.#refuse('frame', refusal, reply, [])
    if (after === undefined) return refusing
    if (after === 'strike') {
      this.#strikes++
      const { badFrameStrikes } = session.dialect.profile.limits
      return badFrameStrikes > 0 && this.#strikes >= badFrameStrikes
        ? refusing.then(() => session.end('protocol-error', UNTOLD))
        : refusing
    }
    return refusing.then(() => session.end('protocol-error', after))
  }

  async answer(request: Request, outcome: Outcome, ack: number | null, more: Partial<Told> = {}): Promise<void> {
    if (request.do === 'answer') return
    const session = this.#session
    const told = { ...TOLD_NOTHING, ...more }
    const frames = session.dialect.reply(request, outcome, ack, told)
    if (outcome.ok) session.send(frames)
    else {
      const away = session.dialect.reply(request, refused('unavailable'), ack, told)
      await this.#refuse(COMMANDS[request.do], outcome.refusal, frames, away)
      const end = session.dialect.endsWith?.(request, outcome.refusal.code)
      if (end) await session.end('protocol-error', end)
    }
  }

  /** `away` is all that may be said when the refusal cannot be put on record. */
  async #refuse(
    command: string,
    refusal: Refusal,
    frames: readonly FrameOut[],
    away: readonly FrameOut[],
  ): Promise<void> {
    const session = this.#session
    session.around.refused(refusal.code)
    const recorded = await session.record.refusals.note(command, refusal)
    session.send(recorded ? frames : away)
  }
}
