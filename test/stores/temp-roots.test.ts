import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Libc, loadLibc } from '../../src/stores/libc.ts';
import { TempRoots } from '../../src/stores/temp-roots.ts';
import { emptyStore, stage, temporaryDirectory } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { numberedObject } from '../support/numbered-objects.ts';
import { needs, output } from '../support/run.ts';
import { MEBIBYTE, noTmpfs, Tmpfs } from '../support/tmpfs.ts';

const PATHS = ['/nix/store/00000000000000000000000000000000-a', '/nix/store/11111111111111111111111111111111-b'];

interface Fixture {
  readonly libc: Libc;
  readonly stateDir: string;
  readonly tempRoots: TempRoots;
}

async function openFixture(resources: AsyncDisposableStack, deep = ''): Promise<Fixture> {
  const stateDir = join(await temporaryDirectory(resources), deep);
  mkdirSync(join(stateDir, 'temproots'), { recursive: true });
  const libc = loadLibc();
  return { libc, stateDir, tempRoots: resources.use(new TempRoots(libc, stateDir)) };
}

/** What stands in the one file under temproots. */
function rootsIn(stateDir: string): string[] {
  const [file, ...more] = readdirSync(join(stateDir, 'temproots'));
  assert.deepEqual(more, []);
  return readFileSync(join(stateDir, 'temproots', file!), 'latin1')
    .split('\0')
    .slice(0, -1);
}

/** A collector that runs: it holds gc.lock, and `answer` deals with each of its clients. */
async function collector(
  { libc, stateDir }: Fixture,
  resources: AsyncDisposableStack,
  answer: (client: Socket, lock: FileHandle) => void,
): Promise<void> {
  const file = join(stateDir, 'gc.lock');
  const lock = await open(file, 'a');
  resources.defer(() => lock.close());
  assert.ok(libc.tryLock(lock.fd, 'exclusive', file));
  mkdirSync(join(stateDir, 'gc-socket'));
  const server = resources.use(createServer((client) => answer(client, lock)));
  const cwd = process.cwd();
  process.chdir(join(stateDir, 'gc-socket')); // as the path may be too long for a socket
  server.listen('socket');
  await once(server, 'listening');
  process.chdir(cwd);
}

