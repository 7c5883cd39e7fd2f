import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { DEFAULT_STORE_DIR, hashPart } from '../../../src/formats/store-path.ts';
import { acquireGcLock } from '../../../src/stores/gc/gc-lock.ts';
import { openRootServer, prepareRootSocket } from '../../../src/stores/gc/root-server.ts';
import { readTempRoots } from '../../../src/stores/gc/temp-root-files.ts';
import { loadLibc } from '../../../src/stores/libc.ts';
import { TempRoots } from '../../../src/stores/temp-roots.ts';
import { full, pathOf } from '../../support/gc-store.ts';
import { temporaryDirectory } from '../../support/local-store.ts';

const libc = loadLibc();
const storeDir = DEFAULT_STORE_DIR;
const PATHS = ['a', 'b', 'c'].map(pathOf);

async function makeState(resources: AsyncDisposableStack, deep = ''): Promise<string> {
  const stateDir = join(await temporaryDirectory(resources), deep);
  mkdirSync(join(stateDir, 'temproots'), { recursive: true });
  return stateDir;
}

describe('a running collector', () => {
  for (const deep of ['', 'long-'.repeat(30)]) {
    test(`is told of roots that come meanwhile${deep && ', below a long directory'}`, async () => {
      await using resources = new AsyncDisposableStack();
      const stateDir = await makeState(resources, deep);
      using _lock = await acquireGcLock(libc, stateDir);
      const told: string[] = [];
      const onRoot = (digits: string): undefined => void told.push(digits);
      await using _server = await openRootServer({ stateDir, storeDir, onRoot });
      assert.equal(statSync(join(stateDir, 'gc-socket/socket')).mode & 0o777, 0o666);
      using roots = new TempRoots(libc, stateDir);
      await roots.add(PATHS.map(full));
      assert.deepEqual(told, PATHS.map(hashPart));
    });
  }

  test('has a socket before it has the lock, on which nobody answers yet', async () => {
    await using resources = new AsyncDisposableStack();
    const stateDir = await makeState(resources);
    await prepareRootSocket(stateDir);
    await prepareRootSocket(stateDir); // there is one
    const dir = join(stateDir, 'gc-socket');
    assert.deepEqual(readdirSync(dir), ['socket']);
    const [error] = await once(createConnection(join(dir, 'socket')), 'error').catch((thrown: unknown) => [thrown]);
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED');
  });

  test('removes what a killed one left', async () => {
    await using resources = new AsyncDisposableStack();
    const stateDir = await makeState(resources);
    const dir = join(stateDir, 'gc-socket');
    mkdirSync(dir);
    writeFileSync(join(dir, '123-0123456789ab'), '');
    using _lock = await acquireGcLock(libc, stateDir);
    await using _server = await openRootServer({ stateDir, storeDir, onRoot: () => undefined });
    assert.deepEqual(readdirSync(dir), ['socket']);
  });

  test('answers after what is being deleted is gone, and in order', async () => {
    await using resources = new AsyncDisposableStack();
    const stateDir = await makeState(resources);
    using _lock = await acquireGcLock(libc, stateDir);
    const asked = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const onRoot = (digits: string): Promise<void> | undefined => {
      asked.resolve();
      return digits === hashPart(PATHS[1]!) ? gone.promise : undefined;
    };
    await using _server = await openRootServer({ stateDir, storeDir, onRoot });
    using roots = new TempRoots(libc, stateDir);
    let added = false;
    const adding = roots.add(PATHS.map(full)).then(() => {
      added = true;
    });
    await asked.promise;
    for (let turn = 0; turn < 20; turn++) await setImmediate();
    assert.equal(added, false);
    gone.resolve();
    await adding;
  });

  test('lets go of those who wait when it ends, and leaves nothing behind', async () => {
    await using resources = new AsyncDisposableStack();
    const stateDir = await makeState(resources);
    const asked = Promise.withResolvers<void>();
    using roots = new TempRoots(libc, stateDir);
    let adding: Promise<void>;
    {
      using _lock = await acquireGcLock(libc, stateDir);
      const never = (): Promise<void> => {
        asked.resolve();
        return new Promise(() => {});
      };
      await using _server = await openRootServer({ stateDir, storeDir, onRoot: never });
      adding = roots.add([full(PATHS[0]!)]);
      await asked.promise;
    }
    await adding; // by the lock, which is free now
    assert.deepEqual(readdirSync(join(stateDir, 'gc-socket')), ['socket']);
    assert.deepEqual(
      readTempRoots(libc, stateDir, storeDir).roots.map(({ path }) => path),
      [PATHS[0]],
    );
  });

  test('is one at a time', async () => {
    await using resources = new AsyncDisposableStack();
    const stateDir = await makeState(resources);
    const waits = Promise.withResolvers<void>();
    let second: Promise<Disposable>;
    {
      using _first = await acquireGcLock(libc, stateDir);
      second = acquireGcLock(libc, stateDir, { onWait: waits.resolve });
      await waits.promise;
    }
    using _second = await second;
  });
});

describe('files of temporary roots', () => {
  test('are read as long as their process lives, and removed then', async () => {
    await using resources = new AsyncDisposableStack();
    const stateDir = await makeState(resources);
    {
      using roots = new TempRoots(libc, stateDir);
      await roots.add(PATHS.map(full));
      const found = readTempRoots(libc, stateDir, storeDir).roots;
      assert.deepEqual(
        found.map(({ path }) => path),
        PATHS,
      );
      assert.equal(found[0]!.from, `{temp:${process.pid}}`);
    }
    const stale = join(stateDir, 'temproots/1234');
    writeFileSync(stale, `${full(PATHS[0]!)}\0`);
    writeFileSync(join(stateDir, 'temproots/.keep'), '');
    const { roots, messages } = readTempRoots(libc, stateDir, storeDir);
    assert.deepEqual(roots, []);
    assert.deepEqual(messages, [`removing stale temporary roots file '${stale}'`]);
    assert.ok(!existsSync(stale));
  });
});
