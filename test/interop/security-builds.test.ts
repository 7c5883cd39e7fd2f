/** Builds that do what they must not: each is refused or contained. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BuildError } from '../../src/errors.ts';
import { listen } from '../support/listen.ts';
import {
  type BuildOptions,
  type BuildOutcome,
  buildsMissing,
  locationOf,
  openBuildStore,
  shellDerivation,
} from '../support/local-builds.ts';
import { processesNamed } from '../support/processes.ts';
import { makeScratch } from '../support/scratch.ts';

const PATH = 'PATH=/usr/bin:/bin';

/** Builds a script in a sandbox; `outside` is a directory that it does not depend on. */
async function attempt(
  context: TestContext,
  script: (outside: string) => string,
  options: BuildOptions & { attributes?: string } = {},
): Promise<{ outcome: BuildOutcome; out: string; outside: string }> {
  const scratch = await makeScratch();
  context.after(() => scratch[Symbol.asyncDispose]());
  const outside = join(scratch.path, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'secret'), 'secret');
  const builds = await openBuildStore(scratch.path);
  context.after(() => builds[Symbol.asyncDispose]());
  const expression = shellDerivation('hostile', `${PATH}; ${script(outside)}`, options.attributes);
  const request = await builds.request(await builds.instantiate(expression));
  const outcome = await builds.build(request, { ...options, settings: { sandbox: 'true', ...options.settings } });
  return { outcome, out: await readFile(locationOf(outcome.reply), 'utf8').catch(() => ''), outside };
}

test('what a build does not depend on is not there', { skip: buildsMissing }, async (context) => {
  const { out } = await attempt(
    context,
    (outside) =>
      `{ cat ${outside}/secret; ls $NIX_STORE; ls /proc/1/root${outside}; ls /root /home /var; } > $out 2>&1; true`,
  );
  assert.doesNotMatch(out, /^secret/m);
  const paths = out.split('\n').filter((line) => /^[0-9a-z]{32}-/.test(line));
  assert.deepEqual(
    paths.map((path) => path.slice(33)),
    ['hostile'],
  );
});

test('a build has no network but one of its own', { skip: buildsMissing }, async (context) => {
  await using serving = new AsyncDisposableStack();
  const port = await listen(
    createServer((socket) => socket.end('reached\n')),
    serving,
  );
  const { out } = await attempt(
    context,
    () => `{ /bin/bash -c 'cat < /dev/tcp/127.0.0.1/${port}'; cat /proc/net/dev; } > $out 2>&1; true`,
  );
  assert.doesNotMatch(out, /reached/);
  assert.match(out, /lo:/);
  assert.doesNotMatch(out, /eth|ens|enp/);
});

test('the build of a fixed output has the network', { skip: buildsMissing }, async (context) => {
  await using serving = new AsyncDisposableStack();
  const port = await listen(
    createServer((socket) => socket.end('reached\n')),
    serving,
  );
  const attributes =
    'outputHashMode = "flat"; outputHash = builtins.hashString "sha256" "reached\\n"; outputHashAlgo = "sha256";';
  const { out } = await attempt(context, () => `/bin/bash -c 'cat < /dev/tcp/127.0.0.1/${port}' > $out`, {
    attributes,
  });
  assert.equal(out, 'reached\n');
});

test('a build can change nothing but its outputs and its directories', { skip: buildsMissing }, async (context) => {
  const { out } = await attempt(
    context,
    () => `{ for dir in / /etc /usr /bin /proc/sys /dev/pts $input; do touch $dir/x 2> /dev/null && echo "wrote to $dir"; done
      chmod 777 $input && echo 'changed the input'; rm -rf $input && echo 'removed the input'
      mount -t tmpfs none /etc && echo mounted; unshare -Ur true && echo 'a namespace of its own'; } > $out 2> /dev/null; true`,
    { attributes: 'input = builtins.toFile "input" "text";' },
  );
  assert.equal(out.replace('a namespace of its own\n', ''), '');
});

test('a build leaves no process', { skip: buildsMissing }, async (context) => {
  await attempt(
    context,
    () =>
      `setsid sleep 34567 > /dev/null 2>&1 & (trap "" TERM HUP; exec sleep 34567) > /dev/null 2>&1 & echo made > $out`,
  );
  assert.deepEqual(await processesNamed('sleep 34567'), []);
});

test('a build that forks without end is ended by its timeout', { skip: buildsMissing }, async (context) => {
  const script = `trap "" TERM; while :; do sleep 34568 & sleep 0.01; done`;
  await assert.rejects(
    attempt(context, () => script, { settings: { timeout: 1 } }),
    (error) => error instanceof BuildError && error.failure.status === 'timedOut',
  );
  assert.deepEqual(await processesNamed('sleep 34568'), []);
});

test('no file gets a set-user-ID bit, even while it is built', { skip: buildsMissing }, async (context) => {
  const { out } = await attempt(
    context,
    () => `cp /bin/true x; for mode in 4755 u+s 2755 6777; do chmod $mode x 2> /dev/null; stat -c %a x; done > $out`,
  );
  assert.deepEqual(
    new Set(
      out
        .trim()
        .split('\n')
        .map((mode) => mode.length),
    ),
    new Set([3]),
  );
});

test('a variable that steers the dynamic linker reaches the builder alone', {
  skip: buildsMissing,
}, async (context) => {
  const attributes = 'LD_PRELOAD = "/no-such-library.so"; PATH = "/nowhere";';
  const { outcome } = await attempt(context, () => 'echo made > $out', { attributes });
  // Each program that it is loaded into complains once; a shell that runs nothing else is one.
  assert.equal(outcome.log.filter((line) => line.includes('no-such-library')).length, 1);
});

test('a zero byte in a derivation cannot become an option of the sandbox', { skip: buildsMissing }, async () => {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path);
  const request = await builds.request(await builds.instantiate(shellDerivation('zero', 'echo made > $out')));
  const hostile = '\0--bind\0/\0/host\0--setenv\0x\0';
  const derivations = [
    { env: new Map([...request.derivation.env, ['x', hostile]]) },
    { env: new Map([...request.derivation.env, [hostile, 'x']]) },
    { args: [...request.derivation.args, hostile] },
    { builder: `/bin/sh${hostile}` },
  ];
  for (const changed of derivations) {
    const build = builds.build({
      ...(await builds.request(`${builds.store.storeDir}/${request.drvPath}`)),
      derivation: { ...request.derivation, ...changed },
    });
    await assert.rejects(build, (error) => error instanceof BuildError && error.failure.status === 'inputRejected');
  }
});

test('a build in the name of the host sees its own user only', { skip: buildsMissing }, async (context) => {
  const { out } = await attempt(context, () => 'ls /proc | grep -c "^[0-9]" > $out; id -u >> $out; kill -9 -1; true');
  const [processes, uid] = out.trim().split('\n');
  assert.ok(Number(processes) < 6);
  assert.equal(uid, '1000');
});
