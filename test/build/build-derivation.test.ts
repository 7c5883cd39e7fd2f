import assert from 'node:assert/strict';
import { cp, readFile, readlink } from 'node:fs/promises';
import { test } from 'node:test';
import { BuildError } from '../../src/errors.ts';
import { hashNar } from '../../src/stores/verify/hash-nar.ts';
import { buildsMissing, locationOf, openBuildStore, shellDerivation } from '../support/local-builds.ts';
import { output } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const KINDS = [
  ['true', 'plain'],
  ['false', 'plain'],
  ['true', 'chroot'],
] as const;

for (const [sandbox, kind] of KINDS) {
  const where = `sandbox = ${sandbox}, ${kind} store`;

  test(`a derivation is built: ${where}`, { skip: buildsMissing }, async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path, kind);
    const drvPath = await builds.instantiate(shellDerivation('hello', 'echo hello; echo made > $out'));
    const { reply, log } = await builds.build(await builds.request(drvPath), { settings: { sandbox } });
    assert.equal(await readFile(locationOf(reply), 'utf8'), 'made\n');
    assert.deepEqual(log, ['hello']);
    assert.equal(await output('nix-store', ['--read-log', drvPath], { env: builds.env }), 'hello\n');
  });

  test(`outputs that are valid stay, and others refer to them: ${where}`, { skip: buildsMissing }, async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path, kind);
    const script = 'echo $dev > $dev; echo $dev $out > $out';
    const drvPath = await builds.instantiate(shellDerivation('two', script, 'outputs = [ "out" "dev" ];'));
    const request = await builds.request(drvPath);
    const [dev, out] = request.outputs;
    const first = await builds.build(request, { settings: { sandbox } });
    const valid = builds.store.realPath(dev!.path);
    await cp(locationOf(first.reply, 'dev'), valid);
    const text = await readFile(valid, 'utf8');
    const again = await builds.request(drvPath, { outputs: [out!] });
    const { reply } = await builds.build(again, { settings: { sandbox } });
    assert.equal(await readFile(valid, 'utf8'), text);
    assert.equal(await readFile(locationOf(reply), 'utf8'), await readFile(locationOf(first.reply), 'utf8'));
    assert.deepEqual(reply.outputs[0]!.info.references, [dev!.path, out!.path].sort());
    assert.deepEqual(
      reply.outputs[0]!.info.narHash,
      first.reply.outputs.find(({ name }) => name === 'out')!.info.narHash,
    );
  });

  test(`a check finds out whether an output comes out the same: ${where}`, { skip: buildsMissing }, async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path, kind);
    for (const [name, script, same] of [
      ['same', 'echo $out > $out', true],
      ['other', '/bin/date +%N > $out', false],
    ] as const) {
      const drvPath = await builds.instantiate(shellDerivation(name, script));
      const { reply } = await builds.build(await builds.request(drvPath), { settings: { sandbox } });
      const { path } = reply.outputs[0]!.info;
      await cp(locationOf(reply), builds.store.realPath(path), { preserveTimestamps: true });
      const { narHash } = await hashNar(builds.store.realPath(path), new AbortController().signal, () => {});
      const check = await builds.request(drvPath, { mode: 'check', outputs: [{ name: 'out', path, narHash }] });
      const checked = builds.build(check, { settings: { sandbox } });
      if (same) await checked;
      else
        await assert.rejects(
          checked,
          (error) => error instanceof BuildError && error.failure.status === 'notDeterministic',
        );
    }
  });
}

test('a builder in a sandbox sees hundreds of inputs', { skip: buildsMissing }, async () => {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path, 'chroot');
  const attributes = `inputs = builtins.genList (n: let text = toString n; in builtins.toFile "input" text) 300;`;
  const drvPath = await builds.instantiate(shellDerivation('many', '/bin/cat $inputs > $out', attributes));
  const { reply } = await builds.build(await builds.request(drvPath));
  assert.equal(await readFile(locationOf(reply), 'utf8'), Array.from({ length: 300 }, (_, n) => n).join(''));
});

test('a builder that is part of the program makes its output', { skip: buildsMissing }, async () => {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path, 'chroot');
  const expression = `derivation { name = "env"; system = "builtin"; builder = "builtin:buildenv"; derivations = []; manifest = builtins.toFile "manifest" "text"; }`;
  const { reply } = await builds.build(await builds.request(await builds.instantiate(expression)));
  assert.match(await readlink(`${locationOf(reply)}/manifest.nix`), /-manifest$/);
});

test('an unknown builder of the program is named', { skip: buildsMissing }, async () => {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path, 'chroot');
  const expression = 'derivation { name = "none"; system = "builtin"; builder = "builtin:none"; }';
  const request = await builds.request(await builds.instantiate(expression));
  await assert.rejects(builds.build(request), /unknown builder 'builtin:none'/);
});

test('a derivation that asks to run outside of the sandbox is refused unless that is relaxed', {
  skip: buildsMissing,
}, async () => {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path);
  const drvPath = await builds.instantiate(shellDerivation('outside', 'echo $PWD > $out', '__noChroot = true;'));
  await assert.rejects(
    builds.build(await builds.request(drvPath), { settings: { sandbox: 'true' } }),
    (error) => error instanceof BuildError && error.failure.status === 'inputRejected',
  );
  const { reply } = await builds.build(await builds.request(drvPath), { settings: { sandbox: 'relaxed' } });
  assert.match(await readFile(locationOf(reply), 'utf8'), /nix-build-outside/);
});
