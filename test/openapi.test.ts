// The API's own description: valid OpenAPI 3.1, of every route there is. That answers are as it says is looked at where
// they are seen (rest.test.ts).

import diagnostics from 'node:diagnostics_channel'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { hasBrowser, openBrowser } from './browser.ts'
import { describedBy } from './described.ts'
import { runServer, type TestServer } from './running-server.ts'

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly tags: readonly string[]
  readonly security?: readonly unknown[]
  readonly parameters?: readonly { in: string; name: string; description?: string }[]
  readonly responses: Readonly<Record<string, { description?: string; $ref?: string }>>
}

let server: TestServer
// biome-ignore lint/suspicious/noExplicitAny: the document is what is looked at
let document: any
const routes: string[] = []

beforeAll(async () => {
  // Fastify itself tells of each instance, so that routes are known from where they are registered.
  const watch = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) if (each !== 'HEAD' && each !== 'OPTIONS') routes.push(`${each} ${url}`)
    })
  }
  diagnostics.subscribe('fastify.initialization', watch)
  server = await runServer()
  diagnostics.unsubscribe('fastify.initialization', watch)
  document = (await asking(`${server.url}/api/v1/openapi.json`, 'GET', {})).body
})
afterAll(() => server.stop())

const operations = (): [string, Operation][] =>
  Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  )

describe('the API describes itself', () => {
  it('in OpenAPI 3.1, to a validator’s satisfaction', async () => {
    const validator = new Validator()
    expect(await validator.validate(document)).toEqual({ valid: true })
    expect(validator.version).toBe('3.1')
  })

  it('with every native route, and no other', () => {
    const native = routes
      .filter((route) => route.includes(' /api/v1/') && !/\/(openapi\.json|reference.*|console\/.*)$/.test(route))
      .map((route) => route.replace(/:([a-z]+)/g, '{$1}'))
    expect(native.length).toBeGreaterThan(40)
    expect(
      operations()
        .map(([name]) => name)
        .sort(),
    ).toEqual([...new Set(native)].sort())
  })

  it('each with a name, a summary, a tag that is explained, its parameters, answers, errors and who may ask', () => {
    const tags = new Set(document.tags.map(({ name }: { name: string }) => name))
    const names = new Set<string>()
    for (const [name, operation] of operations()) {
      const { operationId, summary, responses, parameters = [], security } = operation
      expect(names.has(operationId), operationId).toBe(false)
      names.add(operationId)
      expect(summary, name).toMatch(/^[A-Z].{5,}/)
      expect(
        operation.tags.every((tag) => tags.has(tag)),
        name,
      ).toBe(true)
      expect(responses.default, name).toEqual({ $ref: '#/components/responses/Problem' })
      expect(
        Object.keys(responses).some((status) => status.startsWith('2')),
        name,
      ).toBe(true)
      for (const { description } of Object.values(responses)) expect(description).not.toBe('Default Response')
      const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, each]) => each)
      expect(
        parameters.filter((each) => each.in === 'path').map((each) => each.name),
        name,
      ).toEqual(inPath)
      expect(security, name).toEqual(operationId === 'registerGuest' ? [] : undefined)
    }
    expect(document.security).toEqual([{ bearer: [] }])
  })

  it('with a moment and a page for every read of the record', () => {
    // Search and a message's story read as of now, a life's facts and the charts never change, the log itself is as fresh as it is,
    // and what streams has no pages.
    const others: Readonly<Record<string, readonly string[]>> = {
      search: ['atLeast', 'limit', 'cursor'],
      searchRoom: ['atLeast', 'limit', 'cursor'],
      getConnectionTimeline: ['at', 'from', 'limit', 'cursor'],
      getRoomTimeline: ['at', 'from', 'limit', 'cursor'],
      getUserTimeline: ['at', 'from', 'limit', 'cursor'],
      getConnectionLife: ['at'],
      getRoomLife: ['at'],
      getUserLife: ['at'],
      getMessageStory: ['atLeast', 'limit'],
      getMachine: [],
      getReadModels: [],
      listFacts: ['at', 'from', 'limit'],
      record: [],
    }
    const single = /^(get|list(Tokens)$)/
    for (const [name, { operationId, parameters = [] }] of operations()) {
      if (!name.startsWith('GET ')) continue
      const takes = parameters.filter((each) => each.in === 'query').map((each) => each.name)
      const needs = single.test(operationId) ? ['at', 'atLeast'] : ['at', 'atLeast', 'limit', 'cursor']
      expect(takes, name).toEqual(expect.arrayContaining([...(others[operationId] ?? needs)]))
    }
  })

  it('with the one form of errors', () => {
    expect(document.components.schemas.Problem.required).toContain('correlationId')
  })
})

it('an answer that is not as it is described is noticed', () => {
  const described = describedBy(document)
  const page = { items: [], next: null, position: 'e-1' }
  const json = 'application/json; charset=utf-8'
  described('GET', '/api/v1/rooms?limit=1', 200, json, page)
  for (const [path, status, type, body] of [
    ['/api/v1/rooms', 200, json, { ...page, next: 5 }],
    ['/api/v1/rooms', 200, json, { ...page, items: [{}] }],
    ['/api/v1/rooms', 200, 'text/plain', page],
    ['/api/v1/rooms', 202, json, page],
    ['/api/v1/nothing', 200, json, page],
    ['/api/v1/rooms', 404, json, {}],
    ['/api/v1/rooms', 404, 'application/problem+json', { status: 404 }],
  ] as const)
    expect(() => described('GET', path, status, type, body), `${path} ${status}`).toThrow()
})

describe.skipIf(!hasBrowser())('the reference page', () => {
  it('shows every route, tries one, and asks nobody but this server', async () => {
    const browser = await openBrowser()
    const page = await (await browser.newContext()).newPage()
    const foreign: string[] = []
    const wrong: string[] = []
    page.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith(server.url) && !url.startsWith('data:')) foreign.push(url)
    })
    page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()))
    page.on('pageerror', (error) => wrong.push(error.message))
    const answer = await page.goto(`${server.url}/api/v1/reference`)
    expect(answer?.headers()['content-security-policy']).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    )
    await page.locator('.opblock').first().waitFor()
    expect(await page.locator('.opblock').count()).toBe(operations().length)
    await page.getByRole('button', { name: 'Authorize' }).first().click()
    await page.locator('.auth-container input').fill(server.ownerTokenText)
    await page.locator('.auth-btn-wrapper').getByRole('button', { name: 'Apply credentials' }).click()
    await page.getByRole('button', { name: 'Close' }).first().click()
    await page.locator('#operations-rooms-listRooms .opblock-summary-control').click()
    await page.locator('#operations-rooms-listRooms').getByRole('button', { name: 'Execute' }).click()
    await page.locator('#operations-rooms-listRooms .live-responses-table').getByText('"lobby"').first().waitFor()
    expect(wrong).toEqual([])
    expect(foreign).toEqual([])
    await browser.close()
  }, 30_000)
})
