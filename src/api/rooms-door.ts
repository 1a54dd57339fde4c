// `/rooms` on one port belongs to two protocols, told apart by the credential (protocols §0.2): a bare token of 32 hex
// characters, or `token` in the query, is drivers.uz; a Bearer, or nothing, is PLIC. Only GET /rooms is asked of both.

import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'

export type RoomsDialect = 'drivers' | 'plic'

export const dialectOfRequest = ({ headers, url = '' }: Pick<IncomingMessage, 'headers' | 'url'>): RoomsDialect => {
  const { authorization = '' } = headers
  if (/^Bearer /i.test(authorization)) return 'plic'
  if (/^[0-9a-f]{32}$/i.test(authorization)) return 'drivers'
  const query = url.includes('?') ? url.slice(url.indexOf('?') + 1) : ''
  return new URLSearchParams(query).has('token') ? 'drivers' : 'plic'
}

/** Lets a route say `constraints: { dialect: 'drivers' }`; one without is for whatever no other answers. */
export const tellDialectsApart = (app: FastifyInstance): void => {
  app.addConstraintStrategy({
    name: 'dialect',
    storage: () => {
      const handlers = new Map<unknown, never>()
      return {
        get: (dialect) => handlers.get(dialect) ?? null,
        set: (dialect, handler) => void handlers.set(dialect, handler as never),
      }
    },
    deriveConstraint: (request) => dialectOfRequest(request as unknown as IncomingMessage),
  })
}
