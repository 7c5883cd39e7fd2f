import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { CurrentLoad } from '../../src/scheduler/current-load.ts';
import { run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

describe('slots of machines', () => {
  test('are taken once among processes, in files that Nix names so', async () => {
    await using scratch = await makeScratch();
    using one = new CurrentLoad(scratch.path);
    using two = new CurrentLoad(scratch.path);
    {
      using _slot = one.trySlot('ssh://user@host', 1)!;
      // From Nix 2.35 nix/build-remote/build-remote.cc: slashes of the URI become underscores.
      const file = join(scratch.path, 'current-load/ssh:__user@host-1');
      assert.ok(existsSync(file));
      assert.equal(two.trySlot('ssh://user@host', 1), undefined);
      assert.equal((await run('flock', ['--nonblock', file, 'true'])).code, 1, 'also for other programs');
      using _other = two.trySlot('ssh://user@host', 0)!;
    }
    using _again = two.trySlot('ssh://user@host', 1)!;
  });

  test('are looked at by one process at a time', async () => {
    await using scratch = await makeScratch();
    using one = new CurrentLoad(scratch.path);
    using two = new CurrentLoad(scratch.path);
    const inside = one.whileLocked(() => two.whileLocked(() => 'both'));
    assert.equal(inside, undefined);
    assert.equal(
      two.whileLocked(() => 'alone'),
      'alone',
    );
  });

  test('that were given back after all was closed do no harm', async () => {
    await using scratch = await makeScratch();
    let slot: Disposable | undefined;
    {
      using load = new CurrentLoad(scratch.path);
      slot = load.trySlot('ssh://host', 0);
    }
    slot?.[Symbol.dispose]();
  });
});
