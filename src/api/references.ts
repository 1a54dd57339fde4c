// How requests name rooms and accounts.

import { z } from 'zod'

export const roomReference = z.string().max(128).describe('a room: its id, #number or alias, e.g. moneypot:18')
export const userReference = z.string().max(128).describe('an account: its id, @name or #number')
export const ofRoom = z.object({ room: roomReference })
export const ofUser = z.object({ user: userReference })
