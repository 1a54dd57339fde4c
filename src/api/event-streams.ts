// Server-sent events (WHATWG HTML § 9.2), each with a position as its id, so that a reader resumes where it was.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../actors/ports.ts'

const BREATH_MS = 15_000

export const wantsEvents = (request: FastifyRequest): boolean =>
  /\btext\/event-stream\b/.test(request.headers.accept ?? '')

export interface Events {
  /** aborted when the reader is gone, or may not listen any more */
  readonly gone: AbortSignal
  /** Resolves when there is room for the next. */
  send(event: string, data: unknown, id?: string): Promise<void>
  end(): void
}

export class EventStreams {
  readonly #clock: Clock
  readonly #open = new Set<AbortController>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `over`: also ends it */
  open(request: FastifyRequest, reply: FastifyReply, over: AbortSignal | null): Events {
    reply.hijack()
    const { raw } = reply
    const gone = new AbortController()
    this.#open.add(gone)
    raw.on('close', () => gone.abort())
    over?.addEventListener('abort', () => gone.abort(), { once: true, signal: gone.signal })
    raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-correlation-id': request.id,
    })
    // A line that says nothing, so that no proxy takes a quiet log for a dead connection (WHATWG HTML § 9.2.7).
    let quiet = () => {}
    const breathe = () => {
      raw.write(':\n\n')
      quiet = this.#clock.at(this.#clock.now() + BREATH_MS, breathe)
    }
    breathe()
    return {
      gone: gone.signal,
      send: async (event, data, id) => {
        const place = id === undefined ? '' : `id: ${id}\n`
        const text = `${place}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
        if (gone.signal.aborted || raw.write(text)) return
        await new Promise((resolve) => raw.once('drain', resolve).once('close', resolve))
      },
      end: () => {
        quiet()
        this.#open.delete(gone)
        raw.end()
      },
    }
  }

  stop(): void {
    for (const gone of this.#open) gone.abort()
  }
}
