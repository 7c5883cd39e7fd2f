import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BuildError, type BuildFailureStatus } from '../../src/errors.ts';
import type { Settings } from '../../src/settings.ts';
import { type BuildStore, buildsMissing, openBuildStore, shellDerivation } from '../support/local-builds.ts';
import { processesNamed } from '../support/processes.ts';
import { makeScratch } from '../support/scratch.ts';

const SLEEP = '/bin/sleep 1000';
const FAILURES: readonly [what: string, script: string, settings: Partial<Settings>, BuildFailureStatus, RegExp][] = [
  ['a builder that fails', 'echo why; exit 3', {}, 'permanentFailure', /failed with exit code 3/],
  ['one that takes too long', SLEEP, { timeout: 1 }, 'timedOut', /timed out after 1 seconds$/],
  ['one that is silent too long', `echo a; ${SLEEP}`, { maxSilentTime: 1 }, 'timedOut', /1 seconds of silence/],
  [
    'one that prints too much',
    'while :; do echo 0123456789; done',
    { maxBuildLogSize: 10_000 },
    'logLimitExceeded',
    /max-build-log-size/,
  ],
  ['one that makes no output', ':', {}, 'outputRejected', /failed to produce output path/],
];

for (const sandbox of ['true', 'false'] as const) {
  for (const [what, script, settings, status, message] of FAILURES) {
    test(`${what} is told as ${status}, sandbox = ${sandbox}`, { skip: buildsMissing }, async () => {
      await using scratch = await makeScratch();
      await using builds = await openBuildStore(scratch.path);
      const request = await builds.request(await builds.instantiate(shellDerivation('fails', script)));
      const error = await failure(builds.build(request, { settings: { ...settings, sandbox } }));
      assert.equal(error.failure.status, status);
      assert.match(error.message, message);
      await isClean(builds);
    });
  }

  test(`a builder killed by a signal is told so, sandbox = ${sandbox}`, { skip: buildsMissing }, async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const script = sandbox === 'true' ? '/bin/sh -c "kill -KILL \\$\\$"' : 'kill -KILL $$';
    const request = await builds.request(await builds.instantiate(shellDerivation('killed', script)));
    const error = await failure(builds.build(request, { settings: { sandbox } }));
    assert.match(error.message, sandbox === 'true' ? /exit code 137/ : /due to signal 9 \(SIGKILL\)/);
  });

  test(`a build that is cancelled leaves nothing, sandbox = ${sandbox}`, { skip: buildsMissing }, async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const script = `echo started; (/bin/sleep 12345${sandbox === 'true' ? 1 : 2} &) ; ${SLEEP}`;
    const request = await builds.request(await builds.instantiate(shellDerivation('cancelled', script)));
    const cancel = new AbortController();
    const reason = new Error('cancelled');
    const onNotice = (): void => cancel.abort(reason);
    await assert.rejects(builds.build(request, { settings: { sandbox }, signal: cancel.signal, onNotice }), reason);
    await isClean(builds);
    assert.deepEqual(await processesNamed(`/bin/sleep 12345${sandbox === 'true' ? 1 : 2}`), []);
  });
}

test('the last lines of a failed build are kept, and its directory where that is wanted', {
  skip: buildsMissing,
}, async () => {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path);
  const script = 'for i in 1 2 3 4 5; do echo line $i; done; echo found > file; exit 1';
  const request = await builds.request(await builds.instantiate(shellDerivation('kept', script)));
  const error = await failure(builds.build(request, { settings: { logLines: 2, keepFailed: true } }));
  assert.deepEqual(error.failure.logTail, ['line 4', 'line 5']);
  assert.deepEqual(await readdir(error.failure.keptBuildDir!), ['file']);
});

test('a flood of output neither stalls nor fills the memory', { skip: buildsMissing }, async () => {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path);
  const script = '/usr/bin/head -c 20000000 /dev/zero; /usr/bin/yes | /usr/bin/head -c 20000000; echo made > $out';
  const request = await builds.request(await builds.instantiate(shellDerivation('flood', script)));
  const { notices, log } = await builds.build(request);
  assert.ok(log.length > 10_000_000 - 10);
  assert.ok(notices.length < 2_000, `${notices.length} notices`);
});

async function failure(build: Promise<unknown>): Promise<BuildError> {
  const error = await build.then(
    () => assert.fail('built'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof BuildError, String(error));
  return error;
}

/** No directory of a build is left, nor anything in the store that is not a derivation, but for what was staged. */
async function isClean({ dir, store }: BuildStore): Promise<void> {
  assert.deepEqual(await readdir(join(dir, 'var/builds')), []);
  const names = await readdir(store.realStoreDir);
  assert.deepEqual(
    names.filter((name) => !name.endsWith('.drv') && !name.startsWith('.')),
    [],
  );
}
