// Errors as problem+json (RFC 9457), every one with the correlation id that the log and the server's own output have.

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import type { Values } from '../actors/chart.ts'
import { type RefusalCode, refusals } from '../actors/refusals.ts'
import { LogBusy, LogUnavailable } from '../log/event-log.ts'
import { ReadModelsUnavailable } from '../projections/poison.ts'

export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly values: Values
  readonly retryable: boolean
  constructor(status: number, code: string, detail: string, values: Values = {}, retryable = false) {
    super(detail)
    this.status = status
    this.code = code
    this.values = values
    this.retryable = retryable
  }
}

const IN_DOUBT =
  'the log has not said whether it stored this: look before you ask for it again; a message is stored once if it has its ref again'

export const refusalProblem = (code: RefusalCode, values: Values = {}): Problem => {
  const { status, title, retryable } = refusals[code]
  const said = values.stored === 'unknown' ? IN_DOUBT : title
  const detail = typeof values.rule === 'string' ? `${said}: ${values.rule}` : said
  return new Problem(status, code, detail, values, retryable)
}

export const notFound = (what: 'room' | 'user' | 'message' | 'token' | 'connection'): Problem =>
  what === 'connection'
    ? new Problem(404, 'unknown-connection', 'no such connection')
    : refusalProblem(`unknown-${what}`)

const send = (request: FastifyRequest, reply: FastifyReply, { status, code, message, values, retryable }: Problem) => {
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="hansard"')
  if (retryable) reply.header('retry-after', typeof values.waitMs === 'number' ? Math.ceil(values.waitMs / 1_000) : 1)
  return reply
    .code(status)
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send({ type: `/problems/${code}`, title: code, status, detail: message, code, values, correlationId: request.id })
}

export const handleProblems = (app: FastifyInstance, onFault: (where: string, error: unknown) => void): void => {
  app.setNotFoundHandler((request, reply) =>
    send(
      request,
      reply,
      new Problem(404, 'not-found', `nothing is served at ${request.method} ${request.url.split('?')[0]}`),
    ),
  )
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof Problem) return send(request, reply, error)
    if (error instanceof LogBusy) return send(request, reply, refusalProblem('busy'))
    if (error instanceof ReadModelsUnavailable) {
      const detail = 'the read models cannot answer this now (/readyz says why); try again'
      return send(request, reply, new Problem(503, 'unavailable', detail, {}, true))
    }
    if (error instanceof LogUnavailable) return send(request, reply, refusalProblem('unavailable'))
    if (hasZodFastifySchemaValidationErrors(error)) {
      const detail = error.validation
        .map(
          ({ instancePath, message }) => `${error.validationContext}${instancePath.replaceAll('/', '.')}: ${message}`,
        )
        .join('; ')
      const [first] = error.validation
      const field = first?.instancePath.slice(1).replaceAll('/', '.') ?? ''
      const values: Values = field === '' ? {} : { field, rule: first?.message ?? '' }
      return send(request, reply, new Problem(400, 'malformed', detail, values))
    }
    if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
      return send(
        request,
        reply,
        new Problem(error.statusCode, error.statusCode === 413 ? 'too-large' : 'malformed', error.message),
      )
    }
    onFault(`${request.method} ${request.routeOptions.url ?? request.url}`, error)
    return send(
      request,
      reply,
      new Problem(500, 'server-error', 'an unexpected fault; it was recorded under this correlation id'),
    )
  })
}
