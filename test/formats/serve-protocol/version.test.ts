import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../../../src/errors.ts';
import { readServeHello, writeServeHello } from '../../../src/formats/serve-protocol/version.ts';
import { feed, readsAs, wire } from '../../support/wire.ts';

const SERVER = 0x5452eecb;

/** After NixOS/nix 2.35 libstore/serve-protocol-connection.cc, handshake. */
test('a connection begins with who speaks, and which version', () => {
  assert.deepEqual(writeServeHello(), wire(0x390c9deb, 0x208));
  readsAs(readServeHello, wire(SERVER, 0x207), 7);
  readsAs(readServeHello, wire(SERVER, 0x20a), 8);
});

for (const [why, bytes] of [
  ['a daemon', wire(0x6478696f, 0x122)],
  ['a shell that greets', Buffer.from('Welcome to the machine\n\n')],
  ['a version that is too old', wire(SERVER, 0x204)],
  ['another major version', wire(SERVER, 0x307)],
] as const) {
  test(`${why} is not taken for nix-store --serve`, () => {
    assert.throws(() => feed(readServeHello(), bytes), FormatError);
  });
}
