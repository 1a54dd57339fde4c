import type { Filter, Recorded } from './event-log.ts'

export const matches = (filter: Filter | undefined, { type, stream }: Pick<Recorded, 'type' | 'stream'>): boolean =>
  (!filter?.types || filter.types.includes(type)) &&
  (!filter?.streamPrefixes || filter.streamPrefixes.some((prefix) => stream.startsWith(prefix)))
