/** A closure of 2,000 tiny paths, with a deep and wide graph: see test/support/closure-proofs.ts. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { CACHES, provesCopying, provesSubstitution } from '../support/closure-proofs.ts';
import { makeCorpus } from '../support/corpus.ts';
import { Nix } from '../support/nix.ts';
import { needs } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { makeSyntheticObjects } from '../support/synthetic-corpus.ts';

test('a closure of 2,000 tiny paths', needs('nix-store', 'nginx'), async (t) => {
  await using scratch = await makeScratch(1_000);
  const nix = await Nix.open(join(scratch.path, 'home'));
  const objects = await makeSyntheticObjects(join(scratch.path, 'trees'), 2_000);
  const corpus = await makeCorpus(nix, join(scratch.path, 'corpus'), objects, CACHES);
  assert.equal(corpus.paths.length, 2_000);
  await provesSubstitution(t, { nix, corpus, directory: scratch.path });
  await provesCopying(t, { nix, corpus, directory: scratch.path }, ['zstd']);
});
