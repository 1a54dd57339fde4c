import { idOf, type ProjectedFact, type Projection } from './projection.ts'

/** Where in its room's stream a message was changed, taken down or shown again. What these facts say is in the log. */
export const messageActs: Projection = {
  name: 'message-acts',
  version: 1,
  tables: `
    create table message_acts (
      room text not null, id integer not null, revision integer not null, position integer not null,
      primary key (room, id, revision)
    ) without rowid;`,
  prepare(db) {
    const insert = db.prepare('insert into message_acts values (?, ?, ?, ?)')
    const note = ({ stream, revision, position, data }: ProjectedFact) => {
      insert.run(idOf(stream), data.id, revision, position)
    }
    return { MessageEdited: note, MessageRemoved: note, MessageRestored: note }
  },
}
