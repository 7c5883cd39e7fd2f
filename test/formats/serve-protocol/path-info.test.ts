import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../../../src/errors.ts';
import { parseContentAddress } from '../../../src/formats/content-address.ts';
import { parseHash } from '../../../src/formats/hash.ts';
import type { PathInfo } from '../../../src/formats/path-info.ts';
import {
  readServePathInfos,
  writeAddedPathInfo,
  writeServePathInfo,
} from '../../../src/formats/serve-protocol/path-info.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../../src/formats/store-path.ts';
import { WireWriter } from '../../../src/formats/wire/write.ts';
import { feed, readsAs, wire } from '../../support/wire.ts';

const S = '/nix/store/';
const BAR = 'g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar';
const FOO = 'n5wkd9frr45pa74if5gpz9j7mifg27fh-foo';
const NIX32 = 'sha256:09ymwqf5i9q7d4dm7x4pjjcqqj0qrcp5lnznbh42gfsci5hcbqqm';
const HEX = '15e3c560894cbb27085cf65b5a2ecb18488c999497f4531b6907a7581ce6d527';
const CA = 'fixed:r:sha256:1lr187v6dck1rjh2j6svpikcfz53wyl3qrlcbb405zlh13x0khhh';

const INFO: PathInfo = {
  path: parseBaseName(FOO),
  narHash: parseHash(NIX32),
  narSize: 34878,
  references: [parseBaseName(BAR), parseBaseName(FOO)],
  deriver: parseBaseName(`${BAR}.drv`),
  signatures: ['fake-sig-1:AAAA', 'fake-sig-2:AAAA'],
  contentAddress: parseContentAddress(CA),
};

/** NixOS/nix 2.35, src/libstore-tests/data/serve-protocol/unkeyed-valid-path-info-2.4, signatures shortened. */
const TOKENS = [
  ...[`${S}${BAR}.drv`, 2, S + BAR, S + FOO, 34878, 34878, NIX32, CA],
  ...[2, 'fake-sig-1:AAAA', 'fake-sig-2:AAAA'],
];

test('infos are read up to an empty path', () => {
  const plain = [S + BAR, '', 0, 5, 5, NIX32, '', 0];
  readsAs(() => readServePathInfos(DEFAULT_STORE_DIR), wire(S + FOO, ...TOKENS, ...plain, ''), [
    INFO,
    {
      path: parseBaseName(BAR),
      narHash: parseHash(NIX32),
      narSize: 5,
      references: [],
      deriver: undefined,
      signatures: [],
      contentAddress: undefined,
    },
  ]);
  readsAs(() => readServePathInfos(DEFAULT_STORE_DIR), wire(''), []);
});

test('an info is written as Nix reads it', () => {
  const writer = new WireWriter();
  writeServePathInfo(writer, DEFAULT_STORE_DIR, INFO);
  assert.deepEqual(writer.finish(), wire(...TOKENS));
});

/** NixOS/nix 2.35 libstore/legacy-ssh-store.cc, addToStore. */
test('what is added is described in another way', () => {
  const writer = new WireWriter();
  writeAddedPathInfo(writer, DEFAULT_STORE_DIR, INFO);
  const expected = [S + FOO, `${S}${BAR}.drv`, HEX, 2, S + BAR, S + FOO, 0, 34878, 0];
  assert.deepEqual(writer.finish(), wire(...expected, 2, 'fake-sig-1:AAAA', 'fake-sig-2:AAAA', CA));
});

test('an info may not be without a hash', () => {
  const bytes = wire(S + BAR, '', 0, 5, 5, '', '', 0, '');
  assert.throws(() => feed(readServePathInfos(DEFAULT_STORE_DIR), bytes), FormatError);
});
