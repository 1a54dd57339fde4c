// One nick on the stage: a real client of one protocol over a real socket.

import { createHash } from 'node:crypto'
import type { ManagerOptions, Socket, SocketOptions } from 'socket.io-client'
import { ConnectionLost, connect, Refused } from '../client/client.ts'
import { StageRefused } from './cast.ts'

export interface Performer {
  /** null once it is stored; else the code it was refused with */
  say(text: string, action: boolean): Promise<string | null>
  /** Ends its connection. */
  leave(): Promise<void>
}

/** Signs in with the token and enters the room. @throws StageRefused */
export type Enter = (token: string) => Promise<Performer>

/** What a server that was away, or an account over its rate, says of a message that may be said again. */
export const PASSING = [
  'rate-limited',
  'slow-mode',
  'busy',
  'unavailable',
  'contended',
  'RATE_LIMITED',
  'INTERNAL_ERROR',
  'not-connected',
]

export const nativePerformers =
  (url: string, room: string): Enter =>
  async (token) => {
    const client = await connect({ url: `${url.replace(/^http/, 'ws')}/native`, token })
    const entered = await client.join(room).catch((error) => {
      client.close()
      throw error
    })
    return {
      say: (text, action) =>
        entered.post(text, action ? { kind: 'action' } : {}).then(
          () => null,
          (error) => {
            if (error instanceof Refused || error instanceof ConnectionLost)
              return error instanceof Refused ? error.code : 'connection-lost'
            throw error
          },
        ),
      leave: async () => {
        await entered.leave().catch(() => {})
        client.close()
      },
    }
  }

type Io = (url: string, options: Partial<ManagerOptions & SocketOptions>) => Socket

/** `room`: by its alias in this protocol, `moneypot:2`. It has no actions: one is said as what it is, a text. */
export const moneypotPerformers = async (url: string, room: string): Promise<Enter> => {
  const app = Number(/^moneypot:([0-9]+)$/.exec(room)?.[1])
  const { io } = (await import('socket.io-client')) as { io: Io }
  return async (token) => {
    const socket = io(url, { transports: ['websocket'], forceNew: true })
    const hashed = createHash('sha256').update(token).digest('hex')
    const lost = new Set<(code: string) => void>()
    socket.on('disconnect', () => {
      for (const tell of lost) tell('connection-lost')
      lost.clear()
    })
    await new Promise<void>((resolve, reject) => {
      // Again whenever it comes back, which it does by itself also where the first try failed.
      socket.on('connect', () => {
        socket.emit(
          'auth',
          { app_id: app, hashed_token: hashed },
          (error: string | null, told?: { user?: unknown }) => {
            if (told?.user) resolve()
            else reject(new StageRefused(error ?? 'the server lets this account read only'))
          },
        )
      })
    }).catch((error) => {
      socket.disconnect()
      throw error
    })
    return {
      say: (text) =>
        new Promise((resolve) => {
          if (!socket.connected) return resolve('not-connected')
          lost.add(resolve)
          socket.emit('new_message', text, (refused?: string | null) => {
            lost.delete(resolve)
            resolve(refused ?? null)
          })
        }),
      leave: async () => {
        socket.disconnect()
      },
    }
  }
}
