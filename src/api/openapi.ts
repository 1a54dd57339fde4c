// The native API as an OpenAPI 3.1 document, made of the schemas that its routes check requests and answers against.

import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { TAGS } from './operation.ts'

export const API = '/api/v1'

const ABOUT = `An auditable chat backend: whatever these routes change is a fact in a log, and whatever they read can be read as of any moment.

- **Who asks** is told by \`Authorization: Bearer <token>\`. A room that the bearer may not read does not exist for them.
- **Users** are named by id, \`@name\` or \`#number\` (percent-encoded in paths), **rooms** by id, \`#number\` or alias (\`moneypot:18\`).
- **Lists** answer \`{ items, next, position }\`; \`cursor=<next>\` goes on.
- **Moments**: \`at=\` takes an ISO time with zone or a position; \`atLeast=<position>\` waits until the answer is as fresh.
- **Errors** are problem+json (RFC 9457) with the correlation id of the log.`

/** Of a route that takes none; an empty object is none, too. */
export const NO_BODY = z.strictObject({}).optional()

interface Operation {
  responses: Record<string, { description?: string }>
  requestBody?: { required?: boolean; content: Record<string, { schema: { default?: unknown; properties?: object } }> }
}

interface Document {
  readonly paths?: unknown
  readonly components?: { readonly schemas?: object }
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const
const SAID: Readonly<Record<string, string>> = { 200: 'the answer', 201: 'made, and in every answer from now on' }

/** What the generator leaves out: errors, which are told in one form anywhere, and that a body with a default may be absent. */
const completed = (document: Document): Document => {
  const paths = (document.paths ?? {}) as Record<string, Partial<Record<(typeof METHODS)[number], Operation>>>
  for (const operation of Object.values(paths).flatMap((path) => METHODS.map((method) => path[method]))) {
    if (!operation) continue
    for (const [status, answer] of Object.entries(operation.responses)) {
      if (answer.description === 'Default Response') answer.description = SAID[status] ?? status
    }
    operation.responses.default = { $ref: '#/components/responses/Problem' } as object
    const { requestBody } = operation
    const { schema } = requestBody?.content['application/json'] ?? {}
    if (schema?.properties && Object.keys(schema.properties).length === 0) delete operation.requestBody
    if (requestBody && schema?.default !== undefined) requestBody.required = false
  }
  return document
}

/** Shapes are of answers here; their forms as input are nobody's. */
const answersOnly = (document: Document): Document => {
  const schemas = Object.entries(document.components?.schemas ?? {}).filter(([name]) => !name.endsWith('Input'))
  return { ...document, components: { ...document.components, schemas: Object.fromEntries(schemas) } }
}

export const describeApi = async (app: FastifyInstance, version: string): Promise<void> => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'hansard', version, description: ABOUT, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: '/', description: 'this server' }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      security: [{ bearer: [] }],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'a token of this server, or a JSON Web Token it accepts',
          },
        },
        responses: {
          Problem: {
            description: 'an error',
            content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
          },
        },
      },
    },
    transform: (route) => {
      const { schema, url } = jsonSchemaTransform(route)
      // The old protocols' REST is described on their pages.
      return { schema: url.startsWith(`${API}/`) ? schema : { ...schema, hide: true }, url }
    },
    transformObject: (document) => completed(answersOnly(jsonSchemaTransformObject(document) as Document)) as never,
  })
}
