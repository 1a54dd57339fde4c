// Every operation that the API describes, asked of a running server: each answers as it is described, and whatever can be read
// as of a moment reads then as it did at that moment, whatever happened since.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { describedBy } from './described.ts'
import { NativeVisitor } from './native-visitor.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly in: string; readonly name: string }[]
  readonly responses: Readonly<Record<string, unknown>>
}

let server: TestServer
let clock: VirtualClock
let described: ReturnType<typeof describedBy>
let operations: readonly { readonly method: string; readonly path: string; readonly operation: Operation }[]
/** `<operationId> <status>` of what was answered */
const seen = new Set<string>()
/** correlation id → operation, of what was changed */
const changes = new Map<string, string>()
/** what paths and bodies name */
const names: Record<string, string> = { kind: 'room' }

beforeAll(async () => {
  clock = new VirtualClock()
  server = await runServer({ clock })
  const document = (await asking(`${server.url}/api/v1/openapi.json`, 'GET', {})).body
  described = describedBy(document)
  operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.stop()
})

const at = (operationId: string) => {
  const found = operations.find(({ operation }) => operation.operationId === operationId)
  if (!found) throw new Error(`there is no operation ${operationId}`)
  return found
}

/** By the name that generated clients call it by; what is in its path is in `names`, or given. */
const call = async (operationId: string, query = '', body?: unknown, given: Readonly<Record<string, string>> = {}) => {
  const { method, path } = at(operationId)
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent({ ...names, ...given }[name] as string),
  )
  const url = `${filled}${query === '' ? '' : `?${query}`}`
  const token = given.as ?? server.ownerTokenText
  const answer = await asking(`${server.url}${url}`, method, { authorization: `Bearer ${token}` }, body)
  described(method, url, answer.status, answer.headers.get('content-type'), answer.body)
  expect(answer.status, `${method} ${url} ${JSON.stringify(answer.body)}`).toBeLessThan(300)
  seen.add(`${operationId} ${answer.status}`)
  if (method !== 'GET') changes.set(answer.headers.get('x-correlation-id') as string, operationId)
  clock.advance(1_000)
  return answer.body
}

/** What a read is asked for beside what names its subject. */
const ASKED: Readonly<Record<string, string>> = {
  search: 'q=word*',
  searchRoom: 'q=word*',
  listFacts: 'type=MessagePosted,MessageEdited,RoomChanged',
  listModeration: 'kind=UserMuted,MessageRemoved,MemberBanned,UserBanned,RoomChanged,RoomRulesSet,RulesSet',
}
const SUBJECTS: Readonly<Record<string, string>> = { connections: 'connection', rooms: 'room', users: 'user' }

const reads = () =>
  operations.filter(({ method, operation }) => method === 'GET' && !['record'].includes(operation.operationId))
const takes = ({ operation }: { operation: Operation }, name: string) =>
  (operation.parameters ?? []).some((each) => each.in === 'query' && each.name === name)

const read = ({ path, operation }: ReturnType<typeof reads>[number], moment: string) => {
  const [, subject] = /^\/api\/v1\/(\w+)\/\{id\}/.exec(path) ?? []
  const id = subject === undefined ? {} : { id: names[SUBJECTS[subject] as string] as string }
  const query = [ASKED[operation.operationId], moment].filter(Boolean).join('&')
  const whose = operation.operationId === 'getBan' ? { user: names.cyd as string } : {}
  return call(operation.operationId, query, undefined, { ...id, ...whose })
}

/** Every read that takes a moment, without what tells how fresh the answer is. */
const allOf = async (moment: string) => {
  const answers: Record<string, unknown> = {}
  for (const each of reads().filter((operation) => takes(operation, 'at'))) {
    const { position: _fresh, ...answer } = await read(each, moment)
    // The whole life is told whenever it is asked for, and where in it the moment is.
    const isLife = each.path.endsWith('/life')
    answers[each.operation.operationId] = isLife ? answer.revision : answer
  }
  return answers
}

