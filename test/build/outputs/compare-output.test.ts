import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Hash } from '../../../src/formats/hash.ts';
import { renameObject } from '../../../src/stores/rename-object.ts';
import { BuiltOutputs, type FinishOptions, failsWith } from '../../support/built-outputs.ts';

/** Makes an output, once for the store and then again to be checked. */
async function twice(
  resources: AsyncDisposableStack,
  make: (out: string, time: 'first' | 'second') => void,
): Promise<{ built: BuiltOutputs; check: (options?: FinishOptions) => Promise<unknown>; registered: string }> {
  const built = await BuiltOutputs.open(resources);
  make(built.location(), 'first');
  const [output] = await built.finish();
  const registered = join(built.realStoreDir, built.path());
  renameObject(built.location(), registered);
  make(built.location(), 'second');
  const narHash: Hash = output!.info.narHash;
  const outputs = [{ name: 'out', path: built.path(), narHash }];
  const check = (options: FinishOptions = {}) => built.finish({ ...options, request: { mode: 'check', outputs } });
  return { built, check, registered };
}

const differing = (out: string, time: string): void => writeFileSync(out, `made ${time}`);

describe('checking whether an output comes out the same', () => {
  test('one that does lies nowhere any more', async () => {
    await using resources = new AsyncDisposableStack();
    const { built, check } = await twice(resources, (out) => writeFileSync(out, 'same'));
    const [output] = (await check()) as [{ location: unknown; info: { ultimate: boolean } }];
    assert.equal(output.location, undefined);
    assert.equal(output.info.ultimate, true);
    assert.equal(existsSync(built.location()), false);
  });

  test('one that does not fails with what differs', async () => {
    await using resources = new AsyncDisposableStack();
    const { built, check, registered } = await twice(resources, (out, time) => {
      mkdirSync(join(out, 'dir'), { recursive: true });
      writeFileSync(join(out, 'contents'), `${'x'.repeat(70_000)}${time === 'first' ? 'a' : 'b'}`);
      writeFileSync(join(out, 'equal'), 'equal');
      writeFileSync(join(out, 'run'), '', { mode: time === 'first' ? 0o644 : 0o755 });
      symlinkSync(time, join(out, 'link'));
      writeFileSync(join(out, 'dir', time), '');
    });
    await assert.rejects(check(), (error: Error) => {
      assert.ok(failsWith('notDeterministic', /may not be deterministic/)(error));
      assert.ok(error.message.includes(`output '${registered}' differs: `), error.message);
      for (const difference of [
        "'contents' has other contents, from byte 70000 on",
        "'dir/first' is missing",
        "'dir/second' is new",
        "'link' led to 'first' and leads to 'second'",
        "'run' is executable now",
      ]) {
        assert.ok(error.message.includes(difference), `${difference} in ${error.message}`);
      }
      return !error.message.includes('equal');
    });
    assert.equal(existsSync(built.location()), false);
    assert.equal(existsSync(`${registered}.check`), false);
  });

  test('only the first differences are told', async () => {
    await using resources = new AsyncDisposableStack();
    const { check } = await twice(resources, (out, time) => {
      mkdirSync(out);
      for (let count = 0; count < 100; count++) writeFileSync(join(out, String(count)), time);
    });
    await assert.rejects(check(), failsWith('notDeterministic', /(?:'\d+' had 5 bytes and has 6, ){5}and more$/));
  });

  test('keep-failed keeps it, in the place of an older one', async () => {
    await using resources = new AsyncDisposableStack();
    const { check, registered } = await twice(resources, differing);
    mkdirSync(`${registered}.check/older`, { recursive: true });
    chmodSync(`${registered}.check`, 0o555);
    await assert.rejects(
      check({ settings: { keepFailed: true } }),
      failsWith('notDeterministic', /differs from '.*-test\.check': it had 10 bytes and has 11/),
    );
    assert.ok(existsSync(`${registered}.check`));
  });

  test('keep-failed keeps a directory, too', async () => {
    await using resources = new AsyncDisposableStack();
    const { check, registered } = await twice(resources, (out, time) => {
      mkdirSync(out);
      writeFileSync(join(out, time), '');
    });
    await assert.rejects(check({ settings: { keepFailed: true } }), failsWith('notDeterministic', /is new/));
    assert.ok(existsSync(`${registered}.check/second`));
  });

  test('a diff hook is run with both, the derivation and the build directory, and what it prints is told', async () => {
    await using resources = new AsyncDisposableStack();
    const { built, check, registered } = await twice(resources, differing);
    const hook = join(built.dir, 'hook');
    writeFileSync(hook, '#!/bin/sh\nprintf "%s\\n" "$@"; pwd; cat "$2"; exit 3\n', { mode: 0o755 });
    const settings = { runDiffHook: true, diffHook: hook };
    await assert.rejects(
      check({ settings, input: { buildDir: '/tmp/build' } }),
      failsWith('notDeterministic', /differs from/),
    );
    assert.deepEqual(built.messages[0]!.split('\n'), [
      registered,
      `${registered}.check`,
      `/nix/store/${built.drvPath}`,
      '/tmp/build',
      '/',
      'made second',
    ]);
    assert.match(built.messages[1]!, /diff hook execution failed/);
  });

  test('a diff hook that is not to be run is not', async () => {
    await using resources = new AsyncDisposableStack();
    const { built, check } = await twice(resources, differing);
    await assert.rejects(check({ settings: { diffHook: '/bin/false' } }), failsWith('notDeterministic', /differs: /));
    assert.deepEqual(built.messages, []);
  });
});
