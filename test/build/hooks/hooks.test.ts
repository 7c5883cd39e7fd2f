import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parsePreBuildHook } from '../../../src/build/hooks/pre-build-hook.ts';
import { BuildError } from '../../../src/errors.ts';
import type { Notice } from '../../../src/pool/messages.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import hookBuild from '../../../workers/hook-build.ts';
import postBuildHook from '../../../workers/post-build-hook.ts';
import { buildsMissing, locationOf, MACHINE, openBuildStore, shellDerivation } from '../../support/local-builds.ts';
import { Nix } from '../../support/nix.ts';
import { makeScratch } from '../../support/scratch.ts';

function contextOf(settings: Partial<Settings>) {
  const log: string[] = [];
  const tell = (notice: Notice): void => void (notice.kind === 'log' && log.push(...notice.lines));
  const progress = { addDownloaded: () => {}, addNar: () => {}, addUploaded: () => {} };
  const context = { settings: makeSettings(settings), signal: new AbortController().signal, progress, tell };
  return { log, context };
}

async function script(dir: string, text: string): Promise<string> {
  const file = join(dir, 'hook');
  await writeFile(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return file;
}

test('a post-build hook is told what was built', async () => {
  await using scratch = await makeScratch();
  const hook = await script(scratch.path, 'echo "$DRV_PATH: $OUT_PATHS"; echo "$NIX_CONFIG" | grep ^max-jobs >&2');
  const { log, context } = contextOf({ postBuildHook: hook, maxJobs: 7 });
  await postBuildHook({ drvPath: '/store/x.drv', outPaths: ['/store/a', '/store/b'] }, context);
  assert.deepEqual(log, ['/store/x.drv: /store/a /store/b', 'max-jobs = 7']);
});

test('a post-build hook that fails is an error', async () => {
  await using scratch = await makeScratch();
  const { context } = contextOf({ postBuildHook: await script(scratch.path, 'echo why; exit 2') });
  const run = postBuildHook({ drvPath: '/store/x.drv', outPaths: [] }, context);
  await assert.rejects(run, (error) => {
    assert.ok(error instanceof BuildError);
    assert.match(error.message, /exit code 2/);
    assert.deepEqual(error.failure.logTail, ['why']);
    return true;
  });
});

test('what a pre-build hook prints are paths, up to an empty line', () => {
  const paths = parsePreBuildHook('extra-sandbox-paths\n/a\n/b=/c\n\nextra-chroot-dirs\n/d?\n');
  assert.deepEqual(
    paths.map(({ inside, outside, optional }) => [inside, outside, optional]),
    [
      ['/a', '/a', false],
      ['/b', '/c', false],
      ['/d', '/d', true],
    ],
  );
  assert.throws(() => parsePreBuildHook('something\n'), /unknown pre-build-hook command 'something'/);
});

test('a pre-build hook makes more of the machine visible', { skip: buildsMissing }, async () => {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path);
  await mkdir(join(scratch.path, 'more'));
  await writeFile(join(scratch.path, 'more/file'), 'seen');
  const preBuildHook = await script(scratch.path, `echo extra-sandbox-paths; echo /more=${scratch.path}/more`);
  const request = await builds.request(await builds.instantiate(shellDerivation('more', '/bin/cat /more/file > $out')));
  const { reply } = await builds.build(request, { settings: { preBuildHook, sandboxPaths: MACHINE } });
  assert.equal(await readFile(locationOf(reply), 'utf8'), 'seen');
});

const ANSWERS = [
  ['decline', 'declined'],
  ['decline-permanently', 'declinedPermanently'],
  ['postpone', 'postponed'],
] as const;

for (const [answer, state] of ANSWERS) {
  test(`a build hook answers ${answer}`, { skip: buildsMissing }, async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const request = await builds.request(await builds.instantiate(shellDerivation('offered', ':')));
    const { log, context } = contextOf({
      buildHook: await script(scratch.path, `echo hello >&2; echo "# ${answer}" >&2`),
    });
    assert.deepEqual(await hookBuild({ ...request, features: [], amWilling: true }, context), { state });
    assert.deepEqual(log, ['hello']);
  });
}

test('a build hook that accepts gets inputs and outputs, and its log is told', { skip: buildsMissing }, async () => {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path);
  const expression = shellDerivation('accepted', ':', 'src = builtins.toFile "source" "text";');
  const request = await builds.request(await builds.instantiate(expression));
  const text = `echo '# accept' >&2; echo ssh://machine >&2; cat > ${scratch.path}/request; echo building >&4; echo message >&2`;
  const { log, context } = contextOf({ buildHook: await script(scratch.path, text) });
  const reply = await hookBuild({ ...request, features: ['kvm'], amWilling: false }, context);
  assert.equal(reply.state, 'built');
  assert.deepEqual(log.toSorted(), ['building', 'message']);
  const sent = await readFile(join(scratch.path, 'request'), 'latin1');
  for (const part of [request.drvPath, request.inputPaths[0]!, request.outputs[0]!.path, 'kvm'])
    assert.ok(sent.includes(part));
});

for (const [code, status] of [
  [100, 'permanentFailure'],
  [101, 'timedOut'],
  [1, 'miscFailure'],
] as const) {
  test(`exit code ${code} of a build hook means ${status}`, { skip: buildsMissing }, async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const request = await builds.request(await builds.instantiate(shellDerivation('failing', ':')));
    const text = `echo '# accept' >&2; echo ssh://machine >&2; cat > /dev/null; exit ${code}`;
    const { context } = contextOf({ buildHook: await script(scratch.path, text) });
    const built = hookBuild({ ...request, features: [], amWilling: true }, context);
    await assert.rejects(built, (error) => error instanceof BuildError && error.failure.status === status);
  });
}

test('stock Nix declines for good where there are no machines', { skip: buildsMissing }, async () => {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path);
  const request = await builds.request(await builds.instantiate(shellDerivation('offered', ':')));
  const nix = await Nix.open(scratch.path);
  const settings = JSON.parse(await nix.output('nix', 'show-config', '--json')) as Record<string, { value: string }>;
  const { context } = contextOf({ buildHook: settings['build-hook']!.value, builders: '' });
  const reply = await hookBuild({ ...request, features: [], amWilling: true }, context);
  assert.equal(reply.state, 'declinedPermanently');
});
