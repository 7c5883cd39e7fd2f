/**
 * The tables of the file in which narinfos are remembered. Its name has their version: another version is another file.
 *
 * Source: the idea is that of Nix 2.35 libstore/nar-info-disk-cache.cc.
 */

/** What `pragma user_version` says of a file with these tables. */
export const VERSION = 1;

/**
 * Times are in milliseconds since 1970. A narinfo is kept as the cache spelled it; `text` is null where the cache does
 * not have the path. Rows get their ids in the order in which they come, and a row that is replaced a new one: the
 * smallest ids are the oldest knowledge.
 */
export const SCHEMA: string = `
create table Caches (
  id integer primary key,
  url text not null,
  storeDir text not null,
  timestamp integer,
  wantMassQuery integer,
  priority integer,
  unique (url, storeDir)
);
create table NarInfos (
  id integer primary key,
  cache integer not null references Caches (id) on delete cascade,
  hashPart text not null,
  timestamp integer not null,
  text text,
  unique (cache, hashPart)
);
create index NarInfosByAge on NarInfos (text is null, timestamp);
create table LastPurge (id integer primary key check (id = 1), timestamp integer not null);
pragma user_version = ${VERSION};
`;
