// A frame as a part of a step, with what varies and what is secret in it replaced.

import type { FrameIn, FrameOut, OpenedIn } from '../dialects/dialect.ts'
import { type Known, sent, told } from './placeholders.ts'

/** No credential fits in fewer characters; the admin's token is at least as long. */
const SHORTEST_SECRET = 32

export const sentFrame = async (frame: Exclude<FrameIn, OpenedIn>, known: Known): Promise<object> => {
  if ('event' in frame) {
    await known.secrets.learn(frame.args)
    const ev = [frame.event, ...(sent(frame.args, known) as unknown[])]
    return { ev, ...(frame.ack === null ? {} : { ack: `${frame.ack}` }) }
  }
  if (frame.text === null) return { binary: '00' }
  const value = parsed(frame.text)
  // What cannot be read might be escaped in any way, and is as unreadable with other letters in it.
  if (!value) return { text: frame.text.length < SHORTEST_SECRET ? frame.text : 'x'.repeat(frame.text.length) }
  await known.secrets.learn(value.json)
  return { msg: sent(value.json, known) }
}

export const toldFrame = async (frame: FrameOut, known: Known, zlib: boolean): Promise<object> => {
  const shown = 'json' in frame ? frame.json : frame.args
  await known.secrets.learn(shown)
  const value = told(shown, known)
  if ('event' in frame) return { ev: [frame.event, ...(value as unknown[])] }
  return 'ack' in frame ? { ack: `${frame.ack}`, args: value } : { [zlib ? 'zframe' : 'msg']: value }
}

const parsed = (text: string): { readonly json: unknown } | null => {
  try {
    return { json: JSON.parse(text) }
  } catch {
    return null
  }
}
