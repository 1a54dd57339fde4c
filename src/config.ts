// Settings: environment variables HANSARD_<NAME>, each also a flag `--<name>` of `hansard serve`. One table gives
// parsing, defaults, `hansard config` and `--help`.

import { z } from 'zod'
import { factTypes } from './actors/fact-codec.ts'
import type { Rate } from './actors/rate.ts'
import { WEBHOOK_TYPES } from './api/webhooks.ts'
import { isServerAddress, withoutPassword } from './log/server-address.ts'
import { meant } from './nearest.ts'
import { isNetwork } from './transports/callers.ts'
import type { Address } from './transports/listeners.ts'
import { isOrigin } from './transports/origins.ts'

interface Setting<T> {
  readonly says: string
  readonly fallback: string
  readonly parse: z.ZodType<T, string>
  /** never printed */
  readonly secret?: true
}

const setting = <T>(fallback: string, says: string, parse: z.ZodType<T, string>, secret?: true): Setting<T> => ({
  says,
  fallback,
  parse,
  ...(secret ? { secret } : {}),
})

const text = z.string()
const whole = (least: number, most: number) => {
  const allowed = `a whole number from ${least} to ${most}`
  return z
    .string()
    .regex(/^[0-9]{1,9}$/, allowed)
    .transform(Number)
    .pipe(z.int().min(least, allowed).max(most, allowed))
}
const oneOf = <const T extends readonly string[]>(...choices: T) => z.enum(choices, `one of ${choices.join(', ')}`)

const rate = z.string().transform((given, ctx): Rate | 'off' => {
  if (given === 'off') return 'off'
  const match = /^([0-9]{1,6})\/([0-9]{1,6})$/.exec(given)
  const [capacity, seconds] = [Number(match?.[1]), Number(match?.[2])]
  if (match && capacity > 0 && seconds > 0) return { capacity, perSecond: capacity / seconds }
  ctx.addIssue('burst/seconds, e.g. 20/10, or off')
  return z.NEVER
})

const address = z.string().transform((given, ctx): Address | null => {
  if (given === '') return null
  const [, v6, name, digits] = /^(?:\[([0-9a-f:]+)\]:|([^:\s]+):)?([0-9]{1,5})$/i.exec(given) ?? []
  const port = Number(digits)
  if (port <= 65_535) return { host: v6 ?? name ?? '127.0.0.1', port }
  ctx.addIssue('port, host:port or [v6]:port')
  return z.NEVER
})

