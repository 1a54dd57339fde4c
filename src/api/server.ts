// The HTTP side of a node: REST under /api/v1, health, metrics, and the chat page.

import { readdir, readFile } from 'node:fs/promises'
import fastify, { type FastifyInstance } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { nestsTooDeep } from '../dialects/json.ts'
import { ayakaRoutes } from './ayaka.ts'
import { guardCallers } from './callers.ts'
import { consoleRoutes } from './console.ts'
import { servePages } from './console-pages.ts'
import { driversRoutes } from './drivers.ts'
import { everywhereRoutes } from './everywhere.ts'
import { CONTENT_TYPES, withoutTypes } from './files.ts'
import { Answers, healthRoutes } from './health.ts'
import { memberRoutes } from './members.ts'
import { messageRoutes } from './messages.ts'
import { API, describeApi, NO_BODY } from './openapi.ts'
import { plicRoutes } from './plic.ts'
import { handleFrameworkErrors, handleProblems, MAX_BODY_BYTES, MAX_PATH_PART } from './problem.ts'
import { readModelRoutes } from './read-models.ts'
import { recordRoutes } from './record.ts'
import { recordingRoutes, recordRequests } from './recording.ts'
import { referencePage } from './reference.ts'
import { type ApiDependencies, Requests } from './request.ts'
import { roomRoutes } from './rooms.ts'
import { tellDialectsApart } from './rooms-door.ts'
import { rulesRoutes } from './rules.ts'
import { sanctionRoutes } from './sanctions.ts'
import { searchRoutes } from './search.ts'
import { storyRoutes } from './story.ts'
import { timelineRoutes } from './timeline.ts'
import { tokenRoutes } from './tokens.ts'
import { userRoutes } from './users.ts'

export type { ApiDependencies } from './request.ts'

const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"

/** The page speaks the protocol that its address names. */
const ADDRESSES: Readonly<Record<string, readonly string[]>> = {
  'index.html': ['/', '/moneypot'],
  'favicon.svg': ['/favicon.svg'],
}

const PAGE_FOLDER = new URL('../page/', import.meta.url)

export const buildApi = async (deps: ApiDependencies): Promise<FastifyInstance> => {
  const answers = new Answers()
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: MAX_PATH_PART },
    frameworkErrors: handleFrameworkErrors(deps.onFault, (status) => answers.note(status)),
    genReqId: () => deps.chance.uuid(),
    trustProxy: deps.trustProxy.length > 0 ? [...deps.trustProxy] : false,
    requestTimeout: 30_000,
    forceCloseConnections: true,
  })
  app.setValidatorCompiler((route) => {
    const validate = validatorCompiler(route as Parameters<typeof validatorCompiler>[0])
    // No body is none, where a default stands for it; fastify calls it null (lib/validation.js: validateParam).
    return (data) => validate(data ?? undefined)
  })
  app.setSerializerCompiler(serializerCompiler)
  tellDialectsApart(app)
  acceptEmptyJson(app)
  handleProblems(app, deps.onFault)
  answers.countThoseOf(app)
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-correlation-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    reply.header('referrer-policy', 'no-referrer')
  })

  await describeApi(app, deps.version)
  const requests = new Requests(deps, await deps.log.epoch())
  await app.register(async (guarded) => {
    await guardCallers(guarded, deps)
    const recordings = recordRequests(guarded)
    await guarded.register(
      async (api) => {
        takeNothingUnnamed(api)
        recordingRoutes(api, requests, recordings)
        userRoutes(api, requests)
        tokenRoutes(api, requests)
        everywhereRoutes(api, requests)
        roomRoutes(api, requests)
        memberRoutes(api, requests)
        messageRoutes(api, requests)
        rulesRoutes(api, requests)
        sanctionRoutes(api, requests)
        recordRoutes(api, requests)
        searchRoutes(api, requests)
        readModelRoutes(api, requests)
        timelineRoutes(api, requests)
        storyRoutes(api, requests)
        consoleRoutes(api, requests)
        api.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
      },
      { prefix: API },
    )
    await referencePage(guarded)
    // The old protocols' own REST.
    await driversRoutes(guarded, requests)
    await plicRoutes(guarded, requests)
    await guarded.register((ayaka) => ayakaRoutes(ayaka, requests))
  })
  healthRoutes(app, deps, answers)
  await servePage(app)
  await servePages(app)
  app.addHook('preClose', () => requests.stop())
  return app
}

/** What a route does not name is refused, and never passed over: a wish that is not met would be taken for granted. */
const takeNothingUnnamed = (api: FastifyInstance): void => {
  api.addHook('onRoute', (route) => {
    const takesBody = !['GET', 'HEAD'].includes([route.method].flat()[0] ?? '')
    route.schema = {
      querystring: z.strictObject({}),
      ...(takesBody ? { body: NO_BODY } : {}),
      ...route.schema,
    }
  })
}

const CLIENT_FOLDER = new URL('../client/', import.meta.url)

/** The chat page and the client it uses: their files are few and small, and are read once. */
const servePage = async (app: FastifyInstance): Promise<void> => {
  // The client is TypeScript without anything that needs more than its types taken out.
  for (const file of (await readdir(CLIENT_FOLDER)).filter((name) => name.endsWith('.ts'))) {
    const content = withoutTypes(await readFile(new URL(file, CLIENT_FOLDER), 'utf8'))
    app.get(`/client/${file}`, { schema: { hide: true } }, async (_request, reply) =>
      reply
        .type(CONTENT_TYPES.js as string)
        .header('cache-control', 'no-cache')
        .send(content),
    )
  }
  for (const file of await readdir(PAGE_FOLDER)) {
    const content = await readFile(new URL(file, PAGE_FOLDER))
    const type = CONTENT_TYPES[file.slice(file.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
    const addresses = ADDRESSES[file] ?? [`/page/${file}`]
    for (const address of addresses)
      app.get(address, { schema: { hide: true } }, async (_request, reply) =>
        reply
          .type(type)
          .header('content-security-policy', PAGE_POLICY)
          .header('cache-control', 'no-cache')
          .send(content),
      )
  }
}

/**
 * Clients send the JSON content type on bodyless requests too; a body's keys never reach a prototype, and what nests deeper
 * than anybody means could be read and not be written again.
 */
const acceptEmptyJson = (app: FastifyInstance): void => {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('text/plain')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else if (nestsTooDeep(body as string)) done(Object.assign(new Error('nested too deep'), { statusCode: 400 }))
    else parse(request, body as string, done)
  })
}
