// Every protocol this server speaks: a sixth is its codec, its dialogues and a line here.

import type { Dialect } from './dialect.ts'
import { maint } from './maint.ts'
import { moneypot } from './moneypot.ts'
import { native } from './native/native.ts'

export const dialects: readonly Dialect[] = [moneypot, maint, native]
