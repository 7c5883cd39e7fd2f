import assert from 'node:assert/strict';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { BUILTINS } from '../../../src/build/builtins/builtins.ts';
import { hashBytes } from '../../../src/formats/hash.ts';
import { makeSharedLimit, RateLimit } from '../../../src/pool/rate-limit.ts';
import type { Settings } from '../../../src/settings.ts';
import { failsWith, inventedPath } from '../../support/built-outputs.ts';
import { type HttpCache, type Misbehave, serveCache } from '../../support/http-cache.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { type BuiltinRun, builtinContext } from '../../support/run-builtin.ts';
import { bytes } from '../../support/seeded.ts';

const CONTENTS = Buffer.from(bytes(500_000, { seed: 3 }));
const FIXED = { method: 'flat', hash: hashBytes('sha256', CONTENTS) } as const;
const FAST = { filetransferRetryDelay: 1, netrcFile: '', buildUsersGroup: '' } as const;

interface Fetch {
  readonly env: Readonly<Record<string, string>>;
  readonly settings?: Partial<Settings>;
  readonly signal?: AbortSignal;
  readonly fixed?: boolean;
  readonly limit?: RateLimit;
}

class Case {
  readonly dir: string;
  readonly out: string;
  readonly told: BuiltinRun = { log: [], downloaded: 0 };

  constructor(dir: string) {
    this.dir = dir;
    this.out = join(dir, 'out');
    mkdirSync(join(dir, 'served'));
    writeFileSync(join(dir, 'served/file'), CONTENTS);
  }

  async serve(resources: AsyncDisposableStack, misbehave?: Misbehave): Promise<HttpCache> {
    return resources.use(await serveCache(join(this.dir, 'served'), misbehave));
  }

  async fetch({ env, settings, signal, fixed = true, limit: downloadLimit }: Fetch): Promise<void> {
    const outputs = new Map([['out', { path: inventedPath('test'), ...(fixed && { contentAddress: FIXED }) }]]);
    const derivation = { builder: 'builtin:fetchurl', env: new Map(Object.entries(env)), outputs };
    const options = { settings: { ...FAST, ...settings }, ...(signal && { signal }) };
    await BUILTINS.fetchurl!({ ...builtinContext(derivation, this.out, options, this.told), downloadLimit });
  }
}

const open = async (resources: AsyncDisposableStack): Promise<Case> => new Case(await temporaryDirectory(resources));

