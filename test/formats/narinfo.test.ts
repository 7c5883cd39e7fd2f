import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import { contentAddressedPath, parseContentAddress } from '../../src/formats/content-address.ts';
import { hashBytes, parseHash } from '../../src/formats/hash.ts';
import {
  isNarInfo,
  MAX_NARINFO_SIZE,
  type NarInfo,
  parseNarInfo,
  printNarInfo,
  toNarInfoJson,
} from '../../src/formats/narinfo.ts';
import { PATH_INFO_JSON_FORMATS } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, parseBaseName, parseStoreDir } from '../../src/formats/store-path.ts';
import { anyNarInfo, anyStoreDir } from '../support/arbitraries.ts';
import { needsVectors, readJsonVector } from '../support/vectors.ts';

const STORE_DIR = parseStoreDir('/example/store');

/** From `nix copy --to file://…` of Nix 2.8, with NIX_STORE_DIR=/example/store: two signatures, a reference to itself. */
const BUILT = `StorePath: /example/store/nx7j45md84wdwzmrqdi9dqf6b870y864-self
URL: nar/08cqx3sgv5dv2jgwi5yibl26f9a9h7v1hgb0z8a9w6qqd3p5xm71.nar.xz
Compression: xz
FileHash: sha256:08cqx3sgv5dv2jgwi5yibl26f9a9h7v1hgb0z8a9w6qqd3p5xm71
FileSize: 212
NarHash: sha256:1l3l80l1ippri2wlda2pkzsmdh55253ixsbz5rvw4zljc712v434
NarSize: 224
References: 0cyh8wbx28yl62dpy5wpf1bk8bnk9v5x-dep nx7j45md84wdwzmrqdi9dqf6b870y864-self
Deriver: mp8cpjq5g06g1jfv3h8vm9pg5n2j5bax-self.drv
Sig: example-1:+xGHZCoigkxTyANqrvOr2sUKPxWAlakD68vJufV9aoCTyj3hMv5WTRtTiJhw0ktmXUqEsT0/GuzueyZ1tSmsBQ==
Sig: example-2:94HOtwtrdkIQSBEg8oXR+7nyYhQyzKt9sUOw1Xs5b/Fph6dNeiR17B3lCN5AnexrR+Q2PNH904x8NCqq7W+YAQ==
`;
const BUILT_INFO: NarInfo = {
  path: parseBaseName('nx7j45md84wdwzmrqdi9dqf6b870y864-self'),
  url: 'nar/08cqx3sgv5dv2jgwi5yibl26f9a9h7v1hgb0z8a9w6qqd3p5xm71.nar.xz',
  compression: 'xz',
  fileHash: parseHash('sha256:08cqx3sgv5dv2jgwi5yibl26f9a9h7v1hgb0z8a9w6qqd3p5xm71'),
  fileSize: 212,
  narHash: parseHash('sha256:1l3l80l1ippri2wlda2pkzsmdh55253ixsbz5rvw4zljc712v434'),
  narSize: 224,
  references: ['0cyh8wbx28yl62dpy5wpf1bk8bnk9v5x-dep', 'nx7j45md84wdwzmrqdi9dqf6b870y864-self'].map(parseBaseName),
  deriver: parseBaseName('mp8cpjq5g06g1jfv3h8vm9pg5n2j5bax-self.drv'),
  signatures: [
    'example-1:+xGHZCoigkxTyANqrvOr2sUKPxWAlakD68vJufV9aoCTyj3hMv5WTRtTiJhw0ktmXUqEsT0/GuzueyZ1tSmsBQ==',
    'example-2:94HOtwtrdkIQSBEg8oXR+7nyYhQyzKt9sUOw1Xs5b/Fph6dNeiR17B3lCN5AnexrR+Q2PNH904x8NCqq7W+YAQ==',
  ],
  contentAddress: undefined,
};

/** From the same, after `nix store make-content-addressed`: no references, no deriver, a content address. */
const ADDRESSED = `StorePath: /example/store/61rlszfqja38z9m5dsmnpkxccqb6y871-dep
URL: nar/1xsjkazpfgyyy38br89kz2plvdb4dkqcjl5mh0n2py3ndf0sc48j.nar.xz
Compression: xz
FileHash: sha256:1xsjkazpfgyyy38br89kz2plvdb4dkqcjl5mh0n2py3ndf0sc48j
FileSize: 128
NarHash: sha256:00kjynz8n03652qccs76ivsvark3pr3dfr6w1ba3x7bx83kcknvv
NarSize: 120
References: 
Sig: example-1:r1NaRU5EX8fnXbCfLMdAUYbdjGQw8adNiOa/j4iFrO7/l+7CugNPcOrVXXUDd6jPgT8sXPjGYNZNBi4yR5V/CA==
CA: fixed:r:sha256:00kjynz8n03652qccs76ivsvark3pr3dfr6w1ba3x7bx83kcknvv
`;

