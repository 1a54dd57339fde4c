// Time and chance come in here, so that everything above can run in one thread under virtual time from a seed.

export interface Clock {
  /** ms since 1970; never goes back while the process lives */
  now(): number
  /** Calls `run` once `now()` has reached `due` (any distance); returns what cancels it. */
  at(due: number, run: () => void): () => void
  /** Calls `run` after what is already at hand (I/O events of this turn) has been taken in. */
  soon(run: () => void): void
}

export interface Chance {
  /** uuid v7: grows with time */
  uuid(): string
  /** 32 lower-case hex characters from a secure source */
  token(): string
  /** 0 ≤ x < 1, for jitter only */
  fraction(): number
}

/** What a token of another party says. */
export interface TokenClaims {
  /** the account's id */
  readonly user: string
  /** the name it would have here */
  readonly username: string | null
}

/** Tokens that another party signed. */
export interface TokenVerifier {
  verify(token: string): Promise<TokenClaims | 'expired' | 'invalid'>
}

/** On any clock: resolves once it has moved on by so much. */
export { pause } from '../log/timers.ts'
