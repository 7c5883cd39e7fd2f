import assert from 'node:assert/strict';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { StoreError } from '../../../src/errors.ts';
import { findS3Credentials, type S3Credentials } from '../../../src/stores/s3/credentials.ts';
import { serveCache } from '../../support/http-cache.ts';
import { ANONYMOUS, WRITER } from '../../support/s3-server.ts';

/** Sets variables of this process's environment, until it is disposed of. Empty ones are removed. */
function withEnvironment(variables: Readonly<Record<string, string>>): Disposable {
  const cleanup = new DisposableStack();
  for (const [name, value] of Object.entries({ AWS_SESSION_TOKEN: '', ...variables })) {
    const before = process.env[name];
    cleanup.defer(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
    if (value === '') delete process.env[name];
    else process.env[name] = value;
  }
  return cleanup;
}

async function find(profile?: string): Promise<S3Credentials | undefined> {
  return findS3Credentials({ profile, region: 'us-east-1' })();
}

describe('the credentials for S3', () => {
  test('come from the environment', async () => {
    using _ = withEnvironment({ ...WRITER, AWS_SESSION_TOKEN: 'session' });
    const found = await find();
    assert.deepEqual(
      [found?.accessKeyId, found?.secretAccessKey, found?.sessionToken],
      ['test:writer', 'writing', 'session'],
    );
  });

  test('come from a profile, by its name or by AWS_PROFILE, and a named one goes before the environment', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
    const file = join(scratch.path, 'credentials');
    await writeFile(file, '[work]\naws_access_key_id = worker\naws_secret_access_key = working\n');
    using _ = withEnvironment({ ...WRITER, AWS_SHARED_CREDENTIALS_FILE: file });
    assert.equal((await find())?.accessKeyId, 'test:writer');
    assert.equal((await find('work'))?.accessKeyId, 'worker');
    using __ = withEnvironment({ ...ANONYMOUS, AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: 'work' });
    assert.equal((await find())?.accessKeyId, 'worker');
  });

  test('are none where there are none, which is asked once', async () => {
    const source = findS3Credentials({ profile: undefined, region: 'us-east-1' });
    using _ = withEnvironment(ANONYMOUS);
    assert.equal(await source(), undefined);
    using __ = withEnvironment(WRITER);
    assert.equal(await source(), undefined);
  });

  test('must be there for a profile that is named', async () => {
    using _ = withEnvironment(WRITER);
    await assert.rejects(find('gone'), (error) => {
      assert.ok(error instanceof StoreError);
      assert.match(error.message, /AWS credentials of profile 'gone': Could not load credentials/);
      return !/writing/.test(error.message);
    });
  });

  test('of a container are asked for again before they expire', async () => {
    const { promise: askedAgain, resolve } = Promise.withResolvers<void>();
    let asked = 0;
    await using container = await serveCache('/nowhere', () => {
      const minutes = ++asked === 1 ? 4 : 60;
      if (asked === 2) resolve();
      const expiration = new Date(Date.now() + minutes * 60_000).toISOString();
      const found = { AccessKeyId: `key-${asked}`, SecretAccessKey: 'x', Token: 'y', Expiration: expiration };
      return { status: 200, body: Buffer.from(JSON.stringify(found)) };
    });
    using _ = withEnvironment({ ...ANONYMOUS, AWS_CONTAINER_CREDENTIALS_FULL_URI: `${container.url}/role` });
    const source = findS3Credentials({ profile: undefined, region: 'us-east-1' });
    const key = async (): Promise<string | undefined> => (await source())?.accessKeyId;
    assert.equal(await key(), 'key-1');
    assert.equal(await key(), 'key-1'); // still good, while others are asked for
    await askedAgain;
    while ((await key()) !== 'key-2') await setImmediate();
    assert.equal(await key(), 'key-2');
    assert.equal(asked, 2);
  });
});