describe('temporary roots', () => {
  test('are all written or none, and hold up no collector where the disk is full', { skip: noTmpfs }, async () => {
    await using disk = Tmpfs.mount({ size: MEBIBYTE });
    mkdirSync(join(disk.path, 'temproots'));
    const libc = loadLibc();
    using tempRoots = new TempRoots(libc, disk.path);
    await tempRoots.add(PATHS);
    disk.fill(4096);
    const many = Array.from({ length: 200 }, (_, number) => `/nix/store/${number}`.padEnd(60, '0'));
    const refused = { code: 'ERR_STORE', message: /cannot protect paths .*ENOSPC/, hint: /make room/ };
    await assert.rejects(tempRoots.add(many), refused);
    assert.deepEqual(rootsIn(disk.path), PATHS);
    const gcLock = join(disk.path, 'gc.lock');
    const collector = await open(gcLock, 'a');
    assert.ok(libc.tryLock(collector.fd, 'exclusive', gcLock));
    await collector.close();
    disk.empty();
    await tempRoots.add(many);
    assert.deepEqual(rootsIn(disk.path), [...PATHS, ...many]);
  });

  test('stand in a locked file that starts with the process id, each ended by NUL', async () => {
    await using resources = new AsyncDisposableStack();
    const { libc, stateDir, tempRoots } = await openFixture(resources);
    await tempRoots.add(PATHS);
    await tempRoots.add(PATHS.slice(0, 1)); // known already
    assert.deepEqual(rootsIn(stateDir), PATHS);
    const [name] = readdirSync(join(stateDir, 'temproots'));
    assert.equal(Number.parseInt(name!, 10), process.pid);
    const file = join(stateDir, 'temproots', name!);
    await using seen = await open(file);
    assert.equal(libc.tryLock(seen.fd, 'exclusive', file), false);
  });

  test('end when they are disposed', async () => {
    await using resources = new AsyncDisposableStack();
    const { stateDir, tempRoots } = await openFixture(resources);
    await tempRoots.add(PATHS);
    tempRoots[Symbol.dispose]();
    assert.deepEqual(readdirSync(join(stateDir, 'temproots')), []);
  });

  for (const [where, deep] of [
    ['', ''],
    [', where the name of its socket is too long', 'd'.repeat(120)],
  ] as const) {
    test(`are told to a collector that runs already${where}`, async () => {
      await using resources = new AsyncDisposableStack();
      const fixture = await openFixture(resources, deep);
      let told = '';
      await collector(fixture, resources, (client) => {
        client.on('data', (chunk) => {
          told += chunk;
          client.write('1'.repeat(String(chunk).split('\n').length - 1));
        });
      });
      await fixture.tempRoots.add(PATHS);
      assert.deepEqual(told, PATHS.map((path) => `${path}\n`).join(''));
      assert.deepEqual(rootsIn(fixture.stateDir), PATHS);
    });
  }

  test('are told once more to a collector that runs when they have become permanent, and are not written twice', async () => {
    await using resources = new AsyncDisposableStack();
    const fixture = await openFixture(resources);
    const { stateDir, tempRoots } = fixture;
    await tempRoots.add(PATHS);
    await tempRoots.tellAgain(PATHS);
    let told = '';
    await collector(fixture, resources, (client) => {
      client.on('data', (chunk) => {
        told += chunk;
        client.write('1');
      });
    });
    await tempRoots.tellAgain(PATHS.slice(0, 1));
    assert.equal(told, `${PATHS[0]}\n`);
    assert.deepEqual(rootsIn(stateDir), PATHS);
  });

  test('are kept when the collector ends instead of answering', async () => {
    await using resources = new AsyncDisposableStack();
    const fixture = await openFixture(resources);
    await collector(fixture, resources, (client, lock) => {
      fixture.libc.unlock(lock.fd, 'gc.lock');
      client.destroy();
    });
    await fixture.tempRoots.add(PATHS);
    assert.deepEqual(rootsIn(fixture.stateDir), PATHS);
  });

  test('are given up when the signal says so', async () => {
    await using resources = new AsyncDisposableStack();
    const fixture = await openFixture(resources);
    const controller = new AbortController();
    const reason = new Error('not needed');
    await collector(fixture, resources, (client) => {
      client.on('error', () => {});
      controller.abort(reason);
    });
    await assert.rejects(fixture.tempRoots.add(PATHS, controller.signal), reason);
  });

  test('protect valid paths from a stock collector, and no longer than they last', { skip: nixMissing }, async () => {
    await using resources = new AsyncDisposableStack();
    const { root, store, staging } = await emptyStore(resources);
    const nix = await Nix.open(await temporaryDirectory(resources));
    const objects = [numberedObject(0), numberedObject(1)];
    await store.registerStaged(stage(staging, ...objects));
    await nix.output('nix-store', '--store', root, '--gc');
    assert.equal((await store.queryAllValidPaths()).length, 2);
    await store[Symbol.asyncDispose]();
    await nix.output('nix-store', '--store', root, '--gc');
    assert.ok(objects.every(({ info }) => !existsSync(store.realPath(info.path))));
  });

  // Nix 2.8 libstore/gc.cc reads the file that _NIX_TEST_GC_SYNC names when it has found its roots.
  const gcCanPause = nixMissing ? { skip: nixMissing } : needs('mkfifo');
  test('protect from a stock collector that has found its roots already', gcCanPause, async () => {
    await using resources = new AsyncDisposableStack();
    const { root, store } = await emptyStore(resources);
    const nix = await Nix.open(await temporaryDirectory(resources));
    const contents = join(await temporaryDirectory(resources), 'contents');
    const [kept, dead] = ['kept', 'dead'].map((name) => join(contents, name));
    mkdirSync(kept!, { recursive: true });
    mkdirSync(dead!);
    const paths = (await nix.output('nix-store', '--store', root, '--add', kept!, dead!)).trim().split('\n');

    const fifo = join(contents, 'fifo');
    await output('mkfifo', [fifo]);
    const env = { ...process.env, ...nix.env, _NIX_TEST_GC_SYNC: fifo, _NIX_TEST_GC_SYNC_2: fifo };
    using gc = spawn('nix-store', ['--store', root, '--gc'], { env, stdio: 'ignore' });
    const exited = once(gc, 'exit');
    const goOn = await open(fifo, 'w'); // opens when the collector waits there
    const [keptPath] = (await store.queryAllValidPaths()).filter((path) => paths[0]!.endsWith(path));
    await store.addTempRoots([keptPath!]);
    await goOn.close();
    assert.deepEqual(await exited, [0, null]);
    assert.deepEqual(await store.queryAllValidPaths(), [keptPath]);
  });
});
