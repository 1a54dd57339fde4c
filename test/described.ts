// Whether what a server answers is what its OpenAPI document says.

import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

type Check = (method: string, path: string, status: number, type: string | null, body: unknown) => void

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Record<string, object> }>>>>
}

const pointer = (...words: string[]) =>
  `#/${words.map((word) => encodeURIComponent(word.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`

/** Throws at an answer that the document does not describe; paths outside the API pass. */
export const describedBy = (document: Described): Check => {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema(document, 'api')
  const paths = Object.keys(document.paths).map((path) => ({
    path,
    pattern: new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+')}$`),
  }))
  return (method, url, status, type, body) => {
    const path = url.split('?')[0] as string
    if (!path.startsWith('/api/v1/') || path === '/api/v1/openapi.json') return
    const exact = paths.find((known) => known.path === path) ?? paths.find(({ pattern }) => pattern.test(path))
    const operation = exact && document.paths[exact.path]?.[method.toLowerCase()]
    if (!exact || !operation) {
      if (status === 404 || status === 204) return
      throw new Error(`${method} ${path} is not described`)
    }
    const at = (...words: string[]) => pointer('paths', exact.path, method.toLowerCase(), 'responses', ...words)
    const code = String(status)
    const described = operation.responses[code] as { content?: Record<string, object> } | undefined
    if (!described && status < 400) throw new Error(`${method} ${path}: ${status} is not described`)
    if (described && !described.content) {
      if (body !== null) throw new Error(`${method} ${path}: ${status} is described as empty`)
      return
    }
    const media = (type ?? '').split(';')[0] as string
    const where = described ? at(code, 'content', media, 'schema') : pointer('components', 'schemas', 'Problem')
    if (described ? !described.content?.[media] : media !== 'application/problem+json')
      throw new Error(`${method} ${path}: ${status} of type ${media} is not described`)
    const check = ajv.getSchema(`api${where}`)
    if (!check) throw new Error(`nothing at ${where}`)
    if (!check(body)) throw new Error(`${method} ${path}: ${status}: ${ajv.errorsText(check.errors)}`)
  }
}
