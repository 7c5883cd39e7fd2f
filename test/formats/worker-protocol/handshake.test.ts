import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../../src/errors.ts';
import {
  readDaemonInfo,
  readFeatures,
  readHello,
  writeFeatures,
  writeHello,
} from '../../../src/formats/worker-protocol/handshake.ts';
import { feed, readsAs, wire } from '../../support/wire.ts';

const CLIENT = 0x6e697863;
const SERVER = 0x6478696f;
const FEATURE = 'realisation-with-path-not-hash';
const NONE: ReadonlySet<string> = new Set();

/** After NixOS/nix 2.35 libstore/worker-protocol-connection.cc and src/libstore-tests/data/worker-protocol. */
describe('a handshake', () => {
  test('begins with who speaks, and which version', () => {
    assert.deepEqual(writeHello(), wire(CLIENT, 0x126));
  });

  for (const [theirs, minor] of [
    [0x117, 23],
    [0x122, 34],
    [0x126, 38],
    [0x127, 38],
  ] as const) {
    test(`agrees with 0x${theirs.toString(16)} on 1.${minor}`, () => readsAs(readHello, wire(SERVER, theirs), minor));
  }

  for (const [why, bytes] of [
    ['another protocol', wire(0x5452eecb, 0x207)],
    ['an HTTP server', Buffer.from('HTTP/1.1 400 Bad Request')],
    ['a version that is too old', wire(SERVER, 0x116)],
    ['another major version', wire(SERVER, 0x226)],
  ] as const) {
    test(`rejects ${why}`, () => assert.throws(() => feed(readHello(), bytes), FormatError));
  }

  test('exchanges features from 1.38 on', () => {
    assert.deepEqual(writeFeatures(37), wire(0, 0));
    assert.deepEqual(writeFeatures(38), wire(1, FEATURE, 0, 0));
    assert.deepEqual(feed(readFeatures(37)), { minor: 37, features: NONE });
    const theirs = wire(2, 'delete-dead-specific-referrers', FEATURE);
    readsAs(() => readFeatures(38), theirs, { minor: 38, features: new Set([FEATURE]) });
  });

  /** client-handshake-info_1_30, _1_33 and _1_35 of these data. */
  test('tells who the daemon is, and whether it trusts us', () => {
    const read = (minor: number) => () => readDaemonInfo({ minor, features: NONE });
    assert.deepEqual(feed(read(30)()), { nixVersion: undefined, trustsUs: undefined });
    readsAs(read(33), wire('foo'), { nixVersion: 'foo', trustsUs: undefined });
    readsAs(read(35), wire('foo', 1), { nixVersion: 'foo', trustsUs: true });
    readsAs(read(35), wire('foo', 2), { nixVersion: 'foo', trustsUs: false });
    readsAs(read(35), wire('foo', 0), { nixVersion: 'foo', trustsUs: undefined });
    assert.throws(() => feed(read(35)(), wire('foo', 3)), FormatError);
  });
});
