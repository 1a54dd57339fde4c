// The API's reference, to read and to try: Swagger UI over the document of openapi.ts, all of it from this server.

import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { API } from './openapi.ts'

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export const referencePage = (app: FastifyInstance) =>
  app.register(swaggerUi, {
    routePrefix: `${API}/reference`,
    staticCSP: POLICY,
    uiConfig: {
      layout: 'BaseLayout',
      docExpansion: 'list',
      filter: true,
      displayOperationId: true,
      tryItOutEnabled: true,
      // Of the page alone: a reload forgets it, and no storage has it.
      persistAuthorization: false,
    },
    theme: { title: 'hansard: API reference' },
  })
