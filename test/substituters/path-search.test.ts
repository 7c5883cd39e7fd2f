import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type SluiceError, TimedOutError, TransferError, UntrustedError } from '../../src/errors.ts';
import { PathSearch } from '../../src/substituters/path-search.ts';
import type { Substituter } from '../../src/substituters/substituter.ts';
import { type Asked, NAMED, ScriptedStore, watched } from '../support/substituters.ts';

const path = NAMED('app');
const signal = new AbortController().signal;
const refused = new TransferError('connection refused', { transient: true });
const has = (asked: Asked): void => asked.has();
const lacks = (asked: Asked): void => asked.lacks();
const fails = (asked: Asked): void => asked.fails(refused);

function setUp(...answers: readonly (((asked: Asked) => void) | undefined)[]) {
  const stores = answers.map((answer, index) => new ScriptedStore('abc'.charAt(index), answer));
  const substituters = stores.map((store) => watched(store, { now: () => performance.now() }));
  const failures: string[] = [];
  const onFailure = ({ uri }: Substituter, { code }: SluiceError): void => void failures.push(`${uri}: ${code}`);
  const search = new PathSearch(path, substituters, { signal, onFailure });
  const asked = (): number[] => stores.map((store) => store.asked.length);
  return { stores, substituters, search, failures, asked };
}

/** Lets all that is ready go on. */
const settle = (): Promise<void> => new Promise(setImmediate);

describe('the search for a path', () => {
  test('asks nobody else where the first substituter has it', async () => {
    const { search, asked } = setUp(has, has);
    const candidate = await search.next();
    assert.equal(candidate?.substituter.uri, 'a');
    assert.deepEqual(asked(), [1, 0]);
  });

  test('asks the next on a miss, and on a failure, which it tells of', async () => {
    const { search, failures } = setUp(lacks, fails, has);
    assert.equal((await search.next())?.substituter.uri, 'c');
    assert.deepEqual(failures, ['b: ERR_TRANSFER']);
  });

  test('goes on with the others where a candidate was of no use', async () => {
    const { search, failures } = setUp(has, has);
    const first = await search.next();
    search.failed(first!, new UntrustedError('no signature'));
    assert.equal((await search.next())?.substituter.uri, 'b');
    assert.equal(search.lastError?.code, 'ERR_UNTRUSTED');
    assert.deepEqual(failures, []);
  });

  test('ends where nobody has it, after those who only remember so have been asked for something fresher', async () => {
    const { stores, search } = setUp(lacks, lacks);
    assert.equal(await search.next(), undefined);
    const ages = stores.map(({ asked }) => asked.map(({ options }) => options.maxNegativeAge));
    assert.deepEqual(ages, [
      [undefined, 60],
      [undefined, 60],
    ]);
  });

  test('finds what was built since it was last asked for', async () => {
    let times = 0;
    const { search } = setUp((asked) => (times++ === 0 ? asked.lacks() : asked.has()));
    assert.equal((await search.next())?.substituter.uri, 'a');
  });

  test('asks with patience in the end whoever failed for a passing reason', async () => {
    let times = 0;
    const { stores, search } = setUp((asked) => (times++ === 0 ? asked.fails(refused) : asked.has()), lacks);
    assert.equal((await search.next())?.substituter.uri, 'a');
    assert.deepEqual(
      stores[0]!.asked.map(({ options }) => options.impatient),
      [true, false],
    );
  });

  test('turns with patience to whose transfer failed for a passing reason, after all others have failed twice', async () => {
    const { search } = setUp(has, has);
    for (const [uri, impatient] of [
      ['a', true],
      ['b', true],
      ['a', true],
      ['b', false],
      ['a', false],
    ] as const) {
      const candidate = await search.next();
      assert.deepEqual([candidate?.substituter.uri, candidate?.impatient], [uri, impatient]);
      search.failed(candidate!, refused);
    }
    assert.equal(await search.next(), undefined);
    assert.equal(search.lastError, refused);
  });

  test('is patient from the beginning with a single substituter', async () => {
    const { stores, search } = setUp(fails);
    assert.equal(await search.next(), undefined);
    assert.deepEqual(
      stores[0]!.asked.map(({ options }) => options.impatient),
      [false],
    );
  });

  test('leaves out who is set aside as long as others can help', async () => {
    const { substituters, search, asked } = setUp(has, has);
    for (let time = 0; time < 3; time++) substituters[0]!.breaker.failed(refused);
    assert.equal((await search.next())?.substituter.uri, 'b');
    assert.deepEqual(asked(), [0, 1]);
  });

  test('asks who is set aside when nobody else has it', async () => {
    const { substituters, search } = setUp(has, lacks);
    for (let time = 0; time < 3; time++) substituters[0]!.breaker.failed(refused);
    assert.equal((await search.next())?.substituter.uri, 'a');
  });

  test('never asks who is of no use at all, and has the reason where nobody else could be asked', async () => {
    const reason = new TransferError('no binary cache');
    for (const answers of [[has], [has, lacks]]) {
      const { substituters, search, asked } = setUp(...answers);
      substituters[0]!.breaker.disable(reason);
      assert.equal(await search.next(), undefined);
      assert.equal(asked()[0], 0);
      assert.equal(search.lastError, answers.length === 1 ? reason : undefined);
    }
  });

  test('makes one request for many searches where the only one who could have it is down', async () => {
    const store = new ScriptedStore('a');
    const substituter = watched(store);
    for (let time = 0; time < 3; time++) substituter.breaker.failed(refused);
    const searches = ['x', 'y', 'z'].map((name) => new PathSearch(NAMED(name), [substituter], { signal }));
    const ended = searches.map((search) => search.next());
    await settle();
    assert.equal(store.asked.length, 1);
    store.asked[0]!.fails(refused);
    assert.deepEqual(await Promise.all(ended), [undefined, undefined, undefined]);
    assert.deepEqual(
      searches.map(({ lastError }) => lastError),
      [refused, refused, refused],
    );
  });

  test('is over when its signal aborts', async () => {
    const controller = new AbortController();
    const search = new PathSearch(path, [watched(new ScriptedStore('a'))], { signal: controller.signal });
    const next = search.next();
    controller.abort();
    await assert.rejects(next, { name: 'AbortError' });
  });
});

