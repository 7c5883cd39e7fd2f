import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type SluiceError, TimedOutError, TransferError } from '../../../src/errors.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import {
  type Attempt,
  isTransientStatus,
  parseRetryAfter,
  type RetryOptions,
  retryDelay,
  withRetries,
} from '../../../src/stores/http/retry.ts';

const STEADY = makeSettings({ filetransferRetryJitter: false });
const BROKEN = new TransferError('broken', { transient: true });
const MISSING = new TransferError('no such thing', { status: 404 });
const statusError = (status: number, retryAfter?: number): TransferError =>
  new TransferError('no', { status, transient: true, retryAfter });

interface Run {
  readonly result: unknown;
  readonly attempts: number;
  readonly delays: readonly number[];
  readonly told: readonly unknown[];
}

/** Makes a request whose attempts fail one after another by `failures`, with so many new bytes each. */
async function run(
  failures: readonly SluiceError[],
  options: RetryOptions & { readonly bytes?: readonly number[]; readonly settings?: Partial<Settings> } = {},
): Promise<Run> {
  const { bytes = [], settings, ...others } = options;
  const delays: number[] = [];
  const told: unknown[] = [];
  let [attempts, position] = [0, 0];
  const attempt = async (): Promise<Attempt<string>> => {
    position += bytes[attempts] ?? 0;
    const error = failures[attempts++];
    return error === undefined ? { state: 'succeeded', value: 'done' } : { state: 'failed', error };
  };
  const given: RetryOptions = {
    onRetry: (error) => void told.push(error),
    progress: () => position,
    wait: async (milliseconds) => void delays.push(milliseconds),
    ...others,
  };
  const result = await withRetries({ ...STEADY, ...settings }, given, attempt).catch((error) => error);
  return { result, attempts, delays, told };
}

const times = <T>(count: number, value: T): T[] => Array<T>(count).fill(value);

describe('a request that fails', () => {
  test('is made again after delays that double, and tells of it', async () => {
    assert.deepEqual(await run(times(4, BROKEN)), {
      result: 'done',
      attempts: 5,
      delays: [100, 200, 400, 800],
      told: times(4, BROKEN),
    });
  });

  test('is made as often as the setting says, and no more', async () => {
    const last = new TransferError('the last one', { transient: true });
    assert.equal((await run([...times(4, BROKEN), last])).result, last);
    assert.deepEqual(await run([last], { settings: { filetransferRetryAttempts: 1 } }), {
      result: last,
      attempts: 1,
      delays: [],
      told: [],
    });
  });

  test('is not made again where that would be of no use', async () => {
    const { result, attempts } = await run([BROKEN, MISSING]);
    assert.deepEqual([result, attempts], [MISSING, 2]);
  });

  test('is not made again after what was thrown: that was not the peer', async () => {
    const failure = new TransferError('of the sink', { transient: true });
    let attempts = 0;
    const attempt = async (): Promise<never> => {
      attempts++;
      throw failure;
    };
    await assert.rejects(withRetries(STEADY, {}, attempt), failure);
    assert.equal(attempts, 1);
  });

  test('counts from anew when an attempt brought new bytes', async () => {
    const { result, delays } = await run(times(12, BROKEN), { bytes: [0, 0, 0, 0, 7, 0, 0, 0, 7] });
    assert.equal(result, 'done');
    assert.deepEqual(delays, [100, 200, 400, 800, 100, 200, 400, 800, 100, 200, 400, 800]);
  });

  test('ends at once where another cache can be asked', async () => {
    const { result, attempts } = await run([BROKEN], { impatient: true });
    assert.deepEqual([result, attempts], [BROKEN, 1]);
  });

  test('ends at once where another cache can be asked and little has come', async () => {
    const { result, attempts } = await run([BROKEN], { impatient: true, bytes: [65_535] });
    assert.deepEqual([result, attempts], [BROKEN, 1]);
  });

  test('ends after some attempts where another cache can be asked and little more comes', async () => {
    const bytes = [65_536, ...times(10, 10_000)];
    assert.equal((await run(times(10, BROKEN), { impatient: true, bytes })).attempts, 5);
    assert.equal((await run(times(10, BROKEN), { bytes })).attempts, 11);
  });

  test('goes on where another cache could be asked, but much has come; it waits for 2 s at most', async () => {
    const refused = statusError(503);
    assert.deepEqual(await run([BROKEN, refused, BROKEN], { impatient: true, bytes: [65_536] }), {
      result: 'done',
      attempts: 4,
      delays: [100, 2000, 400],
      told: [BROKEN, refused, BROKEN],
    });
  });

  test('ends where another cache can be asked and nothing came for too long, whatever has come', async () => {
    const late = new TimedOutError('nothing came');
    const { result, attempts } = await run([BROKEN, late], { impatient: true, bytes: [65_536, 65_536] });
    assert.deepEqual([result, attempts], [late, 2]);
    assert.equal((await run([BROKEN, late], { bytes: [1, 1] })).result, 'done');
  });

  test('ends when it is told to, also while it waits', { timeout: 5_000 }, async () => {
    const abort = new AbortController();
    const reason = new Error('not needed any more');
    const onRetry = (): void => void setImmediate(() => abort.abort(reason));
    const settings = { filetransferRetryDelay: 1_000_000, filetransferRetryMaxDelay: 1_000_000 };
    const { result } = await run([BROKEN], { signal: abort.signal, onRetry, wait: undefined, settings });
    assert.equal(result, reason);
  });
});

