/** The closure of real software, with real files and a real graph: see test/support/closure-proofs.ts. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { CACHES, provesCopying, provesSubstitution } from '../support/closure-proofs.ts';
import { makeCorpus } from '../support/corpus.ts';
import { makeDebianObjects, whyNoDebian } from '../support/debian-corpus.ts';
import { Nix } from '../support/nix.ts';
import { needs } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const options = needs('nix-store', 'nginx', 'apt-get', 'dpkg-deb');

test('a closure of Debian packages', options, async (t) => {
  const why = await whyNoDebian();
  if (why !== undefined && !process.env.SLUICE_REQUIRE_NIX) return t.skip(why);
  await using scratch = await makeScratch(3_000);
  const nix = await Nix.open(join(scratch.path, 'home'));
  // git brings just 50 packages; the second one makes sure that there are more, whatever the release of Debian.
  const objects = await makeDebianObjects(join(scratch.path, 'trees'), ['git', 'openssh-client']);
  const corpus = await makeCorpus(nix, join(scratch.path, 'corpus'), objects, CACHES);
  assert.ok(corpus.paths.length > 50, `only ${corpus.paths.length} paths`);
  await provesSubstitution(t, { nix, corpus, directory: scratch.path });
  await provesCopying(t, { nix, corpus, directory: scratch.path }, ['none', 'zstd', 'xz', 'gzip', 'br']);
});
