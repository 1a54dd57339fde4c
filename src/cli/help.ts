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
  rebuild    make the read models anew from the log, of the server that runs or where none does; those in force answer
             until it is done
  import irc FILE…
             put logs of an IRC channel, one file a day (2006-06-01.log), into the log with their own times; the server
             must not be running. A line is stored once however often it is given, and a run that was cut off goes on
             where it was. Nobody can sign in as the people of an import. Its own options:
               --room ALIAS      where, as moneypot:100; opened when it is not there
               --name NAME       the name of a room that is opened
${asking()}
  help       this page

user, room and log ask the server that runs on the data directory, or the one named by --url, or, where none runs, open the
directory themselves. Their token is the setting ADMIN_TOKEN, or DATA/admin-token.

settings, which are options of every command; each is also an environment variable, --port = HANSARD_PORT
${settingLines()}
`