describe('the delay before another attempt', () => {
  for (const [why, failures, error, settings, expected] of [
    ['begins with the setting', 1, BROKEN, {}, 100],
    ['begins with another one where the server is asked too often', 1, statusError(429), {}, 5_000],
    ['does so where the server is not available', 2, statusError(503), {}, 10_000],
    ['but not for its other failures', 1, statusError(500), {}, 100],
    ['has an end', 30, BROKEN, {}, 60_000],
    [
      'has an end that no setting can lift over what a timer takes',
      99,
      BROKEN,
      { filetransferRetryMaxDelay: 1e12 },
      2 ** 31 - 1,
    ],
    ['is as long as the server asks for', 1, statusError(503, 20_000), {}, 20_000],
    ['is not shorter because the server asks for less', 1, statusError(503, 1), {}, 5_000],
    ['is not longer than the setting because the server asks for more', 1, statusError(503, 3_600_000), {}, 60_000],
    ['may be none', 3, BROKEN, { filetransferRetryDelay: 0 }, 0],
  ] as const) {
    test(why, () => assert.equal(retryDelay({ ...STEADY, ...settings }, failures, error), expected));
  }

  test('varies between its half and its whole, and never falls below what the server asks for', () => {
    const settings = makeSettings();
    const delays = Array.from({ length: 200 }, () => retryDelay(settings, 4, new TimedOutError('late')));
    assert.ok(Math.min(...delays) >= 400 && Math.max(...delays) <= 800);
    assert.ok(new Set(delays).size > 100);
    assert.equal(retryDelay(settings, 4, statusError(500, 800)), 800);
  });
});

test('the statuses that may pass', () => {
  const passing = Array.from({ length: 600 }, (_, status) => status).filter(isTransientStatus);
  const lasting = [501, 505, 511];
  const servers = Array.from({ length: 100 }, (_, index) => 500 + index).filter((status) => !lasting.includes(status));
  assert.deepEqual(passing, [408, 429, ...servers]);
});

describe('header Retry-After', () => {
  const now = Date.parse('Fri, 31 Dec 1999 23:59:00 GMT');
  for (const [value, expected] of [
    ['120', 120_000],
    ['0', 0],
    [' 7 ', 7_000],
    ['Fri, 31 Dec 1999 23:59:59 GMT', 59_000],
    ['Fri, 31 Dec 1999 23:00:00 GMT', 0],
    [undefined, undefined],
    ['', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['Soon', undefined],
    ['9'.repeat(400), undefined],
    [['1', '2'], undefined],
  ] as const) {
    test(`'${value}' is ${expected} ms`, () => {
      assert.equal(parseRetryAfter(value as string | string[] | undefined, now), expected);
    });
  }
});
