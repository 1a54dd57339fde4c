import { type Origin, type SettingName, settings } from '../config.ts'
import { withoutPassword } from '../log/server-address.ts'

type Origins = Readonly<Record<SettingName, Origin>>

const NAMES = Object.keys(settings) as SettingName[]

/** Secrets say only that they are set, an address leaves its password out. */
const shown = (name: SettingName, value: string): string =>
  'secret' in settings[name] && value !== '' ? '(set, not shown)' : withoutPassword(value)

/** `hansard config`: value and origin of every setting. */
export const configText = (origins: Origins): string =>
  NAMES.map((name) => `HANSARD_${name}=${shown(name, origins[name].value)}  # ${origins[name].from}\n`).join('')

export const configJson = (origins: Origins) =>
  NAMES.map((name) => ({ name: `HANSARD_${name}`, value: shown(name, origins[name].value), from: origins[name].from }))

/** What a start puts on record. Beyond its host, an address that somebody else gave may be a credential by itself. */
export const forTheRecord = (origins: Origins): Record<string, string> =>
  Object.fromEntries(
    NAMES.map((name) => {
      const text = shown(name, origins[name].value)
      return [
        name,
        /_URL$/.test(name) && name !== 'PUBLIC_URL' ? text.replace(/^([a-z]+:\/\/[^/?#]*).+$/, '$1/…') : text,
      ]
    }),
  )