const parse = (text: string): NarInfo => parseNarInfo(STORE_DIR, text);

/** {@link BUILT} with the value of one field replaced, or with the whole line taken away. */
function change(field: string, value: string | undefined): string {
  return BUILT.replace(new RegExp(`^${field}: .*\n`, 'm'), value === undefined ? '' : `${field}: ${value}\n`);
}

/** Where the line of a field starts. */
const lineOf = (field: string): number => BUILT.indexOf(`${field}: `);

describe('a narinfo', () => {
  test('by Nix is read in all its fields', () => assert.deepEqual(parse(BUILT), BUILT_INFO));

  test('by Nix may have a content address, and no references', () => {
    const { references, deriver, contentAddress } = parse(ADDRESSED);
    assert.deepEqual(references, []);
    assert.equal(deriver, undefined);
    assert.deepEqual(
      contentAddress,
      parseContentAddress('fixed:r:sha256:00kjynz8n03652qccs76ivsvark3pr3dfr6w1ba3x7bx83kcknvv'),
    );
  });

  test('is written as Nix writes it, byte for byte', () => {
    for (const text of [BUILT, ADDRESSED]) assert.equal(printNarInfo(STORE_DIR, parse(text)), text);
  });

  const READ: [what: string, text: string, expected: Partial<NarInfo>][] = [
    ['no compression, which means bzip2', change('Compression', undefined), { compression: 'bzip2' }],
    ['an empty compression, which means bzip2', change('Compression', ''), { compression: 'bzip2' }],
    ['a compression unknown here', change('Compression', 'lrzip'), { compression: 'lrzip' }],
    ['a URL with a query', change('URL', 'nar/x.nar?a=b:c'), { url: 'nar/x.nar?a=b:c' }],
    ['a URL elsewhere', change('URL', 'https://cdn.example/x'), { url: 'https://cdn.example/x' }],
    ['no hash of the file', change('FileHash', undefined), { fileHash: undefined }],
    ['no size of the file', change('FileSize', undefined), { fileSize: undefined }],
    ['a file size of 0, which means unknown', change('FileSize', '0'), { fileSize: undefined }],
    [
      'a hash in base16',
      change('NarHash', `sha256:${Buffer.from(BUILT_INFO.narHash.digest).toString('hex')}`),
      { narHash: BUILT_INFO.narHash },
    ],
    [
      'an SRI hash',
      change('FileHash', 'sha1-9XLTlvrpIGYocU+yzgD3LpTyJY8='),
      { fileHash: hashBytes('sha1', 'hello\n') },
    ],
    ['an unknown deriver', change('Deriver', 'unknown-deriver'), { deriver: undefined }],
    ['no references', change('References', ''), { references: [] }],
    ['no references, and no space either', BUILT.replace(/References: .*/, 'References:'), { references: [] }],
    ['no field of references', change('References', undefined), { references: [] }],
    ['an empty content address', `${BUILT}CA: \n`, { contentAddress: undefined }],
    ['no signatures', BUILT.replace(/Sig: .*\n/g, ''), { signatures: [] }],
    ['unknown fields, even twice', `System: a\nSystem: b\n${BUILT}X-Y: z: 1\n`, {}],
    ['its fields in any order', BUILT.trimEnd().split('\n').sort().join('\n').concat('\n'), {}],
  ];
  for (const [what, text, expected] of READ) {
    test(`may have ${what}`, () => assert.deepEqual(parse(text), { ...BUILT_INFO, ...expected }));
  }

  test('may have its references in any order, and repeated', () => {
    const [dep, self] = BUILT_INFO.references;
    const text = change('References', `${self} ${dep}  ${self}`);
    assert.deepEqual(parse(text).references, [dep, self]);
  });

  /** Text, the field that the message names, where the line starts (if anywhere), why. */
  const REJECTED: [text: string, field: string, offset: number, why: string][] = [
    ['', 'StorePath', 0, 'nothing'],
    ['<html>\n', '<html>', 0, 'another format'],
    [BUILT.slice(0, -1), 'last line', BUILT.lastIndexOf('Sig'), 'a last line that does not end'],
    [BUILT.replace('NarSize: ', 'NarSize '), 'NarSize', lineOf('NarSize'), 'a line without a colon'],
    [BUILT.replace('NarSize: ', 'NarSize:'), 'NarSize', lineOf('NarSize'), 'no space after the colon'],
    [BUILT.replace('NarSize', '\nNarSize'), 'no field', lineOf('NarSize'), 'an empty line'],
    [change('StorePath', undefined), 'StorePath', change('StorePath', undefined).length, 'no store path'],
    [change('URL', undefined), 'URL', change('URL', undefined).length, 'no URL'],
    [change('NarHash', undefined), 'NarHash', change('NarHash', undefined).length, 'no NAR hash'],
    [change('NarSize', undefined), 'NarSize', change('NarSize', undefined).length, 'no NAR size'],
    [change('StorePath', `/nix/store/${BUILT_INFO.path}`), 'StorePath', 0, 'a path in another store directory'],
    [change('StorePath', BUILT_INFO.path), 'StorePath', 0, 'a store path without its directory'],
    [change('StorePath', `${STORE_DIR}/${BUILT_INFO.path}/bin`), 'StorePath', 0, 'a store path with more below'],
    [change('StorePath', ''), 'StorePath', 0, 'an empty store path'],
    [change('URL', ''), 'URL', lineOf('URL'), 'an empty URL'],
    [change('FileHash', 'sha256:xyz'), 'FileHash', lineOf('FileHash'), 'a bad file hash'],
    [change('FileSize', '-1'), 'FileSize', lineOf('FileSize'), 'a negative file size'],
    [change('NarHash', `${'0'.repeat(52)}`), 'NarHash', lineOf('NarHash'), 'a hash without an algorithm'],
    [change('NarHash', `sha1:${'0'.repeat(32)}`), 'NarHash', lineOf('NarHash'), 'a NAR hash other than sha256'],
    [change('NarSize', '0'), 'NarSize', lineOf('NarSize'), 'a NAR size of 0'],
    [change('NarSize', ''), 'NarSize', lineOf('NarSize'), 'an empty NAR size'],
    [change('NarSize', '12x'), 'NarSize', lineOf('NarSize'), 'a NAR size with letters'],
    [change('NarSize', '1e3'), 'NarSize', lineOf('NarSize'), 'a NAR size in powers of ten'],
    [change('NarSize', '0x10'), 'NarSize', lineOf('NarSize'), 'a NAR size in base16'],
    [change('NarSize', '1.5'), 'NarSize', lineOf('NarSize'), 'half a byte'],
    [change('NarSize', ' 1'), 'NarSize', lineOf('NarSize'), 'a NAR size after two spaces'],
    [change('NarSize', '9007199254740992'), 'NarSize', lineOf('NarSize'), 'a NAR size beyond exact numbers'],
    [change('NarSize', '9'.repeat(400)), 'NarSize', lineOf('NarSize'), 'a NAR size of 400 digits'],
    [
      change('References', `${STORE_DIR}/${BUILT_INFO.path}`),
      'References',
      lineOf('References'),
      'a full path as reference',
    ],
    [change('References', 'x'), 'References', lineOf('References'), 'a reference that is no store path'],
    [change('References', '../../etc/passwd'), 'References', lineOf('References'), 'a reference to elsewhere'],
    [change('Deriver', `${STORE_DIR}/${BUILT_INFO.deriver}`), 'Deriver', lineOf('Deriver'), 'a full path as deriver'],
    [change('Deriver', ''), 'Deriver', lineOf('Deriver'), 'an empty deriver'],
    [change('Sig', 'example-1'), 'Sig', lineOf('Sig'), 'a signature without digits'],
    [change('Sig', ':AAAA'), 'Sig', lineOf('Sig'), 'a signature without a name'],
    [`${BUILT}CA: fixed:x:sha256:0\n`, 'CA', BUILT.length, 'a bad content address'],
    [BUILT.replaceAll('\n', '\r\n'), 'StorePath', 0, 'lines that end as on Windows'],
  ];
  for (const [text, field, offset, why] of REJECTED) {
    test(`rejects ${why}`, () => {
      assert.throws(
        () => parse(text),
        (error) => {
          assert.ok(error instanceof FormatError);
          assert.equal(error.format, 'narinfo');
          assert.ok(error.message.includes(field), error.message);
          assert.ok(error.message.length < 500, error.message);
          assert.equal(error.offset, offset, error.message);
          return true;
        },
      );
    });
  }

  for (const line of BUILT.trimEnd().split('\n').concat('CA: ')) {
    const field = line.slice(0, line.indexOf(':'));
    if (field === 'Sig') continue;
    test(`rejects ${field} twice`, () => {
      const text = field === 'CA' ? `${BUILT}CA: \n` : BUILT;
      assert.throws(
        () => parse(`${text}${line}\n`),
        (error) =>
          error instanceof FormatError &&
          error.offset === text.length &&
          error.message.includes(`${field} comes twice`),
      );
    });
  }

  test('counts offsets in bytes', () => {
    const before = 'Note: drei Käse hoch – €\n';
    const wanted = Buffer.byteLength(before) + lineOf('NarSize');
    assert.throws(() => parse(before + change('NarSize', 'x')), { offset: wanted });
  });

  test('points at the line of the field, not at another that holds its name', () => {
    const before = 'NotNarSize: 1\nNote: NarSize: 1\n';
    const wanted = before.length + lineOf('NarSize');
    assert.throws(() => parse(before + change('NarSize', 'x')), { offset: wanted });
  });

  test('beyond the limit is rejected', () => {
    const room = MAX_NARINFO_SIZE - BUILT.length - 'Note: \n'.length;
    assert.deepEqual(parse(`${BUILT}Note: ${'x'.repeat(room)}\n`), BUILT_INFO);
    assert.throws(() => parse(`${BUILT}Note: ${'x'.repeat(room + 1)}\n`), { offset: MAX_NARINFO_SIZE });
  });

  test('has at most 64 signatures', () => {
    const unsigned = BUILT.replace(/Sig: .*\n/g, '');
    assert.equal(parse(unsigned + 'Sig: k:AAAA\n'.repeat(64)).signatures.length, 64);
    assert.throws(() => parse(unsigned + 'Sig: k:AAAA\n'.repeat(65)), /Sig: more than 64/);
  });

  test('is told from other path info', () => {
    const { url, compression, fileHash, fileSize, ...pathInfo } = BUILT_INFO;
    assert.ok(isNarInfo(BUILT_INFO));
    assert.ok(!isNarInfo(pathInfo));
  });

  test('is read back as printed', () => {
    fc.assert(
      fc.property(anyStoreDir, anyNarInfo, (storeDir, info) => {
        assert.deepEqual(parseNarInfo(storeDir, printNarInfo(storeDir, info)), info);
      }),
    );
  });

  test('with any piece replaced is read, or rejected at an offset inside', () => {
    const piece = fc.oneof(fc.string(), fc.constantFrom('\n', ':', ' ', '\nSig: ', '0'));
    fc.assert(
      fc.property(fc.nat(BUILT.length), fc.nat(40), piece, (start, length, middle) => {
        const text = BUILT.slice(0, start) + middle + BUILT.slice(start + length);
        try {
          parse(text);
        } catch (error) {
          assert.ok(error instanceof FormatError && error.format === 'narinfo', String(error));
          assert.ok(error.offset <= Buffer.byteLength(text));
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a narinfo has upstream's JSON", needsVectors, () => {
  /** From libstore-tests/nar-info.cc. */
  const hash = parseHash('sha256-FePFYIlMuycIXPZbWi7LGEiMmZSX9FMbaQenWBzm1Sc=');
  const contentAddress = { method: 'nar', hash: hashBytes('sha256', '(...)') } as const;
  const bar = parseBaseName('g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar');
  const path = contentAddressedPath(DEFAULT_STORE_DIR, 'foo', contentAddress, [bar], true);
  const info: NarInfo = {
    path,
    narHash: hash,
    narSize: 34878,
    references: [bar, path],
    contentAddress,
    deriver: parseBaseName('g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv'),
    registrationTime: 23423,
    ultimate: true,
    signatures: ['asdf', 'qwer'].map((name) => `${name}:${Buffer.alloc(64).toString('base64')}`),
    url: 'nar/1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3.nar.xz',
    compression: 'xz',
    fileHash: hash,
    fileSize: 4029176,
  };

  for (const format of PATH_INFO_JSON_FORMATS) {
    // What upstream calls pure is the same less what does not follow from the store object.
    for (const file of ['impure', 'pure', ...(format === 1 ? ['pure_noversion'] : [])]) {
      test(`nar-info/json-${format}/${file}.json`, async () => {
        const expected = Object(await readJsonVector(`nar-info/json-${format}/${file}.json`));
        const json = Object.entries(toNarInfoJson(DEFAULT_STORE_DIR, info, format));
        assert.deepEqual(Object.fromEntries(json.filter(([key]) => file === 'impure' || key in expected)), expected);
      });
    }
  }
});
