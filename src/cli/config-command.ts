import { type Origin, type SettingName, settings } from '../config.ts'
import { withoutPassword } from '../log/eventstore-client.ts'

/** `hansard config`: value and origin of every setting; secrets say only that they are set, an address leaves its password out. */
export const printConfig = (origins: Readonly<Record<SettingName, Origin>>): string =>
  (Object.keys(settings) as SettingName[])
    .map((name) => {
      const { value, from } = origins[name]
      const secret = 'secret' in settings[name] && value !== ''
      return `HANSARD_${name}=${secret ? '(set, not shown)' : withoutPassword(value)}  # ${from}`
    })
    .join('\n')
