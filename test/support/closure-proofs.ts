/** What must hold of any closure, against the stock Nix client: both ways, in every compression, over a real server. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Corpus } from './corpus.ts';
import { startNginx } from './nginx.ts';
import type { Nix } from './nix.ts';
import { lines, type RunResult, sluice } from './run.ts';

/** What caches are made for; xz at its quickest, as the closures are large and the bytes are of no matter. */
export const CACHES: readonly string[] = ['none', 'zstd', 'xz&compression-level=0'];

export interface ProofOptions {
  readonly nix: Nix;
  readonly corpus: Corpus;
  /** An empty directory. */
  readonly directory: string;
}

/** Substitutes the closure from each of its caches, behind nginx, and lets the stock client look at the result. */
export async function provesSubstitution(t: TestContext, { nix, corpus, directory }: ProofOptions): Promise<void> {
  await using nginx = await startNginx(corpus.directory, join(directory, 'nginx'));
  for (const compression of ['none', 'zstd', 'xz']) {
    await t.test(`is substituted from a ${compression} cache, and stock Nix finds it as it was`, async () => {
      const root = join(directory, `from-${compression}`);
      const url = `${nginx.url}/${corpus.cacheName(compression)}`;
      const ended = await sluice([
        ...['realise', corpus.top, '--store', `local?root=${root}`, '--substituter', url],
        ...['--trusted-public-keys', corpus.publicKey],
      ]);
      succeeded(ended);
      assert.deepEqual(lines(ended.stdout), [corpus.top]);
      assert.deepEqual(await nix.problems(root), []);
      assert.deepEqual(await nix.closure(root, corpus.top), corpus.paths);
      const source = `file://${join(corpus.directory, corpus.cacheName(compression))}`;
      assert.deepEqual(await nix.pathInfos(root, corpus.top), await nix.pathInfos(source, corpus.top));
    });
  }
}

/** Copies the closure into signed caches, one a compression; the stock client substitutes from them, with signatures required. */
export async function provesCopying(
  t: TestContext,
  { nix, corpus, directory }: ProofOptions,
  compressions: readonly string[],
): Promise<void> {
  for (const compression of compressions) {
    await t.test(`is copied into a signed ${compression} cache, from which stock Nix substitutes`, async () => {
      const cache = `file://${join(directory, `to-${compression}`)}`;
      // As quick as each can be, as the bytes are of no matter.
      const level =
        { xz: '&compression-level=0', gzip: '&compression-level=1', br: '&compression-level=1' }[compression] ?? '';
      succeeded(
        await sluice([
          ...['copy', '--from', corpus.root, '--to', `${cache}?compression=${compression}${level}`, corpus.top],
          ...['--secret-key-files', corpus.secretKeyFile],
        ]),
      );
      const root = join(directory, `stock-from-${compression}`);
      const required = ['--option', 'require-sigs', 'true', '--option', 'trusted-public-keys', corpus.publicKey];
      const substitute = ['--option', 'substitute', 'true', '--option', 'substituters', cache];
      await nix.output('nix-store', '--store', root, ...required, ...substitute, '--realise', corpus.top);
      assert.deepEqual(await nix.problems(root), []);
      assert.deepEqual(await nix.pathInfos(root, corpus.top), await nix.pathInfos(cache, corpus.top));
      assert.deepEqual(await nix.closure(root, corpus.top), corpus.paths);
    });
  }
}

function succeeded({ code, stderr }: RunResult): void {
  assert.equal(code, 0, stderr);
}
