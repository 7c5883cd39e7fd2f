/** Peers that lie, flood, break off or hang. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { type ErrorCode, RemoteError, SluiceError } from '../../../src/errors.ts';
import { printDigest } from '../../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, printStorePath } from '../../../src/formats/store-path.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import { backOff } from '../../../src/stores/back-off.ts';
import { openStore } from '../../../src/stores/open-store.ts';
import { isRemoteStore, type RemoteStore } from '../../../src/stores/remote-store.ts';
import { installSsh } from '../../support/fake-ssh.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { type ScriptedPeer, startPeer } from '../../support/scripted-peer.ts';
import { collect, makeObject, narSource } from '../../support/store-objects.ts';
import { file } from '../../support/trees.ts';
import { wire } from '../../support/wire.ts';

const [NEXT, LAST, ERROR] = [0x6f6c6d67, 0x616c7473, 0x63787470] as const;
/** What a daemon of version 1.34 says until it is asked something. */
const HELLO = wire(0x6478696f, 0x122, '2.8.0', LAST);
const OBJECT = makeObject('object', file('x'.repeat(100_000)));
const { path, narHash, narSize } = OBJECT.info;
const FULL = printStorePath(DEFAULT_STORE_DIR, path);
const INFO = wire(LAST, 1, '', printDigest(narHash, 'base16'), 0, 0, narSize, 0, 0, '');
const FAILED = [ERROR, 'Error', 0, 'Error', 'no', 0, 0] as const;

async function open(
  speak: (socket: Socket) => void,
  resources: AsyncDisposableStack,
  settings: Partial<Settings> = {},
): Promise<{ readonly store: RemoteStore; readonly peer: ScriptedPeer }> {
  const peer = await startPeer(await temporaryDirectory(resources), resources, speak);
  const store = resources.use(await openStore(peer.uri, makeSettings({ connectTimeout: 20, ...settings })));
  assert.ok(isRemoteStore(store));
  return { store, peer };
}

const fails = (code: ErrorCode, said: RegExp) => (error: unknown) =>
  error instanceof SluiceError && error.code === code && said.test(error.message);

