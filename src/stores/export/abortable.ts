/** Waiting for a source that knows nothing of signals, such as the standard input. */

/**
 * The same chunks. Once the signal aborts, whoever waits for the next one waits no longer. A source that is not read to
 * its end is closed, but not waited for.
 *
 * @throws the reason of `signal`.
 */
export async function* abortable<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  signal?.throwIfAborted();
  const iterator = source[Symbol.asyncIterator]();
  let interrupt: (reason: unknown) => void = () => {};
  const onAbort = (): void => interrupt(signal!.reason);
  using cleanup = new DisposableStack();
  signal?.addEventListener('abort', onAbort, { once: true });
  cleanup.defer(() => signal?.removeEventListener('abort', onAbort));
  cleanup.defer(() => void iterator.return?.().catch(() => {}));
  for (;;) {
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T>>();
    interrupt = reject;
    iterator.next().then(resolve, reject);
    const { done, value } = await promise;
    if (done) return;
    yield value;
    signal?.throwIfAborted();
  }
}
