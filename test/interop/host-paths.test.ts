/** What a derivation asks for of the host, with `__impureHostDeps`: Sluice and stock Nix allow and show the same. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BuildError } from '../../src/errors.ts';
import { buildsMissing, locationOf, MACHINE, openBuildStore, shellDerivation } from '../support/local-builds.ts';
import { output, run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const SCRIPT = 'PATH=$PATH:/usr/bin:/bin; cat DIR/* > $out; [ ! -e DIR-more ]';

test('a builder sees what it asks for of the host where that is allowed', { skip: buildsMissing }, async () => {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path, 'chroot');
  // Not in /dev/shm, where a sandbox has one of its own.
  const host = await mkdtemp(join(tmpdir(), 'sluice-host-'));
  await using removed = new AsyncDisposableStack();
  removed.defer(() => rm(host, { recursive: true }));
  const dir = join(host, 'seen');
  for (const each of [dir, `${dir}-more`]) {
    await mkdir(each);
    await writeFile(join(each, 'file'), 'of the host');
  }
  const drvPath = await builds.instantiate(
    shellDerivation('asks', SCRIPT.replaceAll('DIR', dir), `__impureHostDeps = [ "${dir}" "${host}/missing" ];`),
  );

  async function withNix(allowed: readonly string[]): Promise<{ code: number; said: string }> {
    const settings = `sandbox = true\nsandbox-paths = ${MACHINE.join(' ')}\nallowed-impure-host-deps = ${allowed.join(' ')}`;
    const env = { ...builds.env, NIX_CONFIG: `${builds.env.NIX_CONFIG}\n${settings}` };
    const { code, stderr } = await run('nix-store', ['-r', drvPath], { env });
    if (code !== 0) return { code: code ?? -1, said: stderr };
    const [made] = (await output('nix-store', ['-q', '--outputs', drvPath], { env })).split('\n');
    return { code, said: await readFile(join(scratch.path, made!), 'utf8') };
  }
  async function withSluice(allowedImpureHostDeps: readonly string[]): Promise<string> {
    const request = await builds.request(drvPath);
    const { reply } = await builds.build(request, { settings: { sandbox: 'true', allowedImpureHostDeps } });
    return await readFile(locationOf(reply), 'utf8');
  }

  for (const allowed of [[], [dir], [`${dir}/file`, `${host}/missing`]]) {
    assert.match((await withNix(allowed)).said, /requested impure path .* not in allowed-impure-host-deps/);
    await assert.rejects(withSluice(allowed), (error: Error) => {
      assert.ok(error instanceof BuildError);
      assert.match(error.message, /asks for .* of the host, which setting allowed-impure-host-deps does not allow/);
      return error.failure.status === 'inputRejected';
    });
  }
  assert.equal(await withSluice([host]), 'of the host');
  assert.deepEqual(await withNix([host]), { code: 0, said: 'of the host' });
});
