import { type Command, rows } from './commands.ts'
import { type Answer, every } from './door.ts'

const at = (room: string | undefined) => `/rooms/${encodeURIComponent(room ?? '')}`

const line = ({ number, name, kind, mode, aliases }: Answer) => [`#${number}`, name, kind, mode, aliases.join(' ')]

export const roomCommands: Readonly<Record<string, Command>> = {
  list: {
    usage: 'room list',
    says: 'every room, with its aliases',
    run: async (door) => {
      const found: string[][] = []
      for await (const room of every(door, '/rooms?limit=500')) found.push(line(room))
      return rows(found)
    },
  },
  show: {
    usage: 'room show ROOM [--at TIME]',
    says: 'a room by alias, #number or id: members, mutes, bans and the last messages, now or as they were',
    words: 1,
    flags: ['at'],
    run: async (door, [room], { at: time }) => {
      const when = time === undefined ? '' : `&at=${encodeURIComponent(time)}`
      const shown = await door.ask('GET', `${at(room)}?${when.slice(1)}`)
      const part = (name: string) => door.ask('GET', `${at(room)}/${name}?limit=20${when}`).then(({ items }) => items)
      const [members, mutes, bans, messages] = await Promise.all(['members', 'mutes', 'bans', 'messages'].map(part))
      const until = (value: string | null) => (value === null ? 'without end' : `until ${value}`)
      const section = (title: string, lines: string[][]) => (lines.length === 0 ? '' : `\n${title}\n${rows(lines)}`)
      return [
        rows([line(shown)]),
        section(
          'members',
          members.map(({ user, role, online }: Answer) => [user.username, role, online ? 'here' : '']),
        ),
        section(
          'mutes',
          mutes.map(({ name, until: end }: Answer) => [name, until(end)]),
        ),
        section(
          'bans',
          bans.map(({ user, until: end }: Answer) => [user.username ?? user, until(end)]),
        ),
        section(
          'last messages',
          messages.map((said: Answer) => [said.at, `${said.author.username}:`, said.removed ? '(removed)' : said.text]),
        ),
      ].join('')
    },
  },
  open: {
    usage: 'room open NAME --alias ALIAS [--owner NAME]',
    says: 'opens a room that clients see by its alias, e.g. moneypot:18',
    words: 1,
    flags: ['alias', 'owner'],
    run: async (door, [name], { alias, owner }) => {
      const opened = await door.ask('POST', '/rooms', {
        name,
        aliases: alias === undefined ? [] : [alias],
        ...(owner === undefined ? {} : { owner: `@${owner}` }),
      })
      return rows([line(opened)])
    },
  },
  mode: {
    usage: 'room mode ROOM open|locked',
    says: 'who may write',
    words: 2,
    run: async (door, [room, mode]) => rows([line(await door.ask('PATCH', at(room), { mode }))]),
  },
  archive: {
    usage: 'room archive ROOM [--reason TEXT]',
    says: 'closes it for good; its record stays',
    words: 1,
    flags: ['reason'],
    run: async (door, [room], { reason }) => {
      await door.ask('DELETE', at(room) + (reason === undefined ? '' : `?reason=${encodeURIComponent(reason)}`))
      return `${room} is archived\n`
    },
  },
}
