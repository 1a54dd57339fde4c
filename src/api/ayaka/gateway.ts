import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ApiDependencies } from '../request.ts'

const PATH = '/ayaka'

/** §1: the sample client builds its address as `wss://` and `port`, so that `port` is the whole authority and path. */
const addressFor = ({ protocol, host }: Pick<FastifyRequest, 'protocol' | 'host'>, publicUrl: string) => {
  const own = `${protocol}://${host}`
  const given = publicUrl || own
  const url = new URL(URL.canParse(given) ? given : 'http://localhost')
  const secure = url.protocol === 'https:'
  const port_number = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  const port = `${url.hostname}:${port_number}${url.pathname.replace(/\/$/, '')}${PATH}`
  return { port, port_number, address: url.hostname, url: `${secure ? 'wss' : 'ws'}://${port}` }
}

export const gatewayRoutes = (app: FastifyInstance, { publicUrl }: ApiDependencies): void => {
  app.get('/available', async (request) => addressFor(request, publicUrl))
  app.get('/gateway', async (request) => ({ url: addressFor(request, publicUrl).url }))
  app.get('/health', async (_request, reply) => reply.type('text/plain').send('OK'))
}
