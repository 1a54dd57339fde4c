import { asking, type Command, type Found, listed, rows } from './commands.ts'
import type { Answer } from './door.ts'
import { REASON, secondsOf } from './order-commands.ts'
import { ofRoom, person, query } from './references.ts'

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
      const shown = await door.ask('GET', ofRoom(room) + query({ at: time }))
      const part = (name: string) =>
        door.ask('GET', `${ofRoom(room)}/${name}${query({ limit: '20', at: time })}`).then(({ items }) => items)
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
          mutes.map(({ user, until: end, reason }: Answer) => [user.username, until(end), reason ?? '']),
        ),
        section(
          'bans',
          bans.map(({ user, until: end, reason }: Answer) => [user.username, until(end), reason ?? '']),
        ),
        section(
          'last messages',
          messages.map(({ id, at, author, removed, text: said }: Answer) => [
            `${id}`,
            at,
            `${author.username}:`,
            removed ? '(removed)' : said,
          ]),
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
        ...(owner === undefined ? {} : { owner: person(owner) }),
      })
      return found(opened)
    },
  }),
  'room mode': asking({
    usage: 'room mode ROOM open|slow|locked [--seconds N]',
    says: 'who may write, and in mode slow how often',
    words: [2, 2],
    options: { seconds: 'N  in mode slow: least time between two messages of one member' },
    ask: async (door, [room, mode], { seconds }) => {
      const slow = seconds === undefined ? {} : { slowSeconds: secondsOf(seconds) }
      return found(await door.ask('PATCH', ofRoom(room), { mode, ...slow }))
    },
  }),
  'room archive': asking({
    usage: 'room archive ROOM [--reason TEXT]',
    says: 'closes it for good; its record stays',
    words: [1, 1],
    options: REASON,
    ask: async (door, [room], { reason }) => {
      await door.ask('DELETE', ofRoom(room) + query({ reason }))
      return { text: `${room} is archived\n`, json: { room, archived: true } }
    },
  }),
}
