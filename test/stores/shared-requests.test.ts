import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SharedRequests } from '../../src/stores/shared-requests.ts';

describe('shared requests', () => {
  test('ask once for the same key, and once for each other key', async () => {
    const requests = new SharedRequests<string, string>();
    const asked: string[] = [];
    const ask = (key: string): Promise<string> =>
      requests.run(key, undefined, async () => {
        asked.push(key);
        return key.toUpperCase();
      });
    assert.deepEqual(await Promise.all([ask('a'), ask('b'), ask('a')]), ['A', 'B', 'A']);
    assert.deepEqual(asked, ['a', 'b']);
    await ask('a');
    assert.deepEqual(asked, ['a', 'b', 'a']); // nothing is remembered
  });

  test('fail together, and the next one asks again', async () => {
    const requests = new SharedRequests<string, string>();
    const failure = new Error('no connection');
    const failing = [1, 2].map(() => requests.run('a', undefined, () => Promise.reject(failure)));
    for (const result of await Promise.allSettled(failing))
      assert.deepEqual(result, { status: 'rejected', reason: failure });
    assert.equal(await requests.run('a', undefined, async () => 'A'), 'A');
  });

  test('go on while somebody waits, and are aborted when nobody does', async () => {
    const requests = new SharedRequests<string, string>();
    const { promise, resolve } = Promise.withResolvers<string>();
    let inner: AbortSignal | undefined;
    const [first, second] = [new AbortController(), new AbortController()];
    const start = (signal: AbortSignal): Promise<string> => {
      inner = signal;
      return promise;
    };
    const [one, two] = [requests.run('a', first.signal, start), requests.run('a', second.signal, start)];
    first.abort(new Error('first leaves'));
    await assert.rejects(one, /first leaves/);
    assert.equal(inner!.aborted, false);
    second.abort(new Error('second leaves'));
    await assert.rejects(two, /second leaves/);
    assert.equal(inner!.aborted, true);
    assert.equal(await requests.run('a', undefined, async () => 'anew'), 'anew'); // and not the aborted one
    resolve('too late');
  });

  test('are not started for a caller who has left already', async () => {
    const requests = new SharedRequests<string, string>();
    const signal = AbortSignal.abort(new Error('left'));
    await assert.rejects(
      requests.run('a', signal, () => assert.fail('was started')),
      /left/,
    );
  });
});