const listOf = (allowed: string, isOne: (item: string) => boolean) =>
  z
    .string()
    .transform((given) =>
      given
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .refine((items) => items.every(isOne), allowed)

const listener = (dialect: string) =>
  setting('', `an address of its own for ${dialect}, served at any path there: port, host:port or [v6]:port`, address)

export const settings = {
  HOST: setting('127.0.0.1', 'address to listen on', text.min(1)),
  PORT: setting('8080', 'port to listen on; 0 picks a free one', whole(0, 65_535)),
  DATA: setting('./data', 'directory of the embedded log and its read models', text.min(1)),
  LOG: setting(
    'sqlite:',
    'where the log is: sqlite: (in the data directory), esdb://… or kurrentdb://… (connection string of an EventStoreDB or KurrentDB), memory: (gone with the process)',
    text.refine((given) => given === 'sqlite:' || given === 'memory:' || isServerAddress(given), {
      error: 'sqlite:, memory:, esdb://… or kurrentdb://…',
    }),
  ),
  ADMIN_TOKEN: setting(
    '',
    "the owner's token, 32 to 256 printable characters; without it one is made at the first start",
    text.regex(/^$|^[\x21-\x7e]{32,256}$/, '32 to 256 printable characters without spaces'),
    true,
  ),
  RATE_MESSAGES: setting('20/10', 'messages an account may send: burst/seconds to refill it, or off', rate),
  RATE_ACTS: setting(
    '600/60',
    'whatever else an account may have stored (signing in, entering, typing, reading, changing rooms …): burst/seconds to refill it, or off',
    rate,
  ),
  GUESTS: setting(
    'auto',
    'who may take a name without an account: auto (requests from this machine only), on, off',
    oneOf('auto', 'on', 'off'),
  ),
  DRIVERS_SIGNUP_EXISTING: setting(
    'refuse',
    'drivers.uz sign_up with a phone number that is registered: refuse, or return a token of its account to anybody',
    oneOf('refuse', 'return'),
  ),
  NODE: setting('main', 'name of this node in the log', text.regex(/^[a-z0-9-]{1,32}$/, 'a-z, 0-9 and -, at most 32')),
  NAME_KEY: setting(
    '',
    'key of the names of claim streams; without it one is made with the log and kept in it',
    text.regex(/^$|^[\x21-\x7e]{32,256}$/, '32 to 256 printable characters'),
    true,
  ),
  ORIGINS: setting(
    '',
    "web origins allowed beside the server's own and this machine's, comma separated; * allows any",
    listOf(
      'origins as https://chat.example.org, comma separated, or *',
      (origin) => origin === '*' || isOrigin(origin),
    ),
  ),
  PUBLIC_URL: setting(
    '',
    'the address clients see, when a proxy stands before the server',
    text.regex(/^$|^https?:\/\/.+/, 'an http or https address'),
  ),
  TRUST_PROXY: setting(
    '',
    'addresses of proxies whose X-Forwarded-For is believed, comma separated',
    listOf('addresses or networks as 10.0.0.1, 10.0.0.0/8 or fd00::/8, comma separated', isNetwork),
  ),
  RETENTION_DAYS: setting(
    '90',
    'days after which a closed connection leaves the log, with all it did that is in no room or account; 0: never',
    whole(0, 36_500),
  ),
  MAX_CONNECTIONS: setting('20000', 'sockets served at once', whole(1, 1_000_000)),
  REBUILD_POISON: setting(
    'stop',
    'a fact that cannot be folded while read models are made anew: stop there, or park it and go on',
    oneOf('stop', 'park'),
  ),
  TYPING: setting('on', 'whether typing is told and recorded: on, off', oneOf('on', 'off')),
  JWT_SECRET: setting(
    '',
    'accepts JSON Web Tokens signed with it (HS256), beside tokens of our own',
    text.regex(/^$|^.{16,1024}$/, 'at least 16 characters'),
    true,
  ),
  JWKS_URL: setting(
    '',
    'accepts JSON Web Tokens signed by a key of this set (ES256, RS256)',
    text.regex(/^$|^https?:\/\/.+/, 'an http or https address'),
  ),
  JWT_AUDIENCE: setting('', 'the audience such a token must be for', text),
  JWT_ISSUER: setting('', 'the issuer such a token must be of', text),
  JWT_PROVISION: setting('off', 'whether a first valid token makes the account: on, off', oneOf('on', 'off')),
  PLIC_AFK_SECONDS: setting('0', 'PLIC: closes whoever sent no command for so long; 0: nobody', whole(0, 86_400)),
  WEBHOOK_URL: setting(
    '',
    'a backend that facts are posted to, e.g. http://127.0.0.1:9000/hansard',
    text.regex(/^$|^https?:\/\/.+/, 'an http or https address'),
  ),
  WEBHOOK_SECRET: setting(
    '',
    'signs what is posted there; needed with WEBHOOK_URL',
    text.regex(/^$|^[\x21-\x7e]{16,256}$/, '16 to 256 printable characters'),
    true,
  ),
  WEBHOOK_TYPES: setting(
    WEBHOOK_TYPES.join(','),
    'types of facts that are posted, comma separated',
    listOf('types of facts, as docs/facts.md has them', (type) => Object.hasOwn(factTypes, type)),
  ),
  LISTEN_MONEYPOT: listener('Moneypot'),
  LISTEN_DRIVERS: listener('drivers.uz'),
  LISTEN_PLIC: listener('PLIC'),
  LISTEN_AYAKA: listener('Ayaka'),
  LISTEN_MAINT: listener('Maint'),
  LISTEN_NATIVE: listener('the native protocol'),
  AYAKA_MESSAGE_CREATE: setting(
    'on',
    'whether Ayaka clients get MESSAGE_CREATE beside NOTIFICATION: on, off',
    oneOf('on', 'off'),
  ),
  LOG_LEVEL: setting('info', 'what the process writes to stderr', oneOf('debug', 'info', 'warn', 'error', 'silent')),
} as const satisfies Record<string, Setting<unknown>>

export type SettingName = keyof typeof settings
export type Config = { readonly [K in SettingName]: z.output<(typeof settings)[K]['parse']> }

export interface Origin {
  readonly value: string
  readonly from: 'default' | 'environment' | 'flag'
}

export class ConfigError extends Error {}

/** dialect → the address of its own that its setting gives */
export const listenIn = (config: Config): Record<string, Address> =>
  Object.fromEntries(
    Object.entries(config).flatMap(([name, value]) =>
      name.startsWith('LISTEN_') && value !== null
        ? [[name.slice('LISTEN_'.length).toLowerCase(), value as Address]]
        : [],
    ),
  )

/** Where the command line finds a running server; see cli/. */
const COMMAND_LINES: readonly string[] = ['URL', 'TOKEN']

/** @throws ConfigError naming the setting and what it allows */
export const readConfig = (
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string>>,
): { config: Config; origins: Record<SettingName, Origin> } => {
  const known = (name: string): name is SettingName => Object.hasOwn(settings, name)
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('HANSARD_') || name.startsWith('HANSARD_TEST_')) continue
    const own = name.slice('HANSARD_'.length)
    if (known(own) || COMMAND_LINES.includes(own)) continue
    const near = meant(own, [...Object.keys(settings), ...COMMAND_LINES], 'HANSARD_')
    throw new ConfigError(`unknown setting ${name}${near || '.'} All are in: npm run hansard -- help serve`)
  }
  for (const name of Object.keys(flags)) {
    if (known(settingOf(name))) continue
    const near = meant(name, Object.keys(settings).map(flagOf), '--')
    throw new ConfigError(`unknown option --${name}${near || '.'} All are in: npm run hansard -- help serve`)
  }
  const config: Record<string, unknown> = {}
  const origins = {} as Record<SettingName, Origin>
  for (const name of Object.keys(settings) as SettingName[]) {
    const origin = originOf(name, environment, flags)
    const read = settings[name].parse.safeParse(origin.value)
    if (!read.success) {
      throw new ConfigError(
        `HANSARD_${name} (${origin.from}) ${'secret' in settings[name] ? '' : `is ${JSON.stringify(withoutPassword(origin.value))}. It `}must be ${read.error.issues.map(({ message }) => message).join('; ')}`,
      )
    }
    config[name] = read.data
    origins[name] = origin
  }
  if (config.WEBHOOK_URL !== '' && config.WEBHOOK_SECRET === '') {
    throw new ConfigError('HANSARD_WEBHOOK_URL needs HANSARD_WEBHOOK_SECRET, which signs what is posted')
  }
  return { config: config as Config, origins }
}

export const flagOf = (name: string): string => name.toLowerCase().replaceAll('_', '-')
const settingOf = (flag: string): string => flag.toUpperCase().replaceAll('-', '_')

const originOf = (
  name: SettingName,
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string>>,
): Origin => {
  const flag = flags[flagOf(name)]
  if (flag !== undefined) return { value: flag, from: 'flag' }
  const set = environment[`HANSARD_${name}`]
  return set === undefined ? { value: settings[name].fallback, from: 'default' } : { value: set, from: 'environment' }
}