/** Whoever and whatever the reads are about: something of each. */
const begin = async () => {
  const ann = await call('registerUser', '', { username: 'ann' })
  const bob = await call('registerGuest', '', { username: 'bob' })
  Object.assign(names, { user: ann.id, ann: ann.token, bob: bob.id })
  const room = { name: 'club', aliases: ['native:1'], members: ['@ann', { user: '@bob', role: 'mod' }] }
  names.room = (await call('openRoom', '', room)).id
  for (const text of ['word one', 'word two', 'words three'])
    names.id = String((await call('postMessage', '', { text }, { as: names.ann as string })).id)
  names.first = String(Number(names.id) - 2)
  names.second = String(Number(names.id) - 1)
  await call('editMessage', '', { text: 'word, at second thought' }, { as: names.ann as string })
  await call('removeMessage', 'reason=rude', undefined, { id: names.second })
  names.token = (await call('issueToken', '', { label: 'a script of hers' })).id
  await call('mute', '', { user: '@ann', seconds: 600, reason: 'loud' })
  const cyd = await call('registerUser', '', { username: 'cyd' })
  names.cyd = cyd.id
  await call('banFromRoom', '', { user: '@cyd', reason: 'gone' })
  await call('ban', '', { seconds: 600 }, { user: cyd.id })
  expect((await refused(names.ann as string)).status).toBe(403)
  await call('setRules', '', { rules: [{ name: 'everywhere', text: 'spam' }] })
  await call('setRoomRules', '', { rules: [{ name: 'here', text: 'eggs' }] })
  const visitor = await NativeVisitor.enter(server.url, names.ann as string)
  const connections = await call('listConnections', 'dialect=native')
  names.connection = connections.items[0].id
  await marks(visitor, Number(names.first))
  return visitor
}

const marks = async (visitor: NativeVisitor, message: number) => {
  visitor.read(message)
  await expect.poll(async () => (await call('listReads')).items).toMatchObject([{ message }])
}

const refused = (token: string) =>
  asking(`${server.url}/api/v1/rooms/native:1/bans`, 'POST', { authorization: `Bearer ${token}` }, { user: '@owner' })

/** Changes all of it. */
const goOn = async (visitor: NativeVisitor) => {
  const as = names.ann as string
  await marks(visitor, Number(names.id))
  visitor.leave()
  await visitor.ended
  expect((await refused(as)).status).toBe(403)
  await call('unmute', 'reason=enough', undefined, { user: names.user as string })
  await call('postMessage', '', { text: 'word four' }, { as })
  await call('editMessage', '', { text: 'word five' }, { as, id: names.first as string })
  // What is removed now is shown at no moment (rest.test.ts), and so comes back before the end.
  await call('removeMessage', '', undefined, { id: names.id as string })
  await call('restoreMessage')
  await call('unbanFromRoom', 'reason=sorry', undefined, { user: names.cyd as string })
  await call('unban', 'reason=sorry', undefined, { user: names.cyd as string })
  await call('mute', '', { user: '@bob' })
  await call('kickFromRoom', '', { user: '@bob', reason: 'out' })
  await call('kick', '', undefined, { user: names.bob as string })
  names.code = (await call('invite')).code
  await call('acceptInvite', '', undefined, { as: (await call('registerUser', '', { username: 'dan' })).token })
  await call('putMember', '', { role: 'owner' }, { user: names.user as string })
  await call('removeMember', 'reason=moved', undefined, { user: names.bob as string })
  await call('revokeToken')
  await call('changeUser', '', { username: 'Anna', role: 'robot' })
  await call('changeRoom', '', { name: 'closed', mode: 'locked', aliases: [] })
  await call('setRules', '', { rules: [] })
  await call('setRoomRules', '', { rules: [] })
  await call('rebuildReadModels')
  await call('openRoom', '', { name: 'another' })
}

it('each answers as it is described, and as of a moment as it did then', async () => {
  const visitor = await begin()
  const position = `at=${(await call('listFacts', 'limit=1')).position}`
  const time = `at=${new Date(clock.now()).toISOString()}`
  const then = await allOf('')
  expect(await allOf(position)).toEqual(then)
  await goOn(visitor)
  const now = await allOf('')
  // Nothing stayed as it was, or the moment would be of no account.
  for (const name of Object.keys(then)) expect([name, now[name]]).not.toEqual([name, then[name]])
  expect(await allOf(position)).toEqual(then)
  expect(await allOf(time)).toEqual(then)

  await call('archiveRoom', 'reason=over')
  for (const each of reads().filter((operation) => !takes(operation, 'at'))) await read(each, '')
  const all = operations.flatMap(({ operation: { operationId, responses } }) =>
    Object.keys(responses).flatMap((status) => (status === 'default' ? [] : [`${operationId} ${status}`])),
  )
  // What was asked is found in the log by the id that its answer had; read models are no fact.
  for await (const { metadata } of server.log.readAll()) changes.delete(JSON.parse(metadata).$correlationId)
  expect([...changes.values()]).toEqual(['rebuildReadModels'])
  // The recording has no end; recording.test.ts has it.
  expect([...seen, 'record 200'].sort()).toEqual(all.sort())
})
