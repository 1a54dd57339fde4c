import { asking, type Command, type Found, listed, rows } from './commands.ts'
import type { Answer } from './door.ts'
import { howLong, LENGTH, REASON, sanction } from './order-commands.ts'
import { ofUser, query } from './references.ts'

const user = (answer: Answer): Found => ({ text: rows([line(answer)]), json: answer })

const line = ({ number, username, role, guest }: Answer) => [`#${number}`, username, guest ? 'guest' : role]

export const userCommands: Readonly<Record<string, Command>> = {
  'user list': asking({
    usage: 'user list',
    says: 'everybody, with number and role',
    ask: (door) => listed(door, '/users?limit=500', line),
  }),
  'user add': asking({
    usage: 'user add NAME [--role member|robot|admin]',
    says: 'makes an account and prints its token, which is shown this once',
    words: [1, 1],
    options: { role: 'ROLE  member (the default), robot or admin' },
    ask: async (door, [username], { role }) => {
      const made = await door.ask('POST', '/users', { username, ...(role === undefined ? {} : { role }) })
      return { text: `#${made.number} ${made.username}, ${made.role}\ntoken ${made.token}\n`, json: made }
    },
  }),
  'user token': asking({
    usage: 'user token NAME [--label TEXT]',
    says: 'issues another token and prints it, and nothing else',
    words: [1, 1],
    options: { label: 'TEXT  what it is for, shown beside it' },
    ask: async (door, [name], { label }) => {
      const issued = await door.ask('POST', `${ofUser(name)}/tokens`, label === undefined ? {} : { label })
      return { text: `${issued.token}\n`, json: issued }
    },
  }),
  'user tokens': asking({
    usage: 'user tokens NAME',
    says: 'its tokens, never what they are: id, label, when issued, whether in force',
    words: [1, 1],
    ask: (door, [name]) =>
      listed(door, `${ofUser(name)}/tokens`, ({ id, label, issuedAt, revokedAt }) => [
        id,
        label ?? '',
        issuedAt,
        revokedAt === null ? 'in force' : `revoked ${revokedAt}`,
      ]),
  }),
  'user revoke': asking({
    usage: 'user revoke NAME ID',
    says: 'ends a token, and the connections that it opened; its id is in user tokens',
    words: [2, 2],
    ask: async (door, [name, id]) => {
      await door.ask('DELETE', `${ofUser(name)}/tokens/${encodeURIComponent(id as string)}`)
      return { text: `token ${id} is revoked\n`, json: { username: name, id, revoked: true } }
    },
  }),
  'user role': asking({
    usage: 'user role NAME member|robot|admin',
    says: 'what the account may do',
    words: [2, 2],
    ask: async (door, [name, role]) => user(await door.ask('PATCH', ofUser(name), { role })),
  }),
  'user ban': asking({
    usage: 'user ban NAME [--seconds N] [--reason TEXT]',
    says: 'from everywhere; its connections end',
    words: [1, 1],
    options: { ...LENGTH, ...REASON },
    ask: async (door, [name], own) => {
      const made = await door.ask('POST', `${ofUser(name)}/bans`, sanction(own))
      return { text: `${name} is banned${howLong(own)}\n`, json: made }
    },
  }),
  'user unban': asking({
    usage: 'user unban NAME [--reason TEXT]',
    says: 'lifts a ban',
    words: [1, 1],
    options: REASON,
    ask: async (door, [name], { reason }) => {
      await door.ask('DELETE', `${ofUser(name)}/bans${query({ reason })}`)
      return { text: `${name} is not banned\n`, json: { username: name, banned: false } }
    },
  }),
  'user kick': asking({
    usage: 'user kick NAME [--reason TEXT]',
    says: 'closes every connection of the account; it may come back',
    words: [1, 1],
    options: REASON,
    ask: async (door, [name], { reason }) => {
      const made = await door.ask(
        'POST',
        `${ofUser(name)}/kicks`,
        sanction({ ...(reason === undefined ? {} : { reason }) }),
      )
      return { text: `${name} is disconnected\n`, json: made }
    },
  }),
}
