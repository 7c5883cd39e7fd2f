/** The programs of others that `build` runs, with the settings given as flags. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type CommandBuilds, openCommandBuilds } from '../../support/command-builds.ts';
import { MACHINE } from '../../support/local-builds.ts';
import { needs } from '../../support/run.ts';

/** A shell script; what it is called. */
function makeHook({ dir }: CommandBuilds, script: string): string {
  const file = join(dir, 'hook');
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

describe('post-build-hook', () => {
  test('hears of every derivation that is built, and of none that is there already', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const told = join(builds.dir, 'told');
    const hook = makeHook(builds, `echo "$DRV_PATH $OUT_PATHS" >> ${told}; echo from the hook`);
    const lib = await builds.add('lib', 'echo > $out');
    const app = await builds.add('app', 'echo > $out; echo > $dev', { inputs: [lib], outputs: ['out', 'dev'] });
    const run = (): ReturnType<typeof builds.build> =>
      builds.build('--post-build-hook', hook, builds.full(app.drvPath));
    const { code, stderr } = await run();
    assert.equal(code, 0, stderr);
    assert.equal((await run()).code, 0);
    const dev = app.derivation.outputs.get('dev')!.path;
    const lines = readFileSync(told, 'utf8').trim().split('\n');
    assert.deepEqual(
      lines.map((line) => line.split(' ').sort()),
      [
        [lib.drvPath, lib.out],
        [app.drvPath, app.out, dev],
      ].map((paths) => paths.map(builds.full).sort()),
    );
    assert.match(stderr, /from the hook/);
  });

  test('that fails makes the exit code that of a failure, and what was built stays', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const made = await builds.add('a', 'echo a > $out');
    const drv = builds.full(made.drvPath);
    const { code, stderr } = await builds.build('-q', '--post-build-hook', makeHook(builds, 'exit 4'), drv);
    assert.notEqual(code, 0);
    assert.match(stderr, /error: .*hook/);
    assert.equal(readFileSync(builds.full(made.out), 'utf8'), 'a\n');
  });
});

test('diff-hook sees what was there and what --check has made', async () => {
  await using resources = new AsyncDisposableStack();
  const builds = await openCommandBuilds(resources);
  const told = join(builds.dir, 'told');
  const hook = makeHook(builds, `cat "$1" "$2" > ${told}; echo "$3" >> ${told}`);
  // The outside of the store is another the second time.
  const made = await builds.add('a', `if test -e ${told}.second; then echo two; else echo one; fi > $out`);
  const drv = builds.full(made.drvPath);
  assert.equal((await builds.build('-q', drv)).code, 0);
  writeFileSync(`${told}.second`, '');
  const { code } = await builds.build('-q', '--check', '--run-diff-hook', '--diff-hook', hook, drv);
  assert.equal(code, 104);
  assert.equal(readFileSync(told, 'utf8'), `one\ntwo\n${drv}\n`);
  assert.equal(readFileSync(builds.full(made.out), 'utf8'), 'one\n');
});

test('pre-build-hook makes more of the machine visible', needs('bwrap'), async () => {
  await using resources = new AsyncDisposableStack();
  const builds = await openCommandBuilds(resources);
  const secret = join(builds.dir, 'secret');
  writeFileSync(secret, 'of the machine');
  const hook = makeHook(builds, `printf 'extra-sandbox-paths\\n/shown=${secret}\\n\\n'`);
  const made = await builds.add('a', 'cat /shown > $out', { env: { PATH: '/bin:/usr/bin' } });
  const args = ['-q', '--sandbox', '--sandbox-paths', MACHINE.join(' '), builds.full(made.drvPath)];
  assert.equal((await builds.build(...args)).code, 100);
  const { code, stderr } = await builds.build('--pre-build-hook', hook, ...args);
  assert.equal(code, 0, stderr);
  assert.equal(readFileSync(builds.full(made.out), 'utf8'), 'of the machine');
});
