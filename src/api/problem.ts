// Errors as problem+json (RFC 9457), every one with the correlation id that the log and the server's own output have.

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import type { Values } from '../actors/chart.ts'
import { type RefusalCode, refusals } from '../actors/refusals.ts'
import { LogBusy, LogUnavailable } from '../log/event-log.ts'
import { ReadModelsUnavailable } from '../projections/poison.ts'

export const MAX_BODY_BYTES = 64 * 1024
/** as sent: what names a room or an account has 128 characters, of up to nine in percent */
export const MAX_PATH_PART = 1_200

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

/** What is wrong with which field of a request, and what would be right. */
export const malformed = (field: string, rule: string): Problem =>
  new Problem(400, 'malformed', `${field}: ${rule}`, { field, rule })

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

/** As zod tells of it; a field that there is not is named as one. */
const invalid = ({ validation, validationContext }: Invalid): Problem => {
  const faults = validation.map(({ instancePath, keyword, message, params }) => {
    const path = instancePath.split('/').filter((part) => part !== '')
    const unknown = keyword === 'unrecognized_keys' ? (params.keys as string[]) : []
    return { path: [...path, ...unknown].join('.'), rule: message ?? '' }
  })
  const [first] = faults
  const where = WHERE[validationContext ?? ''] ?? ''
  const detail = faults.map(({ path, rule }) => `${[where, path].filter((part) => part !== '').join('.')}: ${rule}`)
  return new Problem(400, 'malformed', detail.join('; '), { field: first?.path || where, rule: first?.rule ?? '' })
}
type Invalid = Pick<FastifyError, 'validation' | 'validationContext'> & { validation: FastifySchemaValidationError[] }

const WHERE: Readonly<Record<string, string>> = { body: 'body', querystring: 'query', params: 'path' }

/** What fastify itself refuses, and what to do about it. */
const FRAMEWORK: Readonly<Record<string, readonly [code: string, field: string, rule: string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['too-large', 'body', `at most ${MAX_BODY_BYTES} bytes`],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['malformed', 'body', 'send it as JSON, with Content-Type: application/json'],
  FST_ERR_BAD_URL: ['malformed', 'path', 'cannot be decoded; encode its parts as UTF-8 in percent'],
  FST_ERR_MAX_PARAM_LENGTH: ['malformed', 'path', `each part is at most ${MAX_PATH_PART} characters`],
}

/** What is told of an error; null: it is a fault of ours. */
const problemOf = (error: FastifyError): Problem | null => {
  if (error instanceof Problem) return error
  if (error instanceof LogBusy) return refusalProblem('busy')
  if (error instanceof ReadModelsUnavailable) {
    const detail = 'the read models cannot answer this now (/readyz says why); try again'
    return new Problem(503, 'unavailable', detail, {}, true)
  }
  if (error instanceof LogUnavailable) return refusalProblem('unavailable')
  if (hasZodFastifySchemaValidationErrors(error)) return invalid(error as Invalid)
  const { statusCode: status = 500, code, message } = error
  if (status < 400 || status >= 500) return null
  const known = FRAMEWORK[code]
  if (!known) return new Problem(status, 'malformed', message)
  const [word, field, rule] = known
  return new Problem(status, word, `${field}: ${rule}`, { field, rule })
}

type OnFault = (where: string, error: unknown) => void

const answer = (request: FastifyRequest, reply: FastifyReply, error: FastifyError, onFault: OnFault) => {
  const problem = problemOf(error)
  if (problem) return send(request, reply, problem)
  onFault(`${request.method} ${request.routeOptions.url ?? request.url}`, error)
  const told = 'an unexpected fault; it was recorded under this correlation id'
  return send(request, reply, new Problem(500, 'server-error', told))
}

export const handleProblems = (app: FastifyInstance, onFault: OnFault): void => {
  const methodsAt = methodsByPath(app)
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] as string
    const allowed = methodsAt(path)
    if (allowed.length === 0) {
      return send(request, reply, new Problem(404, 'not-found', `nothing is served at ${request.method} ${path}`))
    }
    const methods = allowed.join(', ')
    reply.header('allow', methods)
    const told = `${request.method} is not served here; ${methods} is`
    return send(request, reply, new Problem(405, 'method-not-allowed', told, { allowed: methods }))
  })
  app.setErrorHandler((error: FastifyError, request, reply) => answer(request, reply, error, onFault))
}

/** Where a request does not come as far as a route: no hook runs, so it is counted and named here. */
export const handleFrameworkErrors =
  (onFault: OnFault, answered: (status: number) => void) =>
  (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    reply.header('x-correlation-id', request.id)
    answered(error.statusCode ?? 500)
    answer(request, reply, error, onFault)
  }

/** What there is at an address (RFC 9110 § 15.5.6), of all routes registered from now on. */
const methodsByPath = (app: FastifyInstance): ((path: string) => string[]) => {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    if (url.includes('*')) return
    const pattern = url.replace(/[.+?^$()|[\]\\]/g, '\\$&').replace(/:[^/]+/g, '[^/]+')
    routes.push({ pattern: new RegExp(`^${pattern}$`), methods: [method].flat() })
  })
  return (path) => [...new Set(routes.flatMap(({ pattern, methods }) => (pattern.test(path) ? methods : [])))]
}
