// Server-sent events (WHATWG HTML § 9.2), each with a position as its id, so that a reader resumes where it was.

import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../actors/ports.ts'
import { malformed } from './problem.ts'

const BREATH_MS = 15_000

/** A HEAD has no body to come. */
export const wantsEvents = ({ method, headers }: FastifyRequest): boolean =>
  method === 'GET' && /\btext\/event-stream\b/i.test(headers.accept ?? '')

/** Events go on without end. */
export const notOfEvents = malformed('at', 'of pages only; events go on from `from` or Last-Event-ID')

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
  open(request: FastifyRequest, reply: FastifyReply, over: AbortSignal): Events {
    reply.hijack()
    const { raw } = reply
    const gone = new AbortController()
    this.#open.add(gone)
    raw.on('close', () => gone.abort())
    over.addEventListener('abort', () => gone.abort(), { once: true, signal: gone.signal })
    raw.writeHead(200, {
      // What was set until now: which origin may listen.
      ...(reply.getHeaders() as OutgoingHttpHeaders),
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
