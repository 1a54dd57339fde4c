import { asking, type Command, type Found, listed, rows } from './commands.ts'
import type { Answer } from './door.ts'

const at = (room: string | undefined) => `/rooms/${encodeURIComponent(room ?? '')}`

const line = ({ number, name, kind, mode, aliases }: Answer) => [`#${number}`, name, kind, mode, aliases.join(' ')]

const found = (answer: Answer): Found => ({ text: rows([line(answer)]), json: answer })

export const roomCommands: Readonly<Record<string, Command>> = {
  'room list': asking({
    usage: 'room list',
    says: 'every room, with its aliases',
    ask: (door) => listed(door, '/rooms?limit=500', line),
  }),
  'room show': asking({
    usage: 'room show ROOM [--at TIME]',
    says: 'a room by alias, #number or id: members, mutes, bans and the last messages, now or as they were',
    words: [1, 1],
    options: { at: 'TIME  as it was then: a time with its zone (2026-01-31T12:00:00Z) or a position' },
    ask: async (door, [room], { at: time }) => {
      const when = time === undefined ? '' : `&at=${encodeURIComponent(time)}`
      const shown = await door.ask('GET', `${at(room)}?${when.slice(1)}`)
      const part = (name: string) => door.ask('GET', `${at(room)}/${name}?limit=20${when}`).then(({ items }) => items)
      const [members, mutes, bans, messages] = await Promise.all(['members', 'mutes', 'bans', 'messages'].map(part))
      const until = (value: string | null) => (value === null ? 'without end' : `until ${value}`)
      const section = (title: string, lines: string[][]) => (lines.length === 0 ? '' : `\n${title}\n${rows(lines)}`)
      const text = [
        rows([line(shown)]),
        section(
          'members',
          members.map(({ user, role, online }: Answer) => [user.username, role, online ? 'here' : '']),
        ),
        section(
          'mutes',
          mutes.map(({ user, until: end }: Answer) => [user.username, until(end)]),
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
      return { text, json: { room: shown, members, mutes, bans, messages } }
    },
  }),
  'room open': asking({
    usage: 'room open NAME --alias ALIAS [--owner NAME]',
    says: 'opens a room that clients see by its alias, e.g. moneypot:18',
    words: [1, 1],
    options: { alias: 'ALIAS  a dialect and a number, e.g. moneypot:18', owner: 'NAME  who may do everything there' },
    ask: async (door, [name], { alias, owner }) => {
      const opened = await door.ask('POST', '/rooms', {
        name,
        aliases: alias === undefined ? [] : [alias],
        ...(owner === undefined ? {} : { owner: `@${owner}` }),
      })
      return found(opened)
    },
  }),
  'room mode': asking({
    usage: 'room mode ROOM open|locked',
    says: 'who may write',
    words: [2, 2],
    ask: async (door, [room, mode]) => found(await door.ask('PATCH', at(room), { mode })),
  }),
  'room archive': asking({
    usage: 'room archive ROOM [--reason TEXT]',
    says: 'closes it for good; its record stays',
    words: [1, 1],
    options: { reason: 'TEXT  on record' },
    ask: async (door, [room], { reason }) => {
      await door.ask('DELETE', at(room) + (reason === undefined ? '' : `?reason=${encodeURIComponent(reason)}`))
      return { text: `${room} is archived\n`, json: { room, archived: true } }
    },
  }),
}
