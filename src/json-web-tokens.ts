// JSON Web Tokens of another party (Supabase and its like) as credentials: HS256 with a shared secret, or a key set
// looked up by its address (ES256, RS256). Any other algorithm, `none` first of all, is refused.

import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import type { Clock, TokenClaims, TokenVerifier } from './actors/ports.ts'

const LEEWAY_SECONDS = 60
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export interface JsonWebTokenOptions {
  /** its UTF-8 text is the key; empty: none */
  readonly secret: string
  /** address of the key set; empty: none */
  readonly jwksUrl: string
  readonly audience: string
  readonly issuer: string
}

export class JsonWebTokens implements TokenVerifier {
  readonly #clock: Clock
  readonly #options: JsonWebTokenOptions
  readonly #secret: Uint8Array | null
  readonly #keys: JWTVerifyGetKey | null

  constructor(clock: Clock, options: JsonWebTokenOptions) {
    this.#clock = clock
    this.#options = options
    this.#secret = options.secret === '' ? null : new TextEncoder().encode(options.secret)
    this.#keys = options.jwksUrl === '' ? null : createRemoteJWKSet(new URL(options.jwksUrl))
  }

  async verify(token: string): Promise<TokenClaims | 'expired' | 'invalid'> {
    const { audience, issuer } = this.#options
    const checks = {
      clockTolerance: LEEWAY_SECONDS,
      currentDate: new Date(this.#clock.now()),
      ...(audience === '' ? {} : { audience }),
      ...(issuer === '' ? {} : { issuer }),
    }
    let last: 'expired' | 'invalid' = 'invalid'
    const [secret, keys] = [this.#secret, this.#keys]
    // One after the other: a second attempt that nobody awaits would end the process when it fails.
    for (const attempt of [
      secret && (() => jwtVerify(token, secret, { ...checks, algorithms: ['HS256'] })),
      keys && (() => jwtVerify(token, keys, { ...checks, algorithms: ['ES256', 'RS256'] })),
    ]) {
      if (!attempt) continue
      try {
        return claimsOf((await attempt()).payload)
      } catch (error) {
        if (error instanceof errors.JWTExpired) last = 'expired'
      }
    }
    return last
  }
}

const claimsOf = ({ sub, exp, user_metadata: about }: JWTPayload): TokenClaims | 'invalid' => {
  if (sub === undefined || !UUID.test(sub) || exp === undefined) return 'invalid'
  const username = (about as { username?: unknown } | undefined)?.username
  return { user: sub.toLowerCase(), username: typeof username === 'string' ? username : null }
}
