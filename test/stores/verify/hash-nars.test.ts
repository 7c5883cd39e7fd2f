import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { dumpNar } from '../../../src/stores/nar-fs.ts';
import { hashNars, type NarOutcome } from '../../../src/stores/verify/hash-nars.ts';
import { openLanes } from '../../../src/stores/verify/sha256-lanes.ts';
import { temporaryDirectory } from '../../support/local-store.ts';

const { signal } = new AbortController();
const MIB = 2 ** 20;

async function dumped(path: string): Promise<NarOutcome> {
  const hash = createHash('sha256');
  let narSize = 0;
  await dumpNar(path, (chunk) => {
    hash.update(chunk);
    narSize += chunk.length;
  });
  return { ok: true, found: { narHash: { algorithm: 'sha256', digest: new Uint8Array(hash.digest()) }, narSize } };
}

async function hashed(
  paths: readonly string[],
  open: typeof openLanes,
): Promise<{ outcomes: readonly NarOutcome[]; bytes: number }> {
  const outcomes: NarOutcome[] = [];
  let bytes = 0;
  const onBytes = (more: number): void => {
    bytes += more;
  };
  await hashNars(paths, {
    signal,
    onBytes,
    onOutcome: (index, outcome) => {
      outcomes[index] = plain(outcome);
    },
    open,
  });
  return { outcomes, bytes };
}

/** With the digest as what {@link dumped} has. */
function plain(outcome: NarOutcome): NarOutcome {
  if (!outcome.ok) return outcome;
  const { narHash, narSize } = outcome.found;
  return { ok: true, found: { narHash: { ...narHash, digest: new Uint8Array(narHash.digest) }, narSize } };
}

const WAYS: Readonly<Record<string, typeof openLanes>> = { 'two at a time': openLanes, 'in turn': () => undefined };

for (const [way, open] of Object.entries(WAYS)) {
  describe(`hashing many NARs ${way}`, () => {
    test('comes to the hash of each, whatever their sizes are', async () => {
      await using resources = new AsyncDisposableStack();
      const dir = await temporaryDirectory(resources);
      const sizes = [
        3 * MIB,
        0,
        1,
        55,
        56,
        63,
        64,
        130_000,
        131_072,
        131_073,
        131_200,
        262_144,
        700_001,
        8,
        1 * MIB,
        5,
      ];
      for (const [index, size] of sizes.entries()) {
        const path = join(dir, `file-${index}`);
        writeFileSync(path, Buffer.alloc(size, size + index));
      }
      symlinkSync('somewhere', join(dir, 'link'));
      for (let tree = 0; tree < 20; tree++) {
        mkdirSync(join(dir, `tree-${tree}/sub`), { recursive: true });
        for (let file = 0; file < tree * 3; file++) {
          writeFileSync(join(dir, `tree-${tree}/sub/${file}`), Buffer.alloc(file * file * 97, file));
        }
      }
      // Of these nearly all bytes are between the contents of files.
      mkdirSync(join(dir, 'many'));
      for (let file = 0; file < 2_500; file++) writeFileSync(join(dir, 'many', `${file}`.padStart(200, 'x')), '');
      const paths = readdirSync(dir).map((name) => join(dir, name));
      const expected = await Promise.all(paths.map(dumped));
      const { outcomes, bytes } = await hashed(paths, open);
      assert.deepEqual(outcomes, expected);
      assert.equal(
        bytes,
        expected.reduce((sum, each) => sum + (each.ok ? each.found.narSize : 0), 0),
      );
    });

    test('comes to the right hash beside one that cannot be read to its end', async () => {
      await using resources = new AsyncDisposableStack();
      const dir = await temporaryDirectory(resources);
      const [good, bad, link] = ['good', 'bad', 'link'].map((name) => join(dir, name)) as [string, string, string];
      writeFileSync(good, Buffer.alloc(500_000, 1));
      symlinkSync('nowhere', link);
      mkdirSync(bad);
      writeFileSync(join(bad, 'a'), Buffer.alloc(300_000));
      execFileSync('mkfifo', [join(bad, 'b')]);
      const { outcomes } = await hashed([bad, good, join(dir, 'missing'), link, good, bad], open);
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        [false, true, false, true, true, false],
      );
      assert.deepEqual(outcomes[1], await dumped(good));
      assert.deepEqual(outcomes[3], await dumped(link));
      assert.deepEqual(outcomes[4], outcomes[1]);
    });

    test('hears that it was cancelled', async () => {
      await using resources = new AsyncDisposableStack();
      const dir = await temporaryDirectory(resources);
      const files = ['one', 'two'].map((name) => join(dir, name));
      for (const file of files) {
        writeFileSync(file, '');
        truncateSync(file, 100 * MIB);
      }
      const controller = new AbortController();
      let bytes = 0;
      const onBytes = (more: number): void => {
        bytes += more;
      };
      const hashing = hashNars(files, { signal: controller.signal, onBytes, onOutcome: () => {}, open });
      controller.abort(new Error('stop'));
      await assert.rejects(hashing, /stop/);
      assert.ok(bytes < 100 * MIB);
    });
  });
}
