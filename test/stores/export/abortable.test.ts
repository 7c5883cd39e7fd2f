import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { abortable } from '../../../src/stores/export/abortable.ts';

async function* numbers(onClosed = (): void => {}): AsyncGenerator<number> {
  using closed = new DisposableStack();
  closed.defer(onClosed);
  yield 1;
  yield 2;
}

describe('a source that can be aborted', () => {
  test('gives the same, with a signal and without', async () => {
    assert.deepEqual(await Array.fromAsync(abortable(numbers(), undefined)), [1, 2]);
    assert.deepEqual(await Array.fromAsync(abortable(numbers(), new AbortController().signal)), [1, 2]);
  });

  test('is not asked where the signal has aborted', async () => {
    const source = { [Symbol.asyncIterator]: () => assert.fail('asked') };
    await assert.rejects(Array.fromAsync(abortable(source, AbortSignal.abort())), { name: 'AbortError' });
  });

  test('is waited for no longer once the signal aborts', async () => {
    const controller = new AbortController();
    const asked = Promise.withResolvers<void>();
    const silent: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          asked.resolve();
          return new Promise(() => {});
        },
      }),
    };
    const all = Array.fromAsync(abortable(silent, controller.signal));
    await asked.promise;
    controller.abort();
    await assert.rejects(all, { name: 'AbortError' });
  });

  test('is closed by who has had enough of it', async () => {
    const closed = Promise.withResolvers<void>();
    for await (const _ of abortable(numbers(closed.resolve), undefined)) break;
    await closed.promise;
  });

  test('fails as the source does', async () => {
    const broken = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('broken')) }) };
    await assert.rejects(Array.fromAsync(abortable(broken, undefined)), { message: 'broken' });
  });
});
