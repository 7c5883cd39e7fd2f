/** Many builds, here and in a store of stock Nix behind OpenSSH's server: what comes out is what stock Nix builds. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  buildWithNix,
  buildWithSluice,
  chrootPlace,
  instantiate,
  outputInfos,
  problems,
} from '../support/both-build.ts';
import { whyNoDebian } from '../support/debian-corpus.ts';
import { BUILD_ROOM, BUILD_ROOTS, writeDebianExpression } from '../support/debian-derivations.ts';
import { Nix } from '../support/nix.ts';
import { killTree } from '../support/processes.ts';
import { needs } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { type SshServer, sshdMissing, startSshd } from '../support/sshd.ts';

const { skip } = needs('nix-store', 'nix-instantiate', 'bwrap', 'apt-get', 'dpkg-deb');
const STARTED = /^building '.*\.drv'/;
const STARTED_THERE = /^building '.*\.drv' on 'ssh-ng:/;

/** A line of setting `builders`: three builds at once, as each of them is copied there and back besides. */
function machineOf({ authority, key, hostKey }: SshServer): string {
  return `ssh-ng://${authority} - ${key} 3 1 - - ${hostKey}`;
}

test('derivations of Debian packages, with a machine that builds some', { skip: skip || sshdMissing }, async (t) => {
  const why = await whyNoDebian();
  if (why !== undefined && !process.env.SLUICE_REQUIRE_NIX) return t.skip(why);
  await using scratch = await makeScratch(3 * BUILD_ROOM);
  const nix = await Nix.open(join(scratch.path, 'home'));
  const expression = await writeDebianExpression(scratch.path, BUILD_ROOTS);
  const theirs = chrootPlace(nix, join(scratch.path, 'theirs'));
  const drvPaths = await instantiate(theirs, expression);
  await buildWithNix(theirs, drvPaths);
  const wanted = await outputInfos(theirs, drvPaths);

  /** Builds one at a time here and three there; which lines of what was told say that a build began. */
  async function builds(name: string, onLine: (line: string, server: SshServer) => void): Promise<string[]> {
    await using resources = new AsyncDisposableStack();
    const there = chrootPlace(nix, join(scratch.path, `${name}-there`));
    await instantiate(there, expression); // it makes the store
    const server = await startSshd(join(scratch.path, `${name}-sshd`), resources, there.env);
    const here = chrootPlace(nix, join(scratch.path, name), [`builders = ${machineOf(server)}`]);
    await instantiate(here, expression);
    const said = await buildWithSluice(here, drvPaths, { jobs: 1, onLine: (line) => onLine(line, server) });
    assert.deepEqual(await outputInfos(here, drvPaths), wanted);
    for (const place of [here, there]) assert.deepEqual(await problems(place), []);
    return said.filter((line) => STARTED.test(line));
  }

  await t.test('come out as stock Nix builds them', async () => {
    const started = await builds('both', () => {});
    const remote = started.filter((line) => STARTED_THERE.test(line)).length;
    t.diagnostic(`${remote} of ${started.length} builds on the other machine`);
    assert.equal(started.length, drvPaths.length);
    assert.ok(remote >= started.length / 2, `only ${remote} there`);
    assert.ok(started.length - remote > started.length / 10, `only ${started.length - remote} here`);
  });

  await t.test('are built here when the machine goes away', async () => {
    let remote = 0;
    let gone: Promise<void> | undefined;
    const started = await builds('alone', (line, { pid }) => {
      if (STARTED_THERE.test(line) && ++remote === 10) gone = killTree(pid);
    });
    await gone;
    assert.ok(remote >= 10);
    // What was being built there is begun once more.
    assert.ok(started.length > drvPaths.length, `${started.length} builds of ${drvPaths.length}`);
    assert.ok(started.filter((line) => !STARTED_THERE.test(line)).length >= drvPaths.length - remote);
  });
});
