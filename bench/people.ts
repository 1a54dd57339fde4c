// Accounts and the room that they all belong to, seen in every protocol: for those that let members in only.

import type { Account } from './protocols.ts'

const AT_ONCE = 20

const asking =
  (url: string, token: string) =>
  async (path: string, body?: unknown): Promise<Account> => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Account
  }

/** Makes so many accounts, and the room with them and the owner in it. */
export const settle = async (
  url: string,
  ownerToken: string,
  count: number,
): Promise<{ owner: Account; accounts: readonly Account[] }> => {
  const ask = asking(url, ownerToken)
  const accounts: Account[] = []
  for (let from = 0; from < count; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, at) => `user${from + at}`)
    accounts.push(...(await Promise.all(some.map((username) => ask('/users', { username })))))
  }
  const { id } = await ask('/users/@owner')
  const members = accounts.map((account) => account.id)
  const space = await ask('/rooms', { name: 'guild', kind: 'space', aliases: ['ayaka:3'], owner: id, members })
  const aliases = ['drivers:49', 'plic:7', 'ayaka:12', 'maint:1']
  await ask('/rooms', { name: 'room', parent: space.id, aliases, owner: id, members })
  return { owner: { id, token: ownerToken }, accounts }
}
