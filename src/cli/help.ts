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
  help       this page

options of serve, rebuild and config; each is also an environment variable, --port = HANSARD_PORT
${settingLines()}
`
