// Who may call from where, and how often: other pages' origins, addresses, and what a proxy says of them.

import cors from '@fastify/cors'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { isLoopback } from '../transports/callers.ts'
import { CONSOLE_HEADER } from './console-sessions.ts'
import { refusalProblem } from './problem.ts'
import type { ApiDependencies } from './request.ts'

const MINUTE_MS = 60_000
/** requests of one address a minute; not of this machine's own */
const MAX_A_MINUTE = 1_200
/** names taken without an account, of one address a minute */
export const GUESTS_A_MINUTE = { max: 20, timeWindow: MINUTE_MS }

/** servers whose operator was warned of a proxy */
const warned = new WeakSet<ApiDependencies>()

export const guardCallers = async (app: FastifyInstance, deps: ApiDependencies): Promise<void> => {
  await app.register(cors, {
    delegator: ({ headers: { origin, host, 'access-control-request-headers': asked } }, decide) =>
      decide(null, {
        // Echoed, and never `*`: some clients send credentials.
        origin: deps.allowedOrigin(origin, host) ? (origin ?? false) : false,
        credentials: true,
        ...withheld(asked),
        methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
        exposedHeaders: ['x-correlation-id', 'retry-after'],
        maxAge: 600,
      }),
  })
  await app.register(rateLimit, {
    max: MAX_A_MINUTE,
    timeWindow: MINUTE_MS,
    allowList: isLoopback,
    errorResponseBuilder: (_request, { ttl }) => refusalProblem('rate-limited', { waitMs: ttl }),
  })
  warnOfForwarding(app, deps)
}

/**
 * Headers that pages of other origins may send: whatever they ask for but the console's own. With it and with credentials,
 * an origin that is let in and of the same site (another port of this machine, which is let in unasked) would come as far
 * as the check of its origin in console-sessions.ts; its browser stops here.
 */
const withheld = (asked: string | undefined): { allowedHeaders?: string[] } => {
  const names = (asked ?? '').split(',').map((name) => name.trim())
  const allowedHeaders = names.filter((name) => name.toLowerCase() !== CONSOLE_HEADER)
  return allowedHeaders.length === names.length ? {} : { allowedHeaders }
}

/** A proxy that is not trusted looks like one client to every limit: the operator is told, once. */
const warnOfForwarding = (app: FastifyInstance, deps: ApiDependencies): void => {
  const { trustProxy, onWarning } = deps
  app.addHook('onRequest', async ({ headers, socket, ip }) => {
    const peer = socket.remoteAddress
    if (warned.has(deps) || ip !== peer || headers['x-forwarded-for'] === undefined) return
    warned.add(deps)
    onWarning(
      `${peer} sent X-Forwarded-For, which is ignored: if it is your proxy, name it in HANSARD_TRUST_PROXY ` +
        `(now: ${trustProxy.join(',') || 'none'})`,
    )
  })
}
