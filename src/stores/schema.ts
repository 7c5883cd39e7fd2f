/**
 * The database of a Nix local store: schema 10, in the form that Nix 2.35 gives a new store.
 *
 * Older versions of Nix make one more index, IndexReferrer, that the primary key of Refs makes needless. Nix 2.35 drops
 * it, alone with the store, and records that in SchemaMigrations. A store that is made without it and with the record
 * is one that every version from 2.8 on opens at once, while this program has it open too.
 *
 * Source: Nix 2.35 libstore/schema.sql, local-store.cc.
 */

/** What the file `db/schema` says. It has not changed since Nix 2.0. */
export const SCHEMA_VERSION = '10';

/** Makes the tables where they are missing. */
export const SCHEMA = `
  create table if not exists ValidPaths (
    id integer primary key autoincrement not null,
    path text unique not null,
    hash text not null, -- of the NAR: sha256:HEX
    registrationTime integer not null,
    deriver text,
    narSize integer, -- null: unknown
    ultimate integer, -- null: false
    sigs text, -- separated by spaces
    ca text
  );

  create table if not exists Refs (
    referrer integer not null,
    reference integer not null,
    primary key (referrer, reference),
    foreign key (referrer) references ValidPaths(id) on delete cascade,
    foreign key (reference) references ValidPaths(id) on delete restrict
  );
  create index if not exists IndexReference on Refs(reference);

  -- A path that refers to itself could not be deleted otherwise.
  create trigger if not exists DeleteSelfRefs before delete on ValidPaths
    begin
      delete from Refs where referrer = old.id and reference = old.id;
    end;

  create table if not exists DerivationOutputs (
    drv integer not null,
    id text not null, -- name of the output
    path text not null,
    primary key (drv, id),
    foreign key (drv) references ValidPaths(id) on delete cascade
  );
  create index if not exists IndexDerivationOutputs on DerivationOutputs(path);

  create table if not exists SchemaMigrations (migration text primary key not null);
  insert or ignore into SchemaMigrations values ('20260309-drop-redundant-indexreferrer');
`;
