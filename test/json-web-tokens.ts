// Tokens as another party signs them, good and bad.

import { SignJWT, UnsecuredJWT } from 'jose'
import { JWT } from './running-server.ts'

const key = (secret: string) => new TextEncoder().encode(secret)

/** For an account, at `now` (ms since 1970): one in force, and one of each kind that must be refused. */
export const jsonWebTokens = async (user: string, now: number): Promise<Record<string, string>> => {
  const seconds = Math.floor(now / 1_000)
  const token = (expires: number, audience = JWT.audience) =>
    new SignJWT({ user_metadata: { username: 'from-the-token' } })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(user)
      .setAudience(audience)
      .setIssuedAt(seconds)
      .setExpirationTime(expires)
  const hour = seconds + 3_600
  return {
    jwt: await token(hour).sign(key(JWT.secret)),
    expired: await token(seconds - 61).sign(key(JWT.secret)),
    forged: await token(hour).sign(key('another secret, long enough too')),
    elsewhere: await token(hour, 'another audience').sign(key(JWT.secret)),
    unsigned: new UnsecuredJWT({}).setSubject(user).setAudience(JWT.audience).setExpirationTime(hour).encode(),
  }
}
