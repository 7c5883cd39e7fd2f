import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { acquireBuildUser } from '../../src/build/build-users.ts';
import { makeBuildUsers, rootMissing } from '../support/build-users.ts';
import { buildsMissing, locationOf, MACHINE, openBuildStore, shellDerivation } from '../support/local-builds.ts';
import { makeScratch } from '../support/scratch.ts';

const never = new AbortController().signal;

test('a build user is nobody else’s until it is given back', { skip: rootMissing }, async () => {
  await using users = await makeBuildUsers('sluicebld-a', 1);
  const waits = Promise.withResolvers<void>();
  const options = { stateDir: join(users.dir, 'state'), group: users.group, signal: never, onWait: waits.resolve };
  const first = await acquireBuildUser(options);
  const next = acquireBuildUser(options);
  await waits.promise;
  first[Symbol.dispose]();
  using second = await next;
  assert.equal(second.user.uid, users.uids[0]);
});

test('a group that is not there is named', { skip: rootMissing }, async () => {
  await using users = await makeBuildUsers('sluicebld-b', 1);
  const options = { stateDir: users.dir, group: 'no-such-group', signal: never, onWait: () => {} };
  await assert.rejects(acquireBuildUser(options), /group 'no-such-group' .* does not exist/);
});

for (const sandbox of ['true', 'false'] as const) {
  test(`as root, builders run as a build user, sandbox = ${sandbox}`, {
    skip: rootMissing || buildsMissing,
  }, async () => {
    await using users = await makeBuildUsers(`sluicebld-${sandbox}`);
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(sandbox === 'true' ? scratch.path : users.dir);
    const secret = join(users.dir, 'secret');
    await writeFile(secret, 'for root alone', { mode: 0o600 });
    const drvPath = await builds.instantiate(
      shellDerivation(
        'whoami',
        `echo "$(/usr/bin/id -u) $(/usr/bin/id -g) $0"; /bin/cat ${secret} 2> /dev/null || echo refused; echo made > $out`,
      ),
    );
    const settings = {
      sandbox,
      buildUsersGroup: users.group,
      buildDir: join(users.dir, 'builds'),
      sandboxPaths: [...MACHINE, secret],
    };
    const { reply, log } = await builds.build(await builds.request(drvPath), { settings });
    const expected = sandbox === 'true' ? ['1000 100'] : users.uids.map((uid) => `${uid} ${users.gid}`);
    assert.ok(expected.includes(log[0]!.split(' ', 2).join(' ')), log[0]);
    assert.equal(log[1], 'refused');
    assert.equal(await readFile(locationOf(reply), 'utf8'), 'made\n');
  });
}