describe('builtin:fetchurl', () => {
  test('downloads a file, and tells how much has come', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const server = await one.serve(resources);
    await one.fetch({ env: { url: `${server.url}/file` } });
    assert.deepEqual(readFileSync(one.out), CONTENTS);
    assert.equal(one.told.downloaded, CONTENTS.length);
    assert.equal(lstatSync(one.out).mode & 0o777, 0o644);
  });

  test('keeps to download-speed', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const server = await one.serve(resources);
    const limit = new RateLimit(makeSharedLimit(1024)!); // for 0.5 MB, of which a tenth of a second comes at once
    const started = performance.now();
    await one.fetch({ env: { url: `${server.url}/file` }, limit });
    assert.ok(performance.now() - started > 300);
    assert.deepEqual(readFileSync(one.out), CONTENTS);
  });

  test('makes it executable where that is wanted', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const server = await one.serve(resources);
    await one.fetch({ env: { url: `${server.url}/file`, executable: '1' } });
    assert.equal(lstatSync(one.out).mode & 0o777, 0o755);
  });

  test('goes on where a connection broke', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    let first = true;
    const server = await one.serve(resources, () => {
      const broken = first;
      first = false;
      return broken ? { truncate: 200_000 } : undefined;
    });
    await one.fetch({ env: { url: `${server.url}/file` } });
    assert.deepEqual(readFileSync(one.out), CONTENTS);
    assert.match(one.told.log.join('\n'), /trying again/);
  });

  test('keeps the encoding that a server says it has', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const body = gzipSync('text');
    const server = await one.serve(resources, () => ({ body, headers: { 'content-encoding': 'gzip' } }));
    await one.fetch({ env: { url: `${server.url}/file` } });
    assert.deepEqual(readFileSync(one.out), body);
  });

  test('follows redirects to another host, with its password for the first one only', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const seen: (string | undefined)[] = [];
    const last = await one.serve(resources, (_, { headers }) => void seen.push(headers.authorization));
    const first = await one.serve(resources, (_, { headers }) => {
      seen.push(headers.authorization);
      return { status: 302, headers: { location: `${last.url}/file` } };
    });
    await one.fetch({ env: { url: `${first.url.replace('//', '//user:secret@')}/x` } });
    assert.deepEqual(readFileSync(one.out), CONTENTS);
    assert.deepEqual(seen, [`Basic ${btoa('user:secret')}`, undefined]);
  });

  test('turns to the next of several URLs, and names the last one without its password', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const server = await one.serve(resources);
    const gone = `${server.url}/gone`;
    await one.fetch({ env: { url: gone, urls: `${gone} ${server.url}/file` } });
    assert.deepEqual(readFileSync(one.out), CONTENTS);
    const secret = `${server.url.replace('//', '//user:secret@')}/gone?token=secret`;
    const other = await open(resources);
    await assert.rejects(other.fetch({ env: { url: gone, urls: secret } }), (error: Error) => {
      assert.ok(failsWith('transientFailure', /unable to download 'http:\/\/127.*\/gone.*status 404/)(error));
      return ![error.message, ...other.told.log].join().includes('secret');
    });
    assert.equal(existsSync(other.out), false);
  });

  test('asks hashed mirrors first, and only for files that are hashed as they are', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const server = await one.serve(resources);
    const settings = { hashedMirrors: [`${server.url}/mirror`] };
    await one.fetch({ env: { url: `${server.url}/file` }, settings });
    const hex = Buffer.from(FIXED.hash.digest).toString('hex');
    assert.deepEqual(
      server.requests.map((name) => name.replace(/^\//, '')),
      [`mirror/sha256/${hex}`, 'file'],
    );
  });

  test('ends where it is cancelled, and leaves nothing', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const controller = new AbortController();
    const server = await one.serve(resources, () => {
      setImmediate(() => controller.abort());
      return { after: new Promise(() => {}) };
    });
    await assert.rejects(one.fetch({ env: { url: `${server.url}/file` }, signal: controller.signal }), {
      name: 'AbortError',
    });
    assert.equal(existsSync(one.out), false);
  });

  test('reads files of this machine, and of no other', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const { href } = pathToFileURL(join(one.dir, 'served/file'));
    await one.fetch({ env: { url: href.replace('file://', 'file://localhost') } });
    assert.deepEqual(readFileSync(one.out), CONTENTS);
    const other = await open(resources);
    await assert.rejects(
      other.fetch({ env: { url: href.replace('file://', 'file://elsewhere') } }),
      failsWith('transientFailure', /on host 'elsewhere'/),
    );
    await assert.rejects(
      other.fetch({ env: { url: 'file:///dev/zero' } }),
      failsWith('transientFailure', /no regular file/),
    );
    await assert.rejects(
      other.fetch({ env: { url: 'ftp://host/file' } }),
      failsWith('transientFailure', /no way to fetch 'ftp:'/),
    );
    await assert.rejects(other.fetch({ env: { url: 'nonsense' } }), failsWith('transientFailure', /no URL/));
  });

  const notRoot = process.getuid?.() === 0 ? false : 'only root reads what others may not';
  test('reads no file that the users who run builders could not', { skip: notRoot }, async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const settings = { buildUsersGroup: 'nixbld' };
    const file = join(one.dir, 'served/file');
    const { href } = pathToFileURL(file);
    const refused = failsWith('transientFailure', /served\/file' is not for everybody to read/);
    await assert.rejects(one.fetch({ env: { url: href }, settings }), refused); // in a directory of mode 0700
    chmodSync(one.dir, 0o755);
    await one.fetch({ env: { url: href }, settings });
    rmSync(one.out);
    chmodSync(file, 0o640);
    symlinkSync(file, join(one.dir, 'link'));
    await assert.rejects(one.fetch({ env: { url: pathToFileURL(join(one.dir, 'link')).href }, settings }), refused);
  });

  test('takes no NAR that is none, and leaves nothing of it', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const server = await one.serve(resources);
    writeFileSync(join(one.dir, 'served/file.xz'), CONTENTS);
    for (const url of [`${server.url}/file`, `${server.url}/file.xz`]) {
      await assert.rejects(one.fetch({ env: { url, unpack: '1' } }), failsWith('transientFailure', /invalid/));
      assert.equal(existsSync(one.out), false);
    }
  });

  test('is for outputs whose hash is known', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    await assert.rejects(
      one.fetch({ env: { url: 'http://127.0.0.1/' }, fixed: false }),
      failsWith('permanentFailure', /must be a fixed-output derivation/),
    );
    await assert.rejects(one.fetch({ env: {} }), failsWith('permanentFailure', /attribute 'url' missing/));
  });
});
