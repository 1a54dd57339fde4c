// Accounts over drivers.uz's REST: registering with a phone number, and what is kept of whoever did.

import type { FastifyInstance } from 'fastify'
import type { Account } from '../actors/identity.ts'
import type { Asker } from '../actors/room/room.facts.ts'
import { userStream } from '../actors/user/user.facts.ts'
import { GUESTS_A_MINUTE } from './callers.ts'
import { callerFor, Failed, formOf, optionalText, rolesOf, textField } from './drivers-forms.ts'
import { Problem, refusalProblem } from './problem.ts'
import type { Requests } from './request.ts'

const MOST = { username: 16, phone_number: 15, gcm_token: 4_096, device_type: 8 } as const
const SIGN_UP = ['username', 'phone_number', 'gcm_token', 'device_type'] as const
const MAX_AVATAR = 1_024
const MAX_REASON = 1_000

const hidden = { schema: { hide: true } } as const
const knocking = { ...hidden, config: { rateLimit: GUESTS_A_MINUTE } }

const askerOf = ({ id, number, username, role }: Account): Asker => ({ id, number, username, account: role })

export const accountRoutes = (app: FastifyInstance, requests: Requests): void => {
  const { identity, driversSignupExisting: existing } = requests.deps

  const signUp = async (request: Parameters<typeof formOf>[0]) => {
    const form = formOf(request)
    for (const name of SIGN_UP) if (optionalText(form, name) === null) throw new Failed(`${name} not given`)
    const [username, phone, gcm, device] = SIGN_UP.map((name) => textField(form, name, MOST[name])) as [
      string,
      string,
      string,
      string,
    ]
    const known = await identity.byPhone(phone)
    if (known) {
      if (existing !== 'return') throw new Failed('phone_number already registered')
      return { user_id: known.number, token: await anotherToken(requests, known) }
    }
    const registered = await identity.register({
      username,
      phone,
      role: 'member',
      guest: false,
      asker: null,
      correlationId: request.id,
      profile: { dialect: 'drivers', fields: { phone_number: phone, gcm_token: gcm, device_type: device } },
    })
    if (!registered.ok) throw refusalProblem(registered.refusal.code, registered.refusal.values)
    const { account, token, revision } = registered
    await requests.read('users.get', { id: account.id }, { stream: userStream(account.id), revision })
    return { user_id: account.number, token }
  }
  app.post('/sign_up', knocking, signUp)
  app.post('/signup', knocking, signUp)

  app.post('/get_token', knocking, async (request) => {
    // Whoever names a phone number is not its owner: off unless the operator wants the original's ways.
    if (existing !== 'return') throw new Failed('not-authenticated')
    const form = formOf(request)
    const account = await identity.byPhone(textField(form, 'phone_number', MOST.phone_number))
    if (!account) throw new Failed('phone_number not registered')
    const gcm = optionalText(form, 'gcm_token') === null ? null : textField(form, 'gcm_token', MOST.gcm_token)
    const token = await anotherToken(requests, account)
    const bearer = { account, asker: askerOf(account), token: null }
    const setting = {
      type: 'profile.set',
      asker: bearer.asker,
      dialect: 'drivers',
      fields: { gcm_token: gcm },
    } as const
    if (gcm !== null) await requests.command(request, bearer, userStream(account.id), setting)
    return { id: account.number, username: account.username, token }
  })

  // Asked before there is a token; `sign_up` tells the same.
  app.post('/check_username', knocking, async (request) => {
    const username = textField(formOf(request), 'username', MOST.username)
    return { exists: (await identity.byName(username)) !== null }
  })

  app.post('/check_phone_number', knocking, async (request) => {
    const phone = textField(formOf(request), 'phone_number', MOST.phone_number)
    return { exists: (await identity.byPhone(phone)) !== null }
  })

  app.post('/user_info', hidden, async (request) => {
    const { user } = await callerFor(requests, request)
    const { result: row } = await requests.read('users.get', { id: user.id })
    const { result: profile } = await requests.read('users.profile', { id: user.id, dialect: 'drivers' })
    const { phone_number: phone = null, avatar = null } = profile?.fields ?? {}
    return {
      id: user.number,
      username: user.username,
      phone_number: phone,
      roles: rolesOf(user.role),
      vt: null,
      profile: avatar === null ? null : { avatar },
      joined: row?.registeredAt ?? null,
      modified: Math.max(row?.changedAt ?? 0, profile?.since ?? 0),
    }
  })

  app.post('/update_username', hidden, async (request) => {
    const caller = await callerFor(requests, request)
    const username = textField(formOf(request), 'username', MOST.username)
    await requests.permit(caller, 'user.rename')
    const outcome = await identity.rename(caller.user, username, caller.asker, await requests.from(request, caller))
    const { revision } = await requests.accepted(caller.account, 'user.rename', outcome)
    await requests.read('users.get', { id: caller.user.id }, { stream: userStream(caller.user.id), revision })
    return { status: 'ok' }
  })

  app.post('/update_avatar', hidden, async (request) => {
    const caller = await callerFor(requests, request)
    const avatar = textField(formOf(request), 'avatar', MAX_AVATAR)
    const stream = userStream(caller.user.id)
    const setting = { type: 'profile.set', asker: caller.asker, dialect: 'drivers', fields: { avatar } } as const
    const { revision } = await requests.command(request, caller, stream, setting)
    await requests.read('users.profile', { id: caller.user.id, dialect: 'drivers' }, { stream, revision })
    return { status: 'ok' }
  })

  app.post('/ban_user', hidden, async (request) => {
    const caller = await callerFor(requests, request)
    const form = formOf(request)
    const reason = optionalText(form, 'reason') === null ? null : textField(form, 'reason', MAX_REASON)
    const banning = { type: 'user.ban', asker: caller.asker, seconds: null, reason } as const
    await requests.command(request, caller, userStream(caller.user.id), banning)
    return { status: 'ok' }
  })

  app.post('/unban_user', hidden, async (request) => {
    const caller = await callerFor(requests, request)
    const lifting = { type: 'user.unban', asker: caller.asker, reason: null } as const
    await requests.command(request, caller, userStream(caller.user.id), lifting).catch((error) => {
      if (!(error instanceof Problem && error.code === 'not-banned')) throw error
    })
    return { status: 'ok' }
  })
}

/** The log keeps no token that works, so the one of old cannot be told again; the oldest makes room for a new one. */
const anotherToken = async (requests: Requests, account: Account): Promise<string> => {
  const { identity, host } = requests.deps
  const asker = askerOf(account)
  let issued = await identity.issueToken(account, asker)
  if (!issued.ok && issued.refusal.code === 'busy') {
    const { stream, revision } = await host.load(userStream(account.id))
    const { result } = await requests.read('users.tokens', { user: account.id }, { stream, revision })
    const oldest = result.find(({ revokedAt }) => revokedAt === null)
    const revoking = { type: 'token.revoke', by: account.id, asker, token: oldest?.id ?? '' } as const
    await host.send(userStream(account.id), revoking)
    issued = await identity.issueToken(account, asker)
  }
  if (!issued.ok) throw refusalProblem(issued.refusal.code, issued.refusal.values)
  return issued.token
}
