-- The embedded log: three tables, written by one thread and never updated.
-- Positions are given in commit order by the one writer, so no reader can see a gap that is filled later.
-- Run once, at the log's birth, in the transaction that also writes the epoch.

pragma application_id = 1751215731; -- 'hans'
pragma user_version = 1;

-- One row: the log's identity.
create table log (
  epoch text not null
) strict;

create table streams (
  id   integer primary key,
  name text    not null unique
) strict;

create table facts (
  position integer primary key,
  stream   integer not null references streams (id),
  revision integer not null,
  id       text    not null,
  type     text    not null,
  v        integer not null,
  data     text    not null,
  metadata text    not null
) strict;

-- A stream forwards and backwards; also the last guard against two facts at one place.
create unique index facts_by_stream on facts (stream, revision);

-- Rare types without reading what lies between.
create index facts_by_type on facts (type, position);