describe('a late answer', () => {
  const late = (context: TestContext) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    let now = 0;
    const [slow, quick] = [new ScriptedStore('slow'), new ScriptedStore('quick', has)];
    const substituters = [slow, quick].map((store) => watched(store, { now: () => now }));
    const pass = async (milliseconds: number): Promise<void> => {
      now += milliseconds;
      context.mock.timers.tick(milliseconds);
      for (let turn = 0; turn < 3; turn++) await settle();
    };
    const search = (name = 'app'): PathSearch => new PathSearch(NAMED(name), substituters, { signal });
    return { slow, quick, substituters, pass, search, now: () => now };
  };

  test('is waited for as long as is usual, then the next is asked as well', async (context) => {
    const { quick, pass, search } = late(context);
    const found = search().next();
    await pass(999);
    assert.equal(quick.asked.length, 0);
    await pass(1);
    assert.equal((await found)?.substituter.uri, 'quick');
  });

  test('counts all the same where it comes first', async (context) => {
    const { slow, quick, substituters, pass } = late(context);
    quick.asked.length = 0;
    const silent = watched(new ScriptedStore('silent'));
    const found = new PathSearch(path, [substituters[0]!, silent], { signal }).next();
    await pass(1_000);
    slow.asked[0]!.has();
    assert.equal((await found)?.substituter.uri, 'slow');
  });

  test('makes the next searches ask both at once', async (context) => {
    const { slow, pass, search } = late(context);
    const first = search('x').next();
    await pass(1_000);
    await first;
    assert.equal((await search('y').next())?.substituter.uri, 'quick');
    assert.equal(slow.asked.length, 2);
  });

  test('is none where it comes while the next is about to be asked', async (context) => {
    const { slow, pass, search } = late(context);
    const first = search('x').next();
    await pass(1_000);
    await first;
    const second = search('y').next();
    slow.asked[1]!.lacks();
    assert.equal((await second)?.substituter.uri, 'quick');
  });

  test('is not waited for where a candidate was of no use, and somebody else can be asked', async (context) => {
    const { slow, quick, substituters, pass } = late(context);
    const third = new ScriptedStore('third', has);
    const search = new PathSearch(path, [...substituters, watched(third)], { signal });
    const found = search.next();
    await pass(1_000);
    search.failed((await found)!, refused);
    assert.equal((await search.next())?.substituter.uri, 'third');
    assert.deepEqual([slow.asked.length, quick.asked.length], [1, 1]);
  });

  test('counts after those who can still be asked, once a candidate was of no use', async (context) => {
    const { slow, substituters, pass } = late(context);
    const third = watched(new ScriptedStore('third', has));
    const search = new PathSearch(path, [...substituters, third], { signal });
    const found = search.next();
    await pass(1_000);
    const quick = await found;
    slow.asked[0]!.has();
    await pass(0);
    search.failed(quick!, refused);
    assert.equal((await search.next())?.substituter.uri, 'third');
    assert.equal((await search.next())?.substituter.uri, 'slow');
  });

  test('is not held back for one who does not answer at all', async (context) => {
    const { slow, substituters, pass, now } = late(context);
    const silent = watched(new ScriptedStore('silent'), { now });
    const search = new PathSearch(path, [...substituters, silent], { signal });
    const found = search.next();
    await pass(1_000);
    const quick = await found;
    slow.asked[0]!.has();
    await pass(0);
    search.failed(quick!, refused);
    const next = search.next();
    await pass(1_000);
    assert.equal((await next)?.substituter.uri, 'slow');
  });

  test('is not waited for any more where its substituter is set aside', async () => {
    const silent = watched(new ScriptedStore('silent'));
    const search = new PathSearch(path, [silent, watched(new ScriptedStore('other', has))], { signal });
    const found = search.next();
    silent.breaker.trip(refused);
    assert.equal((await found)?.substituter.uri, 'other');
  });

  test('is none where its substituter was set aside before', async (context) => {
    const { slow, quick, substituters, pass } = late(context);
    const third = watched(new ScriptedStore('third'), { now: () => 0 });
    const search = new PathSearch(path, [...substituters, third], { signal });
    const found = search.next();
    substituters[0]!.breaker.trip(refused);
    const candidate = await found;
    await pass(1_000);
    search.failed(candidate!, new UntrustedError('no signature'));
    const next = search.next();
    await pass(0);
    slow.asked[1]?.has();
    assert.deepEqual([quick.asked.length, third.breaker.isOpen], [1, false]);
    (third.store as ScriptedStore).asked[0]!.has();
    assert.equal((await next)?.substituter.uri, 'third');
  });

  test('sets the substituter aside after three', async (context) => {
    const { slow, substituters, pass, search } = late(context);
    const found = ['x', 'y', 'z'].map((name) => search(name).next());
    await pass(1_000);
    await Promise.all(found);
    assert.ok(substituters[0]!.breaker.isOpen);
    assert.ok(substituters[0]!.breaker.reason instanceof TimedOutError);
    await search('more').next();
    assert.equal(slow.asked.length, 3);
  });

  test('is none where more was asked than there are connections, and answers keep coming', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    let now = 0;
    const [busy, other] = [new ScriptedStore('busy'), new ScriptedStore('other', has)];
    const substituters = [watched(busy, { now: () => now, connections: 1 }), watched(other)];
    const searches = ['x', 'y', 'z'].map((name) => new PathSearch(NAMED(name), substituters, { signal }).next());
    for (let index = 0; index < 3; index++) {
      now += 900;
      context.mock.timers.tick(900);
      for (let turn = 0; turn < 3; turn++) await settle();
      busy.asked[index]!.has();
    }
    const found = await Promise.all(searches);
    assert.deepEqual(
      found.map((candidate) => candidate?.substituter.uri),
      ['busy', 'busy', 'busy'],
    );
    assert.equal(other.asked.length, 0);
  });
});
