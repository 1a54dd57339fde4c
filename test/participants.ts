// Clients of a test, which leave together.

import { IoParticipant, type Participant, WsParticipant } from './dialogue-people.ts'

/** They are told of every event. */
const ALL = { has: () => true } as unknown as ReadonlySet<string>

export const participants = (url: () => string) => {
  const people: Participant[] = []
  const here = async <P extends Participant>(connecting: Promise<P>): Promise<P> => {
    const participant = await connecting
    people.push(participant)
    return participant
  }
  return {
    people,
    io: () => here(IoParticipant.connect(url(), ALL)),
    ws: (path: string) => here(WsParticipant.connect(`${url().replace('http', 'ws')}${path}`, ALL)),
  }
}
