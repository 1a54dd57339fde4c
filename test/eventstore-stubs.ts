// The generated messages and services that one of the clients brings. The two must not be loaded in one process: see
// event-log.kurrentdb.long.test.ts. What is used of them here is the same in both.

import { createRequire } from 'node:module'
import type * as Gossip from '@eventstore/db-client/generated/gossip_pb.js'
import type * as Features from '@eventstore/db-client/generated/serverfeatures_pb.js'
import type * as Shared from '@eventstore/db-client/generated/shared_pb.js'
import type * as Streams from '@eventstore/db-client/generated/streams_pb.js'
import type { ServiceDefinition } from '@grpc/grpc-js'

export type Scheme = 'esdb' | 'kurrentdb'

const folders = {
  esdb: '@eventstore/db-client/generated',
  kurrentdb: '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1',
} as const

export interface Stubs {
  readonly gossip: typeof Gossip
  readonly features: typeof Features
  readonly shared: typeof Shared
  readonly streams: typeof Streams
  readonly services: Readonly<Record<'streams' | 'features' | 'gossip', ServiceDefinition>>
}

export const loadStubs = (scheme: Scheme): Stubs => {
  const require = createRequire(import.meta.url)
  const load = (file: string) => require(`${folders[scheme]}/${file}_pb.js`)
  return {
    gossip: load('gossip'),
    features: load('serverfeatures'),
    shared: load('shared'),
    streams: load('streams'),
    services: {
      streams: load('streams_grpc').StreamsService,
      features: load('serverfeatures_grpc').ServerFeaturesService,
      gossip: load('gossip_grpc').GossipService,
    },
  }
}
