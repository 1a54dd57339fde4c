import { flagOf, type SettingName, settings } from '../config.ts'
import { logUsages } from './log-commands.ts'
import { roomCommands } from './room-commands.ts'
import { userCommands } from './user-commands.ts'

const settingLines = (): string =>
  (Object.keys(settings) as SettingName[])
    .map((name) => {
      const { says, fallback } = settings[name]
      return `  --${flagOf(name).padEnd(18)} ${says}${fallback ? ` (${fallback})` : ''}`
    })
    .join('\n')

const asking = (): string =>
  [...Object.values(userCommands), ...Object.values(roomCommands)]
    .map(({ usage, says }) => [usage, says] as const)
    .concat(logUsages)
    .map(([usage, says]) => `  ${usage}\n             ${says}`)
    .join('\n')

export const help = (): string => `hansard — an auditable chat backend

usage: hansard [command] [options]

commands
  serve      run the server (the default)
  config     print every setting, its value and where it comes from
  rebuild    make the read models anew from the log; the server must not be running
  import irc FILE…
             put logs of an IRC channel, one file a day (2006-06-01.log), into the log with their own times; the server
             must not be running. A line is stored once however often it is given, and a run that was cut off goes on
             where it was. Nobody can sign in as the people of an import. Its own options:
               --room ALIAS      where, as moneypot:100; opened when it is not there (a room of the channel's own)
               --name NAME       the name of a room that is opened (the channel's)
  demo [irc FILE…]
             play logs of an IRC channel as life, or without one a log of its own: every nick is a client that comes,
             talks and leaves. On a server of its own, in a directory that goes with it; or on another, as HANSARD_URL
             with HANSARD_TOKEN (an admin's) says. Its own options:
               --speed N|max     times faster than it was (60)
               --dialect NAME    native or moneypot (native); Moneypot refuses what is longer than 350 characters, and
                                 has no actions: those are said as texts
               --room ALIAS      where, as moneypot:100 (moneypot:2, the room of the page at /); opened when it is not there
               --name NAME       the name of a room that is opened (the channel's)
               --data DIR        keeps the demo's log in this directory
               --url URL         the server to play on
${asking()}
  help       this page

user, room and log ask the server that runs on the data directory, or the one named by --url, or, where none runs, open the
directory themselves. Their token is the setting ADMIN_TOKEN, or DATA/admin-token.

settings, which are options of every command; each is also an environment variable, --port = HANSARD_PORT
${settingLines()}
`
