// Who is who: accounts by id, name, number and token. Looked up in claim streams and confirmed by the user's own
// actor, never in a read model that may lag.

import { createHash } from 'node:crypto'
import type { Claims, Confirms } from './claims.ts'
import type { AccountRole } from './fact.ts'
import type { Host } from './host.ts'
import { foldName, nameFault, skeleton } from './names.ts'
import { numbersStream } from './node.facts.ts'
import { isDecided, type Outcome, type Refused, refused } from './outcome.ts'
import type { TokenClaims, TokenVerifier } from './ports.ts'
import type { Asker } from './room/room.facts.ts'
import type { UserContext } from './user/user.context.ts'
import { userStream } from './user/user.facts.ts'

export interface Account {
  readonly id: string
  readonly number: number
  readonly username: string
  readonly role: AccountRole
}

/** Who a token speaks for. */
export interface Bearing {
  readonly account: Account
  /** the token's id; null: a token of another party, or of the process */
  readonly token: string | null
  /** banned from everywhere, until when (null: no end); sockets are told by `connection.attach`, requests by this */
  readonly ban: { readonly until: number | null } | null
}

/** Tokens that another party signed, where they are accepted. */
export interface ForeignTokens {
  readonly verifier: TokenVerifier | null
  /** does a first valid one make the account? */
  readonly provision: boolean
}

export interface Registration {
  readonly username: string
  readonly role: AccountRole
  readonly guest: boolean
  readonly id?: string
  readonly asker: Asker | null
  readonly correlationId?: string
  /** that it was asked on */
  readonly connection?: string
  /** a token of the caller's own making, e.g. the owner's from the settings */
  readonly token?: string
  /** as written in digits; one account a number */
  readonly phone?: string
  readonly profile?: { readonly dialect: string; readonly fields: Readonly<Record<string, unknown>> }
}

/** What a fact says of where it was asked. */
export interface AskedFrom {
  readonly connection?: string
  readonly correlationId?: string
}

export interface Registered {
  readonly ok: true
  readonly account: Account
  readonly token: string
  readonly revision: number
}

const accountOf = ({ user, number, username, role }: UserContext): Account => ({ id: user, number, username, role })

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Where something was asked that is not put as a command there. */
export interface AskedFrom {
  readonly connection?: string
  readonly correlationId?: string
}

export class Identity {
  readonly #host: Host
  readonly #claims: Claims
  readonly #foreign: ForeignTokens
  /** skeletons of staff names → user id, so that nobody passes for staff */
  readonly #staff = new Map<string, string>()
  /** a token of this process alone, which no fact knows: its hash as tokens are stored → the account */
  #lent: { readonly hash: string; readonly owner: string } | null = null

  constructor(host: Host, claims: Claims, foreign: ForeignTokens = { verifier: null, provision: false }) {
    this.#host = host
    this.#claims = claims
    this.#foreign = foreign
    host.onAcknowledged(({ kind, facts }) => {
      if (kind !== 'user') return
      for (const { type, stream } of facts) {
        if (type === 'UserRegistered' || type === 'UserRenamed' || type === 'RoleGranted' || type === 'RoleRevoked') {
          this.#noteStaff(stream)
        }
      }
    })
  }

  /** Staff that stood in the log before this start. */
  guardStaffNames(staff: readonly { id: string; username: string }[]): void {
    for (const { id, username } of staff) this.#staff.set(skeleton(username), id)
  }

  /** What Moneypot clients send: hex SHA-256 of the token's text. The log holds only the SHA-256 of that. */
  hashToken(token: string): string {
    return sha256(token)
  }

  fold(name: string): string {
    return foldName(name)
  }

  /** @throws LogUnavailable */
  async byId(id: string): Promise<Account | null> {
    const known = await this.#known(id)
    return known && accountOf(known)
  }

