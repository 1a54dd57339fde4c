// The console's own files: TypeScript that needs no more than its types taken out, and the libraries it uses as they
// were published. So there is nothing to build, and what runs is what stands in src/console.

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { CONTENT_TYPES, withoutTypes } from './files.ts'

const FOLDER = new URL('../console/', import.meta.url)
const PREFIX = '/console/files'

const POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** Bare names in imports → the published file. */
const LIBRARIES: Readonly<Record<string, { readonly from: string; readonly file: string }>> = {
  preact: { from: 'preact', file: 'dist/preact.mjs' },
  'preact/hooks': { from: 'preact', file: 'hooks/dist/hooks.mjs' },
  '@preact/signals': { from: '@preact/signals', file: 'dist/signals.mjs' },
  '@preact/signals-core': { from: '@preact/signals-core', file: 'dist/signals-core.mjs' },
}
/** The layout of charts, in a worker of its own. */
const WORKER = { from: 'elkjs', file: 'lib/elk-worker.min.js' }

const addressOf = (name: string): string => `${PREFIX}/libraries/${name.replace('@', '').replaceAll('/', '-')}.js`
const IMPORT = /(\bfrom\s*|\bimport\s*)(["'])([@a-z][\w@/-]*)\2/g

/** Browsers know no bare names; an import map would be an inline script. @throws Error for a library not listed */
const addressed = (source: string, file: string): string =>
  source.replace(IMPORT, (_all, before: string, quote: string, name: string) => {
    if (!Object.hasOwn(LIBRARIES, name)) throw new Error(`${file} imports ${name}, which the console does not serve`)
    return `${before}${quote}${addressOf(name)}${quote}`
  })

const require = createRequire(import.meta.url)
const published = (name: string, file: string): Promise<string> => {
  const entry = require.resolve.paths(name)?.map((folder) => join(folder, name)) ?? []
  return entry.reduce<Promise<string>>(
    (found, folder) => found.catch(() => readFile(join(folder, file), 'utf8')),
    Promise.reject(new Error(`${name} is not installed`)),
  )
}

export const servePages = async (app: FastifyInstance): Promise<void> => {
  const files = new Map<string, { readonly type: string; readonly content: string }>()
  const js = CONTENT_TYPES.js as string
  for (const file of await readdir(FOLDER)) {
    const content = await readFile(new URL(file, FOLDER), 'utf8')
    const extension = file.slice(file.lastIndexOf('.') + 1)
    if (extension === 'ts')
      files.set(`${PREFIX}/${file}`, { type: js, content: addressed(withoutTypes(content), file) })
    else if (extension === 'css') files.set(`${PREFIX}/${file}`, { type: CONTENT_TYPES.css as string, content })
  }
  for (const [name, { from, file }] of Object.entries(LIBRARIES)) {
    files.set(addressOf(name), { type: js, content: addressed(await published(from, file), name) })
  }
  files.set(addressOf('elk-worker'), { type: js, content: await published(WORKER.from, WORKER.file) })
  const page = await readFile(new URL('index.html', FOLDER), 'utf8')

  /** Asked for each time and sent again only when it changed: the layout alone is 1.6 MB. */
  const serve = (type: string, content: string) => {
    const etag = `"${createHash('sha256').update(content).digest('base64url')}"`
    return async (request: FastifyRequest, reply: FastifyReply) =>
      request.headers['if-none-match'] === etag
        ? reply.code(304).header('etag', etag).send()
        : send(reply.header('etag', etag), type, content)
  }
  const send = (reply: FastifyReply, type: string, content: string) =>
    reply
      .type(type)
      .headers({
        'content-security-policy': POLICY,
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-cache',
      })
      .send(content)
  const hidden = { schema: { hide: true } }
  for (const [address, { type, content }] of files) {
    app.get(address, hidden, serve(type, content))
  }
  // Every page is this one; its address says which. It holds no data: that is asked for, by who is signed in.
  for (const address of ['/console', '/console/*']) {
    app.get(address, hidden, serve(CONTENT_TYPES.html as string, page))
  }
}
