import { flagOf, type SettingName, settings } from '../config.ts'

const settingLines = (): string =>
  (Object.keys(settings) as SettingName[])
    .map((name) => {
      const { says, fallback } = settings[name]
      return `  --${flagOf(name).padEnd(18)} ${says}${fallback ? ` (${fallback})` : ''}`
    })
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
               --room ALIAS      where, as moneypot:100; opened when it is not there
               --name NAME       the name of a room that is opened
  log record FILE
             write what happens on a running server as a dialogue: frames both ways, of connections opened from now
             on, and what is asked over REST, without credentials. Ctrl-C ends it. Its own options:
               --url URL         the server (http://HOST:PORT of the settings)
               --seconds N       end by itself
               --user NAME       connections of this account only
               --dialect NAME    of this protocol only: moneypot, drivers, plic, ayaka, maint, native
             the token is the setting ADMIN_TOKEN, or DATA/admin-token
  help       this page

options of serve, rebuild, config, import and log; each is also an environment variable, --port = HANSARD_PORT
${settingLines()}
`
