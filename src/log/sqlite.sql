-- The embedded log. Positions are assigned in commit order by the one writer, so no gap can ever be filled later.

create table if not exists log (
  epoch text not null
);

create table if not exists streams (
  id   integer primary key,
  name text not null unique
);

create table if not exists facts (
  position integer primary key,
  stream   integer not null references streams (id),
  revision integer not null,
  id       text    not null,
  type     text    not null,
  v        integer not null,
  data     text    not null,
  metadata text    not null
);

create unique index if not exists facts_by_stream on facts (stream, revision);
create index if not exists facts_by_type on facts (type, position);
