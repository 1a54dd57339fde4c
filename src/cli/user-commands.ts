import { asking, type Command, type Found, listed, rows } from './commands.ts'
import type { Answer } from './door.ts'

const at = (name: string | undefined) => `/users/${encodeURIComponent(`@${name}`)}`

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
    usage: 'user token NAME',
    says: 'issues another token and prints it, and nothing else',
    words: [1, 1],
    ask: async (door, [name]) => {
      const issued = await door.ask('POST', `${at(name)}/tokens`)
      return { text: `${issued.token}\n`, json: issued }
    },
  }),
  'user role': asking({
    usage: 'user role NAME member|robot|admin',
    says: 'what the account may do',
    words: [2, 2],
    ask: async (door, [name, role]) => user(await door.ask('PATCH', at(name), { role })),
  }),
  'user ban': asking({
    usage: 'user ban NAME [--seconds N] [--reason TEXT]',
    says: 'from everywhere; its connections end',
    words: [1, 1],
    options: { seconds: 'N  for so long; without it, without end', reason: 'TEXT  on record, and told to its clients' },
    ask: async (door, [name], { seconds, reason }) => {
      const ban = {
        ...(seconds === undefined ? {} : { seconds: Number(seconds) }),
        ...(reason === undefined ? {} : { reason }),
      }
      const made = await door.ask('POST', `${at(name)}/bans`, ban)
      return { text: `${name} is banned${seconds === undefined ? '' : ` for ${seconds} seconds`}\n`, json: made }
    },
  }),
  'user unban': asking({
    usage: 'user unban NAME',
    says: 'lifts a ban',
    words: [1, 1],
    ask: async (door, [name]) => {
      await door.ask('DELETE', `${at(name)}/bans`)
      return { text: `${name} is not banned\n`, json: { username: name, banned: false } }
    },
  }),
}
