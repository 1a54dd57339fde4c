// What the in-memory EventStoreDB of the tests says, as messages of the wire.

import type { ReadResp } from '@eventstore/db-client/generated/streams_pb.js'
import type { Outcome, StoredEvent } from './eventstore-store.ts'
import type { Stubs } from './eventstore-stubs.ts'

export class Answers {
  readonly #stubs: Stubs

  constructor(stubs: Stubs) {
    this.#stubs = stubs
  }

  /** What the clients ask for first: this server could take batches. */
  supported() {
    const { SupportedMethod, SupportedMethods } = this.#stubs.features
    const method = new SupportedMethod()
    method.setServiceName('event_store.client.streams.Streams').setMethodName('batchappend')
    return new SupportedMethods().setEventStoreServerVersion('24.10.0').setMethodsList([method])
  }

  /** This node leads a cluster of itself. */
  cluster(port: number) {
    const { ClusterInfo, EndPoint, MemberInfo } = this.#stubs.gossip
    const member = new MemberInfo().setState(MemberInfo.VNodeState.LEADER).setIsAlive(true)
    member.setHttpEndPoint(new EndPoint().setAddress('127.0.0.1').setPort(port))
    member.setInstanceId(this.#uuid('00000000-0000-4000-8000-000000000000'))
    return new ClusterInfo().setMembersList([member])
  }

  appended(outcome: Outcome, expected: number | 'any') {
    const { AppendResp } = this.#stubs.streams
    const { Empty } = this.#stubs.shared
    if ('wrong' in outcome) {
      const wrong = new AppendResp.WrongExpectedVersion()
      if (outcome.wrong.current < 0) wrong.setCurrentNoStream(new Empty())
      else wrong.setCurrentRevision(String(outcome.wrong.current))
      if (expected === -1) wrong.setExpectedNoStream(new Empty())
      else wrong.setExpectedRevision(String(expected))
      return new AppendResp().setWrongExpectedVersion(wrong)
    }
    const { lastRevision, position } = outcome.stored
    const place = new AppendResp.Position().setCommitPosition(String(position)).setPreparePosition(String(position))
    const success = new AppendResp.Success().setCurrentRevision(String(lastRevision)).setPosition(place)
    return new AppendResp().setSuccess(success)
  }

  event(event: StoredEvent, position: bigint = BigInt(event.position)): ReadResp {
    const { ReadResp } = this.#stubs.streams
    const recorded = new ReadResp.ReadEvent.RecordedEvent()
    recorded.setId(this.#uuid(event.id)).setStreamIdentifier(this.#stream(event.stream))
    recorded.setStreamRevision(String(event.revision)).setData(event.data).setCustomMetadata(event.metadata)
    recorded.setCommitPosition(String(position)).setPreparePosition(String(position))
    recorded.getMetadataMap().set('type', event.type).set('content-type', event.contentType).set('created', '0')
    const read = new ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(String(position))
    return new ReadResp().setEvent(read)
  }

  notFound(stream: string): ReadResp {
    const { ReadResp } = this.#stubs.streams
    const missing = new ReadResp.StreamNotFound().setStreamIdentifier(this.#stream(stream))
    return new ReadResp().setStreamNotFound(missing)
  }

  confirmation(): ReadResp {
    const { ReadResp } = this.#stubs.streams
    return new ReadResp().setConfirmation(new ReadResp.SubscriptionConfirmation().setSubscriptionId('s'))
  }

  caughtUp(): ReadResp {
    const { ReadResp } = this.#stubs.streams
    return new ReadResp().setCaughtUp(new ReadResp.CaughtUp())
  }

  /** Its second half is always 0 (KurrentDB issue 3989). */
  checkpoint(position: number): ReadResp {
    const { ReadResp } = this.#stubs.streams
    const mark = new ReadResp.Checkpoint().setCommitPosition(String(position)).setPreparePosition('0')
    return new ReadResp().setCheckpoint(mark)
  }

  #uuid(id: string) {
    return new this.#stubs.shared.UUID().setString(id)
  }

  #stream(name: string) {
    return new this.#stubs.shared.StreamIdentifier().setStreamName(Uint8Array.from(Buffer.from(name)))
  }
}
