// Every protocol this server speaks: a seventh is its codec, its dialogues and a line here.

import { ayakaWith } from './ayaka.ts'
import type { Dialect } from './dialect.ts'
import { drivers } from './drivers.ts'
import { maint } from './maint.ts'
import { moneypot } from './moneypot.ts'
import { native } from './native/native.ts'
import { plic } from './plic.ts'

export interface DialectSettings {
  /** PLIC: no command for this long ends the connection; 0: never */
  readonly plicAfkSeconds: number
  /** does Ayaka tell a message as MESSAGE_CREATE, beside the NOTIFICATION? */
  readonly ayakaMessageCreate: boolean
}

export const dialectsBy = ({ plicAfkSeconds, ayakaMessageCreate }: DialectSettings): readonly Dialect[] => [
  moneypot,
  drivers,
  plic(plicAfkSeconds * 1_000),
  ayakaWith({ messageCreate: ayakaMessageCreate }),
  maint,
  native,
]

/** As they are when nothing is set. */
export const dialects: readonly Dialect[] = dialectsBy({ plicAfkSeconds: 0, ayakaMessageCreate: true })