/** What it says in answer to a question about a path. */
const ANSWERS: readonly (readonly [why: string, said: Buffer, code: ErrorCode, message: RegExp])[] = [
  ['is something else', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'ERR_TRANSFER', /worker protocol: .*'HTTP/],
  ['is too old', wire(0x6478696f, 0x115), 'ERR_TRANSFER', /version 1\.21/],
  ['is too new', wire(0x6478696f, 0x226), 'ERR_TRANSFER', /version 2\.38/],
  ['says nothing and leaves', Buffer.alloc(0), 'ERR_TRANSFER', /ended early/],
  ['has a version of absurd length', wire(0x6478696f, 0x122, 2n ** 60n), 'ERR_TRANSFER', /length of/],
  ['refuses', wire(0x6478696f, 0x122, '2.8.0', ...FAILED), 'ERR_REMOTE', /': no$/],
  ['tells something of absurd length', Buffer.concat([HELLO, wire(NEXT, 2n ** 62n)]), 'ERR_FORMAT', /length of/],
  ['tells what nobody knows', Buffer.concat([HELLO, wire(1)]), 'ERR_FORMAT', /unknown kind/],
  [
    'has endless references',
    Buffer.concat([HELLO, wire(LAST, 1, '', '0'.repeat(64), 2n ** 53n - 1n)]),
    'ERR_FORMAT',
    /count of/,
  ],
  [
    'has a reference elsewhere',
    Buffer.concat([HELLO, wire(LAST, 1, '', '0'.repeat(64), 1, '/etc/passwd')]),
    'ERR_FORMAT',
    /passwd/,
  ],
];

describe('a peer that', () => {
  for (const [why, said, code, message] of ANSWERS) {
    test(`${why} is said so, and is not spoken to again on that connection`, async () => {
      await using resources = new AsyncDisposableStack();
      const { store, peer } = await open((socket) => void socket.end(said), resources);
      await assert.rejects(store.queryPathInfo(path), fails(code, message));
      await assert.rejects(store.queryPathInfo(path), SluiceError);
      assert.equal(peer.connections(), 2);
    });
  }

  test('breaks off anywhere is said so', async () => {
    await using resources = new AsyncDisposableStack();
    const whole = Buffer.concat([HELLO, INFO]);
    let length = 0;
    const { store } = await open((socket) => void socket.end(whole.subarray(0, length)), resources);
    for (length = 0; length < whole.length; length++) {
      await assert.rejects(
        store.queryPathInfo(path),
        fails('ERR_TRANSFER', /ended early|EPIPE|ECONNRESET/),
        `at ${length}`,
      );
    }
    assert.equal((await store.queryPathInfo(path))?.narSize, narSize);
  });

  test('breaks off in the middle of a NAR is said so', async () => {
    await using resources = new AsyncDisposableStack();
    const said = Buffer.concat([HELLO, wire(LAST), OBJECT.nar.subarray(0, -1)]);
    const { store } = await open((socket) => void socket.end(said), resources);
    await assert.rejects(
      collect((sink) => store.narFromPath(OBJECT.info, sink)),
      fails('ERR_TRANSFER', /ended early/),
    );
  });

  test('sends more after a NAR is closed, and the NAR is what it is', async () => {
    await using resources = new AsyncDisposableStack();
    const said = Buffer.concat([HELLO, wire(LAST), OBJECT.nar, Buffer.from('more')]);
    const { store, peer } = await open((socket) => void socket.write(said), resources);
    for (let round = 1; round <= 2; round++) {
      assert.ok((await collect((sink) => store.narFromPath(OBJECT.info, sink))).equals(OBJECT.nar));
      assert.equal(peer.connections(), round);
    }
  });

  test('says why it failed can be asked again on the same connection', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, peer } = await open((socket) => {
      socket.write(HELLO);
      let answer = wire(...FAILED);
      socket.on('data', (chunk) => {
        if (!chunk.includes(FULL)) return;
        socket.write(answer);
        answer = INFO;
      });
    }, resources);
    await assert.rejects(store.queryPathInfo(path), RemoteError);
    assert.equal((await store.queryPathInfo(path))?.path, path);
    assert.equal(peer.connections(), 1);
  });

  test('wants no more of what it is sent gets no more', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await open((socket) => {
      socket.write(HELLO);
      socket.on('data', (chunk) => {
        if (chunk.includes(FULL)) socket.write(wire(...FAILED));
      });
    }, resources);
    let poured = 0;
    const endless = async (sink: (chunk: Uint8Array) => void | Promise<void>): Promise<void> => {
      const large = makeObject('large', file('y'.repeat(50_000_000)));
      await narSource(large.nar)(async (chunk) => {
        poured += chunk.length;
        await sink(chunk);
        await new Promise(setImmediate);
      });
    };
    const info = { ...OBJECT.info, narSize: 60_000_000 };
    await assert.rejects(store.addMultipleToStore([{ info, nar: endless }]), RemoteError);
    assert.ok(poured < 50_000_000);
  });
});

