// What the client of one connection asks for, in the order it came: read by the dialect, carried out by whoever knows
// how, and answered once what the answer tells of is on the log.

import type { ActorKind, Fact } from '../actors/fact.ts'
import { type Outcome, refused } from '../actors/outcome.ts'
import type { FrameIn, Request, Standing, Told } from '../dialects/dialect.ts'
import { LogUnavailable } from '../log/event-log.ts'
import { Answers } from './answers.ts'
import { Arrival } from './arrival.ts'
import { Commands } from './commands.ts'
import { Following } from './following.ts'
import { Inbox } from './inbox.ts'
import type { Session } from './session.ts'

type Answered = Promise<{ readonly outcome: Outcome; readonly told?: Partial<Told> }>

export class Requests {
  readonly #session: Session
  readonly #inbox: Inbox
  readonly #commands: Commands
  readonly #answers: Answers
  readonly #arrival: Arrival
  #following: Following | null = null
  #standing: Standing = 'connected'

  constructor(session: Session) {
    this.#session = session
    this.#inbox = new Inbox({
      take: (frame) => this.#take(frame),
      overflow: () => session.abort('flood'),
      fault: (error) => session.fail(error),
    })
    this.#commands = new Commands(session)
    this.#answers = new Answers(session)
    this.#arrival = new Arrival(session, this.#answers)
  }

  add(frame: FrameIn): void {
    this.#inbox.add(frame)
  }

  /** What waits is nobody's any more. */
  clear(): void {
    this.#inbox.clear()
  }

  /** What its client sent is not wholly dealt with. */
  get busy(): boolean {
    return this.#inbox.busy
  }

  get standing(): Standing {
    return this.#standing
  }

  #take(frame: FrameIn): Promise<void> | null {
    const { opening } = this.#session.record
    return opening ? opening.then(() => this.#handle(frame) ?? undefined) : this.#handle(frame)
  }

  /** What returns a promise holds back the frames behind it; what only submits does not. */
  #handle(frame: FrameIn): Promise<void> | null {
    const session = this.#session
    if (session.ended) return null
    // Now, and not when it came: what it waited for happened before it.
    for (const tap of session.around.taps) tap.heard(session, frame)
    const decoded = session.dialect.decode(frame, this.#standing, session.id)
    const ack = 'ack' in frame ? frame.ack : null
    if (decoded.is === 'ignored') {
      session.around.count('frames_ignored')
      return null
    }
    if (decoded.is === 'malformed') return this.#answers.malformed(decoded)
    const { request } = decoded
    switch (request.do) {
      case 'answer':
        session.send(request.frames)
        return null
      case 'sign-in':
      case 'enter':
        this.#standing = 'authenticating'
        return this.#arrival.run(request, ack).then((standing) => {
          this.#standing = standing
          this.#following?.resume(standing)
        })
      case 'join':
        return this.#arrival.join(request, ack)
      case 'leave':
        return this.#arrival.leave(request, ack)
      case 'post':
        return this.#send('room', request, ack, () => this.#commands.post(request), Boolean(request.replyTo))
      case 'typing':
        return this.#send('connection', request, ack, () => this.#commands.typing(request))
      case 'read':
        return this.#send('connection', request, ack, () => this.#commands.read(request))
      case 'edit':
      case 'remove':
      case 'restore':
        return this.#answered(request, ack, this.#commands.change(request))
      case 'status':
        return this.#send('user', request, ack, () => this.#commands.status(request))
      case 'history':
        return this.#answered(request, ack, this.#commands.history(request))
      default:
        return this.#answered(request, ack, this.#commands.moderate(request))
    }
  }

  #send(
    to: ActorKind,
    request: Request,
    ack: number | null,
    command: () => Answered,
    holds = false,
  ): Promise<void> | null {
    const session = this.#session
    const answered = async () => {
      if (!session.ended) await this.#answered(request, ack, command())
    }
    return this.#inbox.send(to, () => answered().catch((error) => session.fail(error)), holds)
  }

  async #answered(request: Request, ack: number | null, answer: Answered): Promise<void> {
    const { outcome, told } = await answer.catch((error) => {
      if (error instanceof LogUnavailable) return { outcome: refused('unavailable'), told: {} }
      throw error
    })
    await this.#answers.answer(request, outcome, ack, told)
  }

  // --- rooms that it comes to hear unasked ---

  /** Its account became a member of this room, or the room was opened in a space that it follows. */
  follow(room: string, because: Fact): void {
    const { spoken, ended } = this.#session
    const follows = spoken?.profile.rooms === 'followed-at-sign-in'
    if (follows && !ended) this.#follows.add(room, because, this.#standing)
  }

  /** Its account is a member of this room no more: leaving it is on its way. */
  unfollow(room: string): void {
    this.#follows.end(room)
  }

  /** That it left the room is on record. */
  left(room: string): void {
    this.#session.forget(room)
    if (!this.#session.ended) this.#following?.left(room, this.#standing)
  }

  /** Made when it is first asked for: most connections hear the rooms that they came for, and no others. */
  get #follows(): Following {
    const session = this.#session
    this.#following ??= new Following(session.places, {
      isEverywhere: () => session.isEverywhere,
      follow: (room, because) => this.#arrival.follow(room, because),
      fault: (error) => session.fail(error),
    })
    return this.#following
  }
}
