// Signing in: user CameOnline → connection AuthSucceeded, each appended before the next rests on it. What a token that
// is not in force leads to is the dialect's profile's to say.

import type { ConnectionContext } from '../actors/connection/connection.context.ts'
import { connectionStream } from '../actors/connection/connection.facts.ts'
import type { Person } from '../actors/fact.ts'
import type { Bearing } from '../actors/identity.ts'
import { type Done, type Outcome, type Refused, refused } from '../actors/outcome.ts'
import { userStream } from '../actors/user/user.facts.ts'
import type { Credential } from '../dialects/dialect.ts'
import type { Session } from './session.ts'

export const NOTHING_NEW: Done = { ok: true, facts: [], revision: 0, values: {} }

/** Whom a credential speaks for; null: nobody. @throws LogUnavailable */
export const bearingOf = async ({ around }: Session, credential: Credential): Promise<Bearing | null> => {
  const { identity } = around
  if ('jwt' in credential) {
    const known = await identity.byForeignToken(credential.jwt)
    return typeof known === 'string' ? null : known
  }
  return identity.byToken('token' in credential ? identity.hashToken(credential.token) : credential.hashedToken)
}

export class SignIn {
  readonly #session: Session
  /** who may be online by now */
  user: string | null = null

  constructor(session: Session) {
    this.#session = session
  }

  /** null: nobody, who may read where the dialect lets readers in. @throws LogUnavailable */
  async run(credential: Credential | null): Promise<Outcome> {
    if (credential === null) return this.#asReader()
    const known = await bearingOf(this.#session, credential)
    return known ? this.#signInAs(known) : this.#unknown()
  }

  async #asReader(): Promise<Outcome> {
    return this.#session.isOverActs(null) ? this.#tooOften(null, null) : this.#sign(null, null)
  }

  async #unknown(): Promise<Outcome> {
    const { record, dialect } = this.#session
    if (dialect.profile.unknownToken === 'reads') return this.#asReader()
    // Each try would be a fact.
    if (dialect.profile.unknownToken === 'may-retry' && this.#session.isOverActs()) return refused('rate-limited')
    const outcome = refused('unknown-token')
    await record.refusals.note('sign-in', outcome.refusal)
    const final = dialect.profile.unknownToken === 'closes'
    await record.command({ type: 'auth.fail', code: 'unknown-token', final, closeCode: null, reason: null })
    return outcome
  }

  async #signInAs({ account, token }: Bearing): Promise<Outcome> {
    const session = this.#session
    const { host, node } = session.around
    const { id, number, username, role } = account
    if (session.isOverActs(account)) return this.#tooOften({ id, number, username, role }, token)
    this.user = id
    const attach = { type: 'connection.attach', attaching: session.id, node, token } as const
    const attached = await host.send(userStream(id), { by: id, connection: session.id, ...attach })
    if (!attached.ok) {
      if (attached.refusal.code !== 'token-revoked') return this.shutOut(attached)
      this.user = null
      return this.#unknown()
    }
    session.account = account
    // Outside a room nobody is owner or mod.
    return this.#sign({ id, number, username, role }, token)
  }

  /** What its chart says of it, before the account comes online. */
  #tooOften(user: Person | null, token: string | null): Outcome {
    const { record } = this.#session
    return record.ask({ type: 'auth.succeed', user, token, overRate: true }) ?? refused('rate-limited')
  }

  /** An entry that failed further on may be tried again: who it is stands on the record by then. */
  async #sign(user: Person | null, token: string | null): Promise<Outcome> {
    const { record, around, id } = this.#session
    const signed = await record.command({ type: 'auth.succeed', user, token })
    if (signed.ok || signed.refusal.code !== 'already-exists') return signed
    const known = around.host.contextOf<ConnectionContext>(connectionStream(id))
    return known.token === token && known.user?.id === user?.id ? NOTHING_NEW : signed
  }

  /** Banned here or everywhere: the connection's own chart closes it, which tells the client. */
  async shutOut(outcome: Refused): Promise<Outcome> {
    const { record } = this.#session
    if (outcome.refusal.code !== 'banned') return outcome
    await record.refusals.note('sign-in', outcome.refusal)
    await record.command({ type: 'auth.fail', code: 'banned', final: true, closeCode: null, reason: null })
    return outcome
  }
}
