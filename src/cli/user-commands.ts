import { type Command, rows } from './commands.ts'
import { type Answer, every } from './door.ts'

const at = (name: string | undefined) => `/users/${encodeURIComponent(`@${name}`)}`

const line = ({ number, username, role, guest }: Answer) => [`#${number}`, username, guest ? 'guest' : role]

export const userCommands: Readonly<Record<string, Command>> = {
  list: {
    usage: 'user list',
    says: 'everybody, with number and role',
    run: async (door) => {
      const found: string[][] = []
      for await (const user of every(door, '/users?limit=500')) found.push(line(user))
      return rows(found)
    },
  },
  add: {
    usage: 'user add NAME [--role member|robot|admin]',
    says: 'makes an account and prints its token, which is shown this once',
    words: 1,
    flags: ['role'],
    run: async (door, [username], { role }) => {
      const made = await door.ask('POST', '/users', { username, ...(role === undefined ? {} : { role }) })
      return `#${made.number} ${made.username}, ${made.role}\ntoken ${made.token}\n`
    },
  },
  token: {
    usage: 'user token NAME',
    says: 'issues another token and prints it',
    words: 1,
    run: async (door, [name]) => `token ${(await door.ask('POST', `${at(name)}/tokens`)).token}\n`,
  },
  role: {
    usage: 'user role NAME member|robot|admin',
    says: 'what the account may do',
    words: 2,
    run: async (door, [name, role]) => rows([line(await door.ask('PATCH', at(name), { role }))]),
  },
  ban: {
    usage: 'user ban NAME [--seconds N] [--reason TEXT]',
    says: 'from everywhere; its connections end',
    words: 1,
    flags: ['seconds', 'reason'],
    run: async (door, [name], { seconds, reason }) => {
      const ban = {
        ...(seconds === undefined ? {} : { seconds: Number(seconds) }),
        ...(reason === undefined ? {} : { reason }),
      }
      await door.ask('POST', `${at(name)}/bans`, ban)
      return `${name} is banned${seconds === undefined ? '' : ` for ${seconds} seconds`}\n`
    },
  },
  unban: {
    usage: 'user unban NAME',
    says: 'lifts a ban',
    words: 1,
    run: async (door, [name]) => {
      await door.ask('DELETE', `${at(name)}/bans`)
      return `${name} is not banned\n`
    },
  },
}
