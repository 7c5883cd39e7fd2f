/** What builders that are part of the program make is what those of stock Nix make, byte for byte. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hashBytes, printHash } from '../../src/formats/hash.ts';
import { BuildingNix } from '../support/building-nix.ts';
import { type Nginx, startNginx } from '../support/nginx.ts';
import { needs } from '../support/run.ts';
import { buildWithBuiltin, type RunOptions } from '../support/run-builtin.ts';
import { makeScratch } from '../support/scratch.ts';
import { bytes } from '../support/seeded.ts';

const resources = new AsyncDisposableStack();
let dir: string;
let served: string;
let nix: BuildingNix;
let server: Nginx;

/** What both make of an expression, in a form that compares. */
async function both(expression: string, options?: RunOptions): Promise<readonly unknown[]> {
  const [drv] = await nix.instantiate(expression);
  const [out] = await nix.build(expression); // first: it builds the inputs
  const ours = await buildWithBuiltin(drv!, join(dir, 'staging'), options);
  const [theirs] = JSON.parse(await nix.output('nix', 'path-info', '--json', out!)) as [
    { narHash: string; narSize: number; references: string[]; ca?: string },
  ];
  return [
    [printHash(ours.narHash, 'sri'), ours.narSize, ours.references.map((path) => `${nix.storeDir}/${path}`)],
    [theirs.narHash, theirs.narSize, theirs.references.toSorted()],
  ];
}

async function bothFail(expression: string): Promise<string> {
  await assert.rejects(nix.build(expression));
  const [drv] = await nix.instantiate(expression);
  return await buildWithBuiltin(drv!, join(dir, 'staging')).then(
    () => assert.fail('it was built'),
    (error: Error) => error.message,
  );
}

const pkg = (name: string, script: string): string => `(derivation {
  name = "${name}"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" ''export PATH=/usr/bin:/bin; mkdir -p $out; cd $out; ${script}'' ];
})`;

const buildenv = (...packages: readonly (readonly [active: boolean, priority: number, ...paths: string[]])[]): string =>
  `derivation {
    name = "env"; system = "builtin"; builder = "builtin:buildenv"; manifest = ${pkg('manifest', 'touch x')};
    derivations = [ ${packages.map(([active, priority, ...paths]) => `"${active}" ${priority} ${paths.length} ${paths.join(' ')}`).join(' ')} ];
  }`;

