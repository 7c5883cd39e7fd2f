import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../../src/errors.ts';
import { parseContentAddress } from '../../../src/formats/content-address.ts';
import { parseHash } from '../../../src/formats/hash.ts';
import type { PathInfo } from '../../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../../src/formats/store-path.ts';
import { WireWriter } from '../../../src/formats/wire/write.ts';
import { readPathInfo, writePathInfo } from '../../../src/formats/worker-protocol/path-info.ts';
import { feed, readsAs, type Token, wire } from '../../support/wire.ts';

const S = '/nix/store/';
const BAR = 'g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar';
const FOO = 'g1w7hyyyy1w7hy3qg1w7hy3qgqqqqy3q-foo';
const HEX = '15e3c560894cbb27085cf65b5a2ecb18488c999497f4531b6907a7581ce6d527';
const SIGNATURES = ['fake-sig-1:AAAA', 'fake-sig-2:AAAA'];
const CA = 'fixed:r:sha256:1lr187v6dck1rjh2j6svpikcfz53wyl3qrlcbb405zlh13x0khhh';

function info(fields: Partial<PathInfo>): PathInfo {
  return {
    path: parseBaseName(BAR),
    narHash: parseHash(`sha256:${HEX}`),
    narSize: 34878,
    references: [],
    deriver: undefined,
    signatures: [],
    contentAddress: undefined,
    registrationTime: 23423,
    ultimate: false,
    ...fields,
  };
}

/** The tokens of NixOS/nix 2.35, src/libstore-tests/data/worker-protocol/valid-path-info-1.16, signatures shortened. */
const INFOS: readonly (readonly [what: string, tokens: readonly Token[], PathInfo])[] = [
  ['that was built here', [S + BAR, '', HEX, 0, 23423, 34878, 1, 0, ''], info({ ultimate: true })],
  [
    'with references and signatures',
    [S + BAR, `${S}${BAR}.drv`, HEX, 2, S + BAR, S + FOO, 23423, 34878, 0, 2, ...SIGNATURES, ''],
    info({
      deriver: parseBaseName(`${BAR}.drv`),
      references: [parseBaseName(BAR), parseBaseName(FOO)],
      signatures: SIGNATURES,
    }),
  ],
  [
    'with a content address',
    [S + BAR, '', HEX, 0, 23423, 34878, 0, 0, CA],
    info({ contentAddress: parseContentAddress(CA) }),
  ],
];

describe('a path info', () => {
  for (const [what, tokens, expected] of INFOS) {
    test(`${what} is read and written`, () => {
      readsAs(() => readPathInfo(DEFAULT_STORE_DIR), wire(...tokens), expected);
      const writer = new WireWriter();
      writePathInfo(writer, DEFAULT_STORE_DIR, expected);
      assert.deepEqual(writer.finish(), wire(...tokens));
    });
  }

  for (const [why, tokens] of [
    ['a path elsewhere', [`/tmp/${BAR}`, '', HEX, 0, 0, 1, 0, 0, '']],
    ['a hash of the wrong length', [S + BAR, '', HEX.slice(2), 0, 0, 1, 0, 0, '']],
    ['a reference that is no path', [S + BAR, '', HEX, 1, `${S}../${BAR}`, 0, 1, 0, 0, '']],
    ['a size that is not exact', [S + BAR, '', HEX, 0, 0, 2n ** 60n, 0, 0, '']],
    ['a content address that is none', [S + BAR, '', HEX, 0, 0, 1, 0, 0, 'x']],
    ['endless references', [S + BAR, '', HEX, 2n ** 50n]],
  ] as const) {
    test(`may not have ${why}`, () => {
      assert.throws(() => feed(readPathInfo(DEFAULT_STORE_DIR), wire(...tokens)), FormatError);
    });
  }
});
