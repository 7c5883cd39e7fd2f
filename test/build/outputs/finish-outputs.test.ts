import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { hashBytes, printHash } from '../../../src/formats/hash.ts';
import { hashPart, type StorePath } from '../../../src/formats/store-path.ts';
import type { BuiltOutput } from '../../../src/pool/messages.ts';
import { dumpNar } from '../../../src/stores/nar-fs.ts';
import { BuiltOutputs, failsWith, inventedPath } from '../../support/built-outputs.ts';
import { collect } from '../../support/store-objects.ts';

const store = (path: StorePath): string => `/nix/store/${path}`;

async function narOf(output: BuiltOutput): Promise<Buffer> {
  return await collect((sink) => dumpNar(output.location!, sink));
}

describe('finishing outputs', () => {
  test('a tree becomes a store object: hash, size, references, deriver, and canonical metadata', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    const out = built.location();
    mkdirSync(join(out, 'bin'), { recursive: true });
    writeFileSync(join(out, 'bin/run'), `#!${store(built.input)}/bin/sh\n`, { mode: 0o755 });
    writeFileSync(join(out, 'self'), store(built.path()), { mode: 0o640 });
    writeFileSync(join(out, 'setuid'), 'x', { mode: 0o755 });
    chmodSync(join(out, 'setuid'), 0o6755);
    writeFileSync(join(out, 'other'), store(inventedPath('other')));
    symlinkSync('../nowhere', join(out, 'bin/link'));
    utimesSync(join(out, 'other'), 5_000, 5_000);

    const [output, ...rest] = await built.finish();

    assert.deepEqual(rest, []);
    const nar = await narOf(output!);
    assert.deepEqual(output!.info, {
      path: built.path(),
      narHash: hashBytes('sha256', nar),
      narSize: nar.length,
      references: [built.input, built.path()].sort(),
      deriver: built.drvPath,
      signatures: [],
      contentAddress: undefined,
      ultimate: true,
    });
    const seen = ['', 'bin', 'bin/run', 'bin/link', 'self', 'setuid', 'other'].map((name) => {
      const stats = lstatSync(join(out, name));
      return [name, stats.isSymbolicLink() ? 'link' : (stats.mode & 0o7777).toString(8), stats.mtimeMs];
    });
    assert.deepEqual(seen, [
      ['', '555', 1000],
      ['bin', '555', 1000],
      ['bin/run', '555', 1000],
      ['bin/link', 'link', 1000],
      ['self', '444', 1000],
      ['setuid', '555', 1000],
      ['other', '444', 1000],
    ]);
  });

  test('a file and a symlink can be outputs, too', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources, 'out', 'link');
    writeFileSync(built.location(), 'text');
    symlinkSync(store(built.path()), built.location('link'));
    const outputs = await built.finish();
    assert.deepEqual(
      outputs.map(({ name, info }) => [name, info.references]),
      [
        ['out', []],
        ['link', [built.path()]],
      ],
    );
  });

  test('references are found wherever chunks end', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    const chunk = 128 * 1024;
    for (const shift of [-40, -33, -32, -31, -16, -1, 0, 1]) {
      const bytes = Buffer.alloc(2 * chunk, '\n');
      bytes.write(hashPart(built.input), chunk + shift - 96);
      writeFileSync(built.location(), bytes);
      const [output] = await built.finish();
      assert.deepEqual(output!.info.references, [built.input], String(shift));
      chmodSync(built.location(), 0o644);
    }
  });

  test('hash parts are replaced in contents, names and targets, and the names sorted again', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    const scratch = inventedPath('scratch');
    const rewrites = new Map([[hashPart(scratch), hashPart(built.path())]]);
    const out = built.location();
    mkdirSync(out);
    const big = Buffer.alloc(400_000, 'x');
    for (const at of [0, 131_060, 262_140]) big.write(hashPart(scratch), at);
    writeFileSync(join(out, 'big'), big);
    writeFileSync(join(out, hashPart(scratch)), 'named');
    for (const name of ['0', '9', 'a', 'z']) writeFileSync(join(out, name), name, { mode: 0o755 });
    symlinkSync(store(scratch), join(out, 'link'));

    const [output] = await built.finish({ input: { rewrites } });

    assert.equal(output!.location, out);
    assert.deepEqual(output!.info.references, [built.path()]);
    assert.deepEqual(output!.info.narHash, hashBytes('sha256', await narOf(output!)));
    assert.equal(readFileSync(join(out, hashPart(built.path())), 'utf8'), 'named');
    assert.equal(readlinkSync(join(out, 'link')).slice(0, 43), store(built.path()).slice(0, 43));
    const text = readFileSync(join(out, 'big'), 'latin1');
    assert.equal(text.split(hashPart(built.path())).length, 4);
    assert.equal(text.includes(hashPart(scratch)), false);
    assert.equal(lstatSync(join(out, 'z')).mode & 0o777, 0o555);
    assert.equal(existsSync(`${out}.copy`), false);
  });

  test('outputs come after those that they refer to', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources, 'bin', 'dev', 'lib');
    writeFileSync(built.location('bin'), store(built.path('lib')));
    writeFileSync(built.location('dev'), `${store(built.path('bin'))} ${store(built.path('lib'))}`);
    writeFileSync(built.location('lib'), store(built.path('lib')));
    const outputs = await built.finish();
    assert.deepEqual(
      outputs.map(({ name }) => name),
      ['lib', 'bin', 'dev'],
    );
  });

  test('outputs that refer to each other in a circle are refused, with the files that do', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources, 'dev', 'out');
    mkdirSync(join(built.location('out'), 'lib'), { recursive: true });
    writeFileSync(join(built.location('out'), 'lib/x.pc'), store(built.path('dev')));
    writeFileSync(built.location('dev'), store(built.path('out')));
    await assert.rejects(
      built.finish(),
      failsWith(
        'outputRejected',
        /cycle detected in build of '.*-test\.drv': output 'dev' refers to 'out' in '.*-test-dev'; output 'out' refers to 'dev' in '.*-test\/lib\/x\.pc'/,
      ),
    );
  });

  test('an output that is missing is named', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources, 'doc');
    await assert.rejects(
      built.finish(),
      failsWith(
        'outputRejected',
        /builder for '\/nix\/store\/.*-test\.drv' failed to produce output path '.*-test-doc'/,
      ),
    );
  });

  test('references are discarded where the derivation says so', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    writeFileSync(built.location(), store(built.input));
    const env = { __json: JSON.stringify({ unsafeDiscardReferences: { out: true } }) };
    const [output] = await built.finish({ env });
    assert.deepEqual(output!.info.references, []);
    assert.match(built.messages.join(), /references of output 'out' .* are discarded/);
  });

  test('equal files become links of the store with auto-optimise-store, within the build too', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    mkdirSync(built.location());
    for (const name of ['a', 'b']) writeFileSync(join(built.location(), name), 'same');
    const [output] = await built.finish({ settings: { autoOptimiseStore: true } });
    const [a, b, top] = ['a', 'b', ''].map((name) => lstatSync(join(output!.location!, name)));
    assert.equal(a!.ino, b!.ino);
    assert.equal(a!.nlink, 3);
    assert.equal(top!.mtimeMs, 1000);
  });

  test('hard links between files of the build are taken', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources, 'out', 'dev');
    writeFileSync(built.location(), 'text');
    linkSync(built.location(), built.location('dev'));
    const outputs = await built.finish();
    assert.equal(lstatSync(outputs[0]!.location!).ino, lstatSync(outputs[1]!.location!).ino);
  });

  test('other jobs of the thread have their turns meanwhile', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    writeFileSync(built.location(), Buffer.alloc(64 * 1024 * 1024));
    let turns = 0;
    using timer = setInterval(() => turns++, 1);
    await built.finish();
    timer.unref();
    assert.ok(turns > 2, String(turns));
  });

  test('ends where it is cancelled, in the middle of a file', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    writeFileSync(built.location(), Buffer.alloc(64 * 1024 * 1024));
    const controller = new AbortController();
    setImmediate(() => controller.abort());
    await assert.rejects(built.finish({ input: { signal: controller.signal } }), { name: 'AbortError' });
  });
});

