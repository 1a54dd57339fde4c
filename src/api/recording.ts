import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { Recording } from '../recording/recording.ts'
import { operation } from './operation.ts'
import { Problem } from './problem.ts'
import { roomReference, userReference } from './references.ts'
import type { Requests } from './request.ts'

const MAX_AT_ONCE = 4
const MAX_UNREAD_BYTES = 16 * 1024 * 1024
const READS = ['GET', 'HEAD', 'OPTIONS']
/** Routes that change nothing. */
const ASKS = ['/check_username', '/check_phone_number', '/user_info']
/** Who and what these make is in the cast of a recording; what they are sent is of no one else's concern. */
const MAKES = [
  '/api/v1/users',
  '/api/v1/guests',
  '/api/v1/rooms',
  '/v3/guilds',
  '/v3/guilds/create',
  '/sign_up',
  '/signup',
  '/get_token',
]

/** What is asked over REST, told to the recordings that run; returns the set of them. */
export const recordRequests = (guarded: FastifyInstance): Set<Recording> => {
  const recordings = new Set<Recording>()
  const answers = new WeakMap<FastifyRequest, ((status: number) => void)[]>()
  guarded.addHook('preHandler', async (request) => {
    if (recordings.size === 0 || READS.includes(request.method)) return
    const { id, method, url, body, headers, routeOptions } = request
    const { url: route = '' } = routeOptions
    if (ASKS.includes(route) || (method === 'POST' && MAKES.includes(route))) return
    const params = request.params as Readonly<Record<string, string>>
    const asked = { id, method, url, params, body, authorization: headers.authorization ?? null }
    answers.set(
      request,
      [...recordings].map((recording) => recording.asked(asked)),
    )
  })
  const answered = (request: FastifyRequest, status: number) => {
    for (const tell of answers.get(request) ?? []) tell(status)
  }
  guarded.addHook('onResponse', async (request, reply) => answered(request, reply.statusCode))
  // Whoever asked did not wait; the lines behind it do.
  guarded.addHook('onRequestAbort', async (request) => answered(request, 499))
  return recordings
}

/**
 * A conversation while it happens, as the lines of a dialogue (JSON, one a line; `cast` replaces the one before), from
 * connections opened from now on and what is asked over REST. For admins; credentials are not in it.
 */
export const recordingRoutes = (root: FastifyInstance, requests: Requests, recordings: Set<Recording>): void => {
  const { host, identity, rooms, adminToken, sessions } = requests.deps
  const querystring = z.strictObject({
    dialect: z.string().max(32).optional(),
    user: userReference.optional(),
    room: roomReference.optional(),
  })
  const schema = {
    ...operation('record', 'record', 'A conversation while it happens, as the lines of a dialogue; for admins'),
    querystring,
    response: { 200: { content: { 'application/x-ndjson': { schema: z.string() } } } },
  }
  root.withTypeProvider<ZodTypeProvider>().get('/recording', { schema }, async (request, reply) => {
    const bearer = await requests.admin(request)
    const { dialect = null, user, room } = request.query
    const account = user === undefined ? null : await requests.user(user)
    const heard = room === undefined ? null : await requests.room(room)
    if (recordings.size >= MAX_AT_ONCE)
      throw new Problem(503, 'busy', `${MAX_AT_ONCE} recordings run already; end one of them first`)
    reply.hijack()
    const { raw } = reply
    const right = requests.rights.hold(bearer)
    const end = async (error?: string) => {
      right.release()
      sessions.taps.delete(recording)
      recordings.delete(recording)
      ends.delete(end)
      await recording.end()
      raw.end(error === undefined ? undefined : `${JSON.stringify({ error })}\n`)
    }
    const write = (line: object) => {
      raw.write(`${JSON.stringify(line)}\n`)
      if (raw.writableLength > MAX_UNREAD_BYTES) raw.destroy()
    }
    const overflow = () =>
      void end(
        'more happened than could be written, and the recording ends here; record less of it: --user, --room, --dialect',
      )
    const recording = new Recording({
      host,
      identity,
      rooms,
      adminToken,
      dialect,
      user: account?.username ?? null,
      room: heard?.id ?? null,
      write,
      overflow,
    })
    raw.writeHead(200, {
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      'x-correlation-id': request.id,
    })
    raw.flushHeaders()
    raw.on('close', () => void end())
    right.lost.addEventListener('abort', () => void end('whoever records may do so no more'))
    recordings.add(recording)
    sessions.taps.add(recording)
    ends.add(end)
  })
  const ends = new Set<() => Promise<void>>()
  root.addHook('preClose', async () => {
    await Promise.all([...ends].map((end) => end()))
  })
}