  /** What the user's actor remembers; null when there is no such user. */
  async #known(id: string): Promise<UserContext | null> {
    const actor = await this.#host.load(userStream(id))
    if (actor.revision >= 0) return actor.snapshot.context as UserContext
    this.#host.release(actor.stream)
    return null
  }

  /** @throws LogUnavailable */
  async byName(username: string): Promise<Account | null> {
    const folded = foldName(username)
    const owner = await this.#claims.owner('username', folded)
    const account = owner === null ? null : await this.byId(owner)
    return account && foldName(account.username) === folded ? account : null
  }

  /** @throws LogUnavailable */
  async byPhone(phone: string): Promise<Account | null> {
    const owner = await this.#claims.owner('phone', phone)
    return owner === null ? null : this.byId(owner)
  }

  /** @throws LogUnavailable */
  async byNumber(number: number): Promise<Account | null> {
    const owner = await this.#host.ledger.at(numbersStream('user'), number - 1)
    const account = owner === null ? null : await this.byId((owner.data as { owner: string }).owner)
    return account?.number === number ? account : null
  }

  /** `<id>`, `@name` or `#number`. @throws LogUnavailable */
  async resolve(reference: string): Promise<Account | null> {
    if (reference.startsWith('@')) return this.byName(reference.slice(1))
    if (/^#[1-9][0-9]{0,14}$/.test(reference)) return this.byNumber(Number(reference.slice(1)))
    return /^[0-9a-f-]{36}$/.test(reference) ? this.byId(reference) : null
  }

  /**
   * The account of a token in force, and the token's id. `hashed`: hex SHA-256 of the token.
   * Tokens are found by a keyed hash of a hash, so that no comparison here depends on how much of a guess is right.
   * @throws LogUnavailable
   */
  async byToken(hashed: string): Promise<Bearing | null> {
    if (!/^[0-9a-f]{64}$/i.test(hashed)) return null
    const hash = sha256(hashed.toLowerCase())
    if (this.#lent?.hash === hash) {
      const lender = await this.#known(this.#lent.owner)
      return lender && { account: accountOf(lender), token: null, ban: lender.ban }
    }
    const owner = await this.#claims.owner('token', hash)
    if (owner === null) return null
    const known = await this.#known(owner)
    const token = known?.tokens.findKey((held) => held === hash)
    return known && token !== undefined ? { account: accountOf(known), token, ban: known.ban } : null
  }

  /** Until the process ends, this token speaks for the account, too. */
  lend(token: string, { id }: Account): void {
    this.#lent = { hash: sha256(sha256(token)), owner: id }
  }

  /** The same for whoever has shown it before, by its id: null once it is revoked. @throws LogUnavailable */
  async stillBears(user: string, token: string): Promise<Bearing | null> {
    const known = await this.#known(user)
    return known?.tokens.has(token) ? { account: accountOf(known), token, ban: known.ban } : null
  }

  /**
   * The account that a token of another party speaks for. `provision` false: it is made by nobody's asking here.
   * @throws LogUnavailable
   */
  async byForeignToken(token: string, provision = this.#foreign.provision): Promise<Bearing | 'expired' | 'invalid'> {
    const claims = (await this.#foreign.verifier?.verify(token)) ?? 'invalid'
    if (typeof claims === 'string') return claims
    const known = (await this.#known(claims.user)) ?? (provision ? await this.#provision(claims) : null)
    return known ? { account: accountOf(known), token: null, ban: known.ban } : 'invalid'
  }

  /** By the name that the token gives, else (none, taken, not allowed) by one made of the account's id. */
  async #provision({ user: id, username }: TokenClaims): Promise<UserContext | null> {
    for (const name of [username, `user-${id.slice(0, 8)}`, `user-${id.replaceAll('-', '').slice(0, 27)}`]) {
      if (name === null) continue
      const made = await this.register({ username: name, id, role: 'member', guest: false, asker: null })
      if (made.ok) break
    }
    return this.#known(id)
  }

  /** @throws LogUnavailable */
  async register(wanted: Registration): Promise<Registered | Refused> {
    const fault = nameFault(wanted.username)
    if (fault) return refused('name-invalid', { field: 'username', rule: fault })
    const id = wanted.id ?? this.#host.chance.uuid()
    if (this.#looksLikeStaff(wanted.username, id)) return refused('name-taken', { field: 'username' })
    if (wanted.id && (await this.byId(wanted.id))) return refused('already-exists', { field: 'id' })
    const folded = foldName(wanted.username)
    if (!(await this.#claims.claim('username', folded, id, this.#hasName(folded)))) {
      return refused('name-taken', { field: 'username' })
    }
    const { phone, profile = null } = wanted
    // An account registers with its number or not at all, so that it exists confirms the claim.
    if (phone && !(await this.#claims.claim('phone', phone, id, async (owner) => (await this.byId(owner)) !== null))) {
      await this.#claims.release('username', folded, id)
      return refused('phone-taken', { field: 'phone' })
    }
    const correlationId = wanted.correlationId ?? this.#host.chance.uuid()
    const taken = await this.#host.ledger.append(
      numbersStream('user'),
      () => ({ type: 'NumberTaken', data: { owner: id } }),
      { by: wanted.asker?.id ?? null, correlationId },
    )
    const number = (taken?.revision ?? 0) + 1
    const { token, ...credential } = await this.#claimToken(id, wanted.token)
    const { username, role, guest, asker, connection = null } = wanted
    const outcome = await this.#host.send(userStream(id), {
      type: 'user.register',
      correlationId,
      connection,
      by: asker?.id ?? id,
      asker,
      user: id,
      number,
      username,
      role,
      guest,
      machine: this.#host.machineHash('user'),
      token: credential,
      profile,
    })
    if (!outcome.ok) return outcome
    return { ok: true, account: { id, number, username, role }, token, revision: outcome.revision }
  }

  /** `from`: what the fact says of where it was asked. @throws LogUnavailable */
  async rename(account: Account, username: string, asker: Asker | null, from: AskedFrom = {}): Promise<Outcome> {
    const fault = nameFault(username)
    if (fault) return refused('name-invalid', { field: 'username', rule: fault })
    if (this.#looksLikeStaff(username, account.id)) return refused('name-taken', { field: 'username' })
    const stream = userStream(account.id)
    const command = { type: 'user.rename', ...from, by: asker?.id ?? null, asker, username } as const
    // Whoever may not do it claims nothing, and learns of no name.
    const known = await this.#host.loadContext<UserContext>(stream)
    const asked = this.#host.ask(stream, command)
    if (asked && !asked.ok) return asked
    const folded = foldName(username)
    const before = foldName(known.username)
    if (!(await this.#claims.claim('username', folded, account.id, this.#hasName(folded)))) {
      return refused('name-taken', { field: 'username' })
    }
    const outcome = await this.#host.send(stream, command)
    // Released only once the new name is confirmed: a crash between leaves the old one unconfirmed, not both lost.
    const given = outcome.ok ? before : isDecided(outcome) ? folded : null
    if (given !== null && folded !== before) await this.#claims.release('username', given, account.id)
    return outcome
  }

  /** @throws LogUnavailable */
  async issueToken(
    account: Account,
    asker: Asker | null,
    own?: string,
    from: AskedFrom & { readonly label?: string } = {},
  ): Promise<{ ok: true; id: string; token: string; revision: number } | Refused> {
    const { id, hash, token } = await this.#claimToken(account.id, own)
    const outcome = await this.#host.send(userStream(account.id), {
      type: 'token.issue',
      ...from,
      by: asker?.id ?? null,
      asker,
      token: id,
      hash,
    })
    return outcome.ok ? { ok: true, id, token, revision: outcome.revision } : outcome
  }

  async #claimToken(owner: string, own?: string): Promise<{ id: string; hash: string; token: string }> {
    const token = own ?? this.#host.chance.token()
    const hash = sha256(sha256(token))
    await this.#claims.claim('token', hash, owner, async () => true)
    return { id: this.#host.chance.uuid(), hash, token }
  }

  #hasName(folded: string): Confirms {
    return async (owner) => {
      const account = await this.byId(owner)
      return account !== null && foldName(account.username) === folded
    }
  }

  #looksLikeStaff(username: string, id: string): boolean {
    const staff = this.#staff.get(skeleton(username))
    return staff !== undefined && staff !== id
  }

  #noteStaff(stream: string): void {
    const { user, username, role } = this.#host.contextOf<UserContext>(stream)
    for (const [name, id] of this.#staff) if (id === user) this.#staff.delete(name)
    if (role === 'admin') this.#staff.set(skeleton(username), user)
  }
}