const TEXT = 'the contents';
const GOT = printHash(hashBytes('sha256', TEXT), 'sri');

describe('finishing fixed outputs', () => {
  test('one that is what it should be says so in its info, and is a copy that nobody else can write to', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    writeFileSync(built.location(), TEXT);
    const { ino } = lstatSync(built.location());
    const fixed = { method: 'flat', hash: hashBytes('sha512', TEXT) } as const;
    const [output] = await built.finish({ fixed });
    assert.deepEqual(output!.info.contentAddress, fixed);
    assert.notEqual(lstatSync(output!.location!).ino, ino);
    assert.equal(readFileSync(output!.location!, 'utf8'), TEXT);
  });

  test('one of a builder that is built in is not copied', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    writeFileSync(built.location(), TEXT);
    const { ino } = lstatSync(built.location());
    const [output] = await built.finish({
      builder: 'builtin:fetchurl',
      fixed: { method: 'flat', hash: hashBytes('sha256', TEXT) },
    });
    assert.equal(lstatSync(output!.location!).ino, ino);
  });

  for (const algorithm of ['sha256', 'sha1'] as const) {
    test(`a tree is hashed as its NAR, with ${algorithm}`, async () => {
      await using resources = new AsyncDisposableStack();
      const built = await BuiltOutputs.open(resources);
      mkdirSync(built.location());
      writeFileSync(join(built.location(), 'file'), TEXT);
      const nar = await collect((sink) => dumpNar(built.location(), sink));
      const hash = { algorithm, digest: new Uint8Array(createHash(algorithm).update(nar).digest()) };
      const [output] = await built.finish({ fixed: { method: 'nar', hash } });
      assert.equal(output!.info.narSize, nar.length);
    });
  }

  test('another hash is told beside the one that was wanted', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    writeFileSync(built.location(), TEXT);
    const fixed = { method: 'flat', hash: hashBytes('sha256', 'something else') } as const;
    await assert.rejects(
      built.finish({ fixed }),
      (error: Error) =>
        failsWith('hashMismatch', /^hash mismatch in fixed-output derivation '.*-test\.drv':/)(error) &&
        error.message.includes(`specified: ${printHash(fixed.hash, 'sri')}`) &&
        error.message.includes(`got:    ${GOT}`),
    );
  });

  const flat = { method: 'flat', hash: hashBytes('sha256', TEXT) } as const;
  const REFUSED = [
    ['a directory', (path: string) => mkdirSync(path)],
    ['an executable file', (path: string) => writeFileSync(path, TEXT, { mode: 0o755 })],
    ['a symlink', (path: string) => symlinkSync('x', path)],
  ] as const;
  for (const [what, make] of REFUSED) {
    test(`a flat one is no ${what.replace(/^an? /, '')}`, async () => {
      await using resources = new AsyncDisposableStack();
      const built = await BuiltOutputs.open(resources);
      make(built.location());
      await assert.rejects(
        built.finish({ fixed: flat }),
        failsWith('outputRejected', /should be a non-executable regular file/),
      );
    });
  }

  test('it may not refer to store paths', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    const text = `see ${store(built.input)}`;
    writeFileSync(built.location(), text);
    await assert.rejects(
      built.finish({ fixed: { method: 'flat', hash: hashBytes('sha256', text) } }),
      failsWith('outputRejected', /must not refer to store paths: .* such as '\/nix\/store\/.*-input'/),
    );
  });
});