describe('builders that are part of the program', needs('nix-build', 'nix-instantiate', 'nix', 'nginx'), () => {
  before(async () => {
    dir = resources.use(await makeScratch(200)).path;
    served = join(dir, 'served');
    mkdirSync(served);
    nix = await BuildingNix.open(join(dir, 'nix'));
    server = resources.use(await startNginx(served, join(dir, 'nginx')));
  });
  after(() => resources.disposeAsync());

  const A = pkg('a', 'mkdir -p bin share/man; echo a > bin/a; echo a > share/man/a; echo a > .hidden; echo > log');
  const B = pkg('b', 'mkdir -p bin share/doc nix-support lib/info; echo b > bin/b; echo > lib/info/dir; echo > lib/x');
  const BIN_A = pkg('other', 'mkdir -p bin; echo other > bin/a');
  const LINKS = pkg('links', `ln -s ${'$'}{${B}}/lib lib; mkdir bin; ln -s nowhere bin/gone; ln -s ../lib/x bin/x`);
  const LIB = pkg('lib', 'mkdir lib; echo > lib/y; echo > lib/manifest.nix; echo > lib/perllocal.pod');
  const WANTS = pkg(
    'wants',
    `mkdir nix-support; echo "${'$'}{${BIN_A}} ${'$'}{${A}}" > nix-support/propagated-user-env-packages; echo w > w`,
  );
  const FILE = pkg('file', 'mkdir share; echo > share/man');
  const MAN = pkg('man', 'mkdir -p share/man; echo > share/man/b');
  const ENVIRONMENTS = {
    nothing: buildenv(),
    'one package': buildenv([true, 5, A]),
    'directories of several': buildenv([true, 5, A, B], [true, 5, LIB]),
    'packages that are not active': buildenv([true, 5, A], [false, 5, BIN_A]),
    'a file of two priorities': buildenv([true, 5, A], [true, 4, BIN_A]),
    'the same, the other way round': buildenv([true, 4, A], [true, 5, BIN_A]),
    'a package twice': buildenv([true, 5, A], [true, 5, A]),
    'symlinks to directories of others': buildenv([true, 5, LINKS], [true, 6, LIB]),
    'the same, opened in the other order': buildenv([true, 6, LINKS], [true, 5, LIB]),
    'a file beside the link to a directory that is to be preferred': buildenv([true, 5, A, B], [true, 6, FILE]),
    'packages that want others': buildenv([true, 5, WANTS]),
    'a package that is a file': buildenv([true, 5, A, '(builtins.toFile "x" "x")']),
  };
  for (const [what, expression] of Object.entries(ENVIRONMENTS)) {
    test(`make the same user environment of ${what}`, async () => {
      const [ours, theirs] = await both(expression);
      assert.deepEqual(ours, theirs);
    });
  }

  test('refuse a user environment with two files of one priority, by name', async () => {
    const message = await bothFail(buildenv([true, 5, A], [true, 5, BIN_A]));
    assert.match(
      message,
      /conflict for the following files:\n\n {2}\S+-(a|other)\/bin\/a\n {2}\S+-(?!\1)(?:a|other)\/bin\/a\n/,
    );
  });

  test('refuse a user environment of a file where another has a directory', async () => {
    assert.match(
      await bothFail(buildenv([true, 5, A, MAN], [true, 6, FILE])),
      /collision between non-directory .* and directory/,
    );
    assert.match(await bothFail(buildenv([true, 5, FILE], [true, 6, A])), /collision between .* and non-directory/);
  });

  const fetchurl = (attributes: string): string => `import <nix/fetchurl.nix> { ${attributes} }`;
  const CONTENTS = Buffer.from(bytes(300_000, { seed: 5 }));
  const sri = printHash(hashBytes('sha256', CONTENTS), 'sri');

  test('download the same file', async () => {
    writeFileSync(join(served, 'file.bin'), CONTENTS);
    const [ours, theirs] = await both(fetchurl(`url = "${server.url}/file.bin"; hash = "${sri}";`));
    assert.deepEqual(ours, theirs);
  });

  test('read the same file of this machine, whatever its name is', async () => {
    writeFileSync(join(served, 'with space+ä'), CONTENTS);
    const url = `file://${served}/with%20space+%C3%A4`;
    const [ours, theirs] = await both(fetchurl(`name = "x"; url = "${url}"; hash = "${sri}";`));
    assert.deepEqual(ours, theirs);
  });

  for (const executable of [true, false]) {
    for (const xz of [true, false]) {
      test(`unpack the same ${xz ? 'compressed ' : ''}NAR${executable ? ', which is a program' : ''}`, async () => {
        const tree = join(dir, `tree-${executable}-${xz}`);
        if (executable) writeFileSync(tree, '#!/bin/sh\n', { mode: 0o755 });
        else {
          mkdirSync(join(tree, 'sub'), { recursive: true });
          writeFileSync(join(tree, 'sub/file'), CONTENTS);
          symlinkSync('sub/file', join(tree, 'link'));
        }
        const name = `tree-${executable}.nar${xz ? '.xz' : ''}`;
        const nar = execFileSync('nix-store', ['--dump', tree], { maxBuffer: 2 ** 24 });
        writeFileSync(join(served, name), xz ? execFileSync('xz', { input: nar, maxBuffer: 2 ** 24 }) : nar);
        const hash = printHash(hashBytes('sha256', nar), 'sri');
        const [ours, theirs] = await both(
          fetchurl(`url = "${server.url}/${name}"; hash = "${hash}"; unpack = true; executable = ${executable};`),
        );
        assert.deepEqual(ours, theirs);
      });
    }
  }

  test('find a file in a hashed mirror when its own server does not have it', async () => {
    const digest = Buffer.from(hashBytes('sha256', CONTENTS).digest).toString('hex');
    mkdirSync(join(served, 'mirror/sha256'), { recursive: true });
    writeFileSync(join(served, 'mirror/sha256', digest), CONTENTS);
    const [drv] = await nix.instantiate(fetchurl(`url = "${server.url}/gone"; hash = "${sri}";`));
    const settings = { hashedMirrors: [`${server.url}/no-mirror`, `${server.url}/mirror/`] };
    const info = await buildWithBuiltin(drv!, join(dir, 'staging'), { settings });
    assert.equal(info.downloaded, CONTENTS.length);
    assert.match(info.log.join('\n'), /no-mirror\/sha256\/[0-9a-f]{64}': .* status 404/);
  });

  test('say what is wrong with a file that is another one', async () => {
    writeFileSync(join(served, 'other.bin'), 'something else');
    const message = await bothFail(fetchurl(`url = "${server.url}/other.bin"; hash = "${sri}";`));
    assert.match(
      message,
      new RegExp(`hash mismatch .*:\\n  specified: ${sri.replace(/[+/]/g, '.')}\\n {5}got: {4}sha256-`),
    );
  });

  test('miss a file that is not there', async () => {
    const message = await bothFail(fetchurl(`url = "${server.url}/gone.bin"; hash = "${sri}";`));
    assert.match(message, /unable to download 'http:\/\/127.0.0.1:\d+\/gone.bin': .* status 404/);
  });

  const COMPRESSORS = { '': 'cat', '.gz': 'gzip', '.xz': 'xz', '.bz2': 'bzip2', '.zst': 'zstd' };
  for (const [extension, command] of Object.entries(COMPRESSORS)) {
    test(`unpack the same channel out of a tarball${extension && ` with ${extension}`}`, async () => {
      const tree = join(dir, 'channel-1.2');
      mkdirSync(join(tree, 'a/b'), { recursive: true });
      writeFileSync(join(tree, 'default.nix'), '{ }');
      writeFileSync(join(tree, 'a/run'), '#!/bin/sh', { mode: 0o755 });
      writeFileSync(join(tree, 'a/b', `${'long'.repeat(60)}`), CONTENTS);
      execFileSync('ln', ['-f', join(tree, 'a/run'), join(tree, 'a/hard')]);
      execFileSync('ln', ['-sfn', '/etc/shadow', join(tree, 'absolute')]);
      execFileSync('ln', ['-sfn', '../../up', join(tree, 'a/up')]);
      const tarball = join(served, `channel.tar${extension}`);
      execFileSync('sh', ['-c', `tar -C ${dir} -c channel-1.2 | ${command} > ${tarball}`]);
      const [ours, theirs] = await both(`derivation {
        name = "channel"; system = "builtin"; builder = "builtin:unpack-channel"; channelName = "nixpkgs";
        src = ${tarball};
      }`);
      assert.deepEqual(ours, theirs);
    });
  }

  test('refuse a channel of two directories, and one of none', async () => {
    execFileSync('sh', [
      '-c',
      `cd ${dir}; mkdir -p one two; tar -c one two > ${served}/two.tar; tar -cT /dev/null > ${served}/none.tar`,
    ]);
    const channel = (file: string): string => `derivation {
      name = "channel"; system = "builtin"; builder = "builtin:unpack-channel"; channelName = "x"; src = ${served}/${file};
    }`;
    assert.match(await bothFail(channel('two.tar')), /two\.tar' contains more than one file/);
    assert.match(await bothFail(channel('none.tar')), /none\.tar/);
  });
});
