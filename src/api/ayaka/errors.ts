// Errors in Ayaka's own form (§6): a message that begins with the status, and a code that is always 0.

import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'
import type { RefusalCode } from '../../actors/refusals.ts'
import { LogUnavailable } from '../../log/event-log.ts'
import { Problem } from '../problem.ts'

/** Where the status differs from the native API's: whoever is no member does not see the guild, a closed room forbids. */
const STATUSES: Readonly<Partial<Record<RefusalCode, number>>> = {
  'not-a-member': 404,
  'not-present': 404,
  'room-closed': 403,
  'room-archived': 403,
}

export const badRequest = (detail: string): Problem => new Problem(400, 'malformed', detail)
export const notFound = (): Problem => new Problem(404, 'not-found', '')

const ALREADY_IN = 'You are already in this guild'
export const alreadyIn = (): Problem => new Problem(409, 'already-in', ALREADY_IN)

const answer = (reply: FastifyReply, status: number, text = STATUS_CODES[status], more: object = {}) =>
  reply.code(status).send({ message: `${status}: ${text}`, code: 0, ...more })

export const answerErrors = (app: FastifyInstance, onFault: (where: string, error: unknown) => void): void => {
  app.setNotFoundHandler((_request, reply) => answer(reply, 404))
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof Problem) {
      const { code, message, values } = error
      const status = STATUSES[code as RefusalCode] ?? error.status
      if (code === 'already-in') return answer(reply, status, message)
      if (status !== 429) return answer(reply, status)
      const wait = typeof values.waitMs === 'number' ? values.waitMs / 1_000 : 1
      return answer(reply, status, undefined, { retry_after: wait })
    }
    if (error instanceof LogUnavailable) return answer(reply, 503)
    const { statusCode = 500 } = error
    if (statusCode >= 400 && statusCode < 500) return answer(reply, statusCode)
    onFault(`${request.method} ${request.routeOptions.url ?? request.url}`, error)
    return answer(reply, 500)
  })
}