describe('a peer that hangs', () => {
  for (const [where, said, setting] of [
    ['before it says hello', Buffer.alloc(0), 'connect-timeout'],
    ['in the middle of its hello', HELLO.subarray(0, 20), 'connect-timeout'],
    ['instead of an answer', HELLO, 'narinfo-timeout'],
    ['in the middle of an answer', Buffer.concat([HELLO, INFO.subarray(0, 50)]), 'narinfo-timeout'],
  ] as const) {
    test(`${where} is given up`, async () => {
      await using resources = new AsyncDisposableStack();
      const settings = { connectTimeout: 1, narinfoTimeout: 1 };
      const { store } = await open((socket) => void socket.write(said), resources, settings);
      await assert.rejects(store.queryPathInfo(path), fails('ERR_TIMED_OUT', new RegExp(setting)));
    });
  }

  test('in the middle of a NAR is given up', async () => {
    await using resources = new AsyncDisposableStack();
    const said = Buffer.concat([HELLO, wire(LAST), OBJECT.nar.subarray(0, 70_000)]);
    const { store } = await open((socket) => void socket.write(said), resources, { stalledDownloadTimeout: 1 });
    await assert.rejects(
      collect((sink) => store.narFromPath(OBJECT.info, sink)),
      fails('ERR_TIMED_OUT', /silent for 1 s \(setting 'stalled-download-timeout'\)/),
    );
  });

  test('and takes nothing is given up', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await open((socket) => void socket.pause().write(HELLO), resources, {
      stalledDownloadTimeout: 1,
    });
    const large = makeObject('large', file('y'.repeat(5_000_000)));
    await assert.rejects(
      store.addMultipleToStore([{ info: large.info, nar: narSource(large.nar) }]),
      fails('ERR_TIMED_OUT', /stalled-download-timeout/),
    );
  });

  test('but talks all the time is given up, in bounded memory', async () => {
    await using resources = new AsyncDisposableStack();
    const line = wire(NEXT, 'x'.repeat(100_000));
    const { store } = await open(
      (socket) => {
        socket.write(HELLO);
        const talk = (): void => {
          while (socket.writable && socket.write(line));
        };
        socket.on('drain', talk);
        talk();
      },
      resources,
      { narinfoTimeout: 1 },
    );
    const before = process.memoryUsage().rss;
    await assert.rejects(store.queryPathInfo(path), fails('ERR_TIMED_OUT', /has not answered for 1 s/));
    assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024);
  });
});

async function isGone(pid: number): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await backOff(attempt);
  }
}

describe('an ssh', () => {
  test('that hangs is killed with all that it has started, and leaves no file', async () => {
    await using resources = new AsyncDisposableStack();
    const directory = await temporaryDirectory(resources);
    // It ends for no signal that it can do something about, and neither does its child.
    const hang = 'while :; do sleep 1000; done';
    installSsh(
      directory,
      `trap '' TERM; sh -c "trap '' TERM; ${hang}" & echo $$ $! > ${directory}/made; mv ${directory}/made ${directory}/pids; ${hang}`,
      resources,
    );
    const hostKey = encodeURIComponent(btoa('ssh-ed25519 AAAA'));
    const uri = `ssh-ng://host?base64-ssh-public-host-key=${hostKey}`;
    await using store = await openStore(uri, makeSettings({ connectTimeout: 2 }));
    await assert.rejects(
      store.isValidPath(path),
      fails('ERR_TIMED_OUT', /^'ssh-ng:\/\/host' has not answered for 2 s/),
    );
    const pids = readFileSync(`${directory}/pids`, 'utf8').trim().split(' ').map(Number);
    assert.equal(pids.length, 2);
    await Promise.all(pids.map(isGone));
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.startsWith('sluice-ssh-')),
      [],
    );
  });

  test('that talks on its standard error for ever is heard in bounded memory', async () => {
    await using resources = new AsyncDisposableStack();
    const directory = await temporaryDirectory(resources);
    installSsh(directory, `touch ${directory}/started; yes "a line of noise" >&2`, resources);
    await using store = await openStore('ssh://host', makeSettings({ connectTimeout: 1 }));
    const before = process.memoryUsage().rss;
    await assert.rejects(store.isValidPath(path), fails('ERR_TIMED_OUT', /connect-timeout/));
    assert.ok(existsSync(`${directory}/started`));
    assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024);
  });

  test('that fails is quoted, at its end, without what a terminal would obey', async () => {
    await using resources = new AsyncDisposableStack();
    const directory = await temporaryDirectory(resources);
    installSsh(
      directory,
      `yes noise | head -n 100000 >&2; printf 'no \\033[31mroute\\033[0m\\n\\n' >&2; exit 255`,
      resources,
    );
    await using store = await openStore('ssh://host', makeSettings());
    await assert.rejects(store.isValidPath(path), (error) => {
      assert.ok(error instanceof SluiceError);
      assert.match(error.message, /^cannot open 'ssh:\/\/host': ssh has failed: .*noise; no route$/);
      assert.ok(error.message.length < 3_000);
      return true;
    });
  });
});
