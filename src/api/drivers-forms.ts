// What every route of drivers.uz's REST has in common: bodies as JSON or as a form, a token in one of three places, and
// answers of HTTP 200 also where something fails (docs/protocols/drivers.md §5).

import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify'
import type { Account } from '../actors/identity.ts'
import type { RefusalCode } from '../actors/refusals.ts'
import { field, isPlainObject } from '../dialects/json.ts'
import { LogUnavailable } from '../log/event-log.ts'
import { Problem } from './problem.ts'
import type { Bearer, Requests } from './request.ts'

/** Answered with HTTP 200 and these words. */
export class Failed extends Error {}

export type Form = Readonly<Record<string, unknown>>

export const formOf = ({ body }: FastifyRequest): Form => (isPlainObject(body) ? body : {})

/** Forms beside JSON, in this scope only. */
export const acceptForms = (app: FastifyInstance): void => {
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(body as string))),
  )
}

const WORDS: Readonly<Partial<Record<RefusalCode, string>>> = {
  'user-required': 'not-authenticated',
  'unknown-room': 'topic not found',
  'room-archived': 'topic not found',
  'unknown-message': 'message not found',
  'unknown-user': 'user not found',
  'name-taken': 'username already taken',
  'name-invalid': 'username not valid',
  'phone-taken': 'phone_number already registered',
  'rate-limited': 'rate_limited',
  'room-full': 'topic full',
}

export const answerFailures = (app: FastifyInstance, onFault: (where: string, error: unknown) => void): void => {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const fail = (status: number, detail: string) => reply.code(status).send({ status: 'fail', detail })
    if (error instanceof Failed) return fail(200, error.message)
    const away = error instanceof LogUnavailable || (error instanceof Problem && error.status >= 500)
    // A rate that is over is the Problem that a later try may pass.
    if (error instanceof Problem && !away)
      return fail(error.status === 429 ? 429 : 200, WORDS[error.code as RefusalCode] ?? error.code)
    const { statusCode = 500 } = error
    if (!away && statusCode >= 400 && statusCode < 500) return fail(statusCode === 413 ? 413 : 400, 'bad request')
    if (!away) onFault(`${request.method} ${request.routeOptions.url ?? request.url}`, error)
    return reply.code(500).send({ status: 'fail', data: 'internal error' })
  })
}

/** A text that must be there, trimmed. @throws Failed */
export const textField = (form: Form, name: string, most: number): string => {
  const text = optionalText(form, name)
  if (text === null) throw new Failed(`${name} not given`)
  if (text.length > most) throw new Failed(`${name} too long`)
  return text
}

/** null: it is no text, blank, or has NUL in it. */
export const optionalText = (form: Form, name: string): string | null => {
  const given = field(form, name)
  const text = typeof given === 'string' ? given.trim() : ''
  return text === '' || text.includes('\0') ? null : text
}

/** A whole number from 0, or the text of one. @throws Failed */
export const numberField = (form: Form, name: string): number => {
  const number = wholeOf(field(form, name))
  if (number === null) throw new Failed(`${name} not given`)
  return number
}

export const wholeOf = (given: unknown): number | null => {
  const value = typeof given === 'string' && /^[0-9]{1,15}$/.test(given) ? Number(given) : given
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null
}

/** Whose token came: as `Authorization`, bare, or as `token` in body or query. @throws Problem */
export const callerOf = (requests: Requests, request: FastifyRequest): Promise<Bearer> => {
  const header = request.headers.authorization?.replace(/^Bearer /i, '')
  const token = [header, field(formOf(request), 'token'), (request.query as { token?: unknown }).token].find(
    (given) => typeof given === 'string' && /^[\x21-\x7e]{1,256}$/.test(given),
  )
  return requests.bearerOf(token as string | undefined)
}

export interface Caller extends Bearer {
  /** the account that `user_id` names: the caller's own, or any when the caller is an admin */
  readonly user: Account
}

/** @throws Problem, Failed */
export const callerFor = async (requests: Requests, request: FastifyRequest): Promise<Caller> => {
  const bearer = await callerOf(requests, request)
  const number = numberField(formOf(request), 'user_id')
  const { account } = bearer
  if (number === account.number) return { ...bearer, user: account }
  if (account.role !== 'admin') throw new Failed('not-authenticated')
  const user = await requests.deps.identity.byNumber(number)
  if (!user) throw new Failed('user not found')
  return { ...bearer, user }
}

/** null in this protocol for those without one. */
export const rolesOf = (role: Account['role']): Record<string, true> | null =>
  role === 'member' ? null : { [role]: true }
