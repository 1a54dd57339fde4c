import { type Origin, type SettingName, settings } from '../config.ts'

/** `hansard config`: value and origin of every setting; secrets say only that they are set. */
export const printConfig = (origins: Readonly<Record<SettingName, Origin>>): string =>
  (Object.keys(settings) as SettingName[])
    .map((name) => {
      const { value, from } = origins[name]
      const secret = 'secret' in settings[name] && value !== ''
      return `HANSARD_${name}=${secret ? '(set, not shown)' : value}  # ${from}`
    })
    .join('\n')
