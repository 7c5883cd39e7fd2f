import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TransferError, UsageError } from '../../../src/errors.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import { type HttpAgent, openAgent } from '../../../src/stores/http/agent.ts';
import { ForwardProxy, type ProxyOptions } from '../../support/forward-proxy.ts';
import { getBody } from '../../support/get-body.ts';
import { listen } from '../../support/listen.ts';
import { needs } from '../../support/run.ts';
import { makeScratch } from '../../support/scratch.ts';
import { makeCertificate, type TestCertificate } from '../../support/test-certificate.ts';

const BODY = 'hello '.repeat(1000);

interface SetUp {
  readonly http: string;
  readonly https: string;
  readonly proxy: ForwardProxy;
  /** Which versions of HTTP the server over TLS has spoken. */
  readonly versions: readonly string[];
  open(environment: Record<string, string>, settings?: Partial<Settings>): HttpAgent;
}

/** Two servers, one of them over TLS, and a proxy. */
async function setUp(
  resources: AsyncDisposableStack,
  makeOptions: (certificate: TestCertificate) => ProxyOptions = () => ({}),
): Promise<SetUp> {
  const [scratch, certificate] = await Promise.all([makeScratch(), makeCertificate()]);
  resources.use(scratch);
  const sslCertFile = join(scratch.path, 'cert.pem');
  await writeFile(sslCertFile, certificate.cert);
  const versions: string[] = [];
  const [http, https] = await Promise.all([
    listen(
      createServer((_, response) => response.end(BODY)),
      resources,
    ),
    listen(
      createSecureServer({ ...certificate, allowHTTP1: true }, ({ httpVersion }, response) => {
        versions.push(httpVersion);
        response.end(BODY);
      }),
      resources,
    ),
  ]);
  const proxy = resources.use(await ForwardProxy.open(makeOptions(certificate)));
  return {
    http: `http://server.test:${http}/`,
    https: `https://server.test:${https}/`,
    proxy,
    versions,
    open: (environment, settings) => {
      const agent = openAgent(makeSettings({ sslCertFile, ...settings }), environment);
      return resources.adopt(agent, () => agent.destroy());
    },
  };
}

describe('requests through a proxy', needs('openssl'), () => {
  test('are forwarded where they are http, and tunnelled where they are https', async () => {
    await using resources = new AsyncDisposableStack();
    const { http, https, proxy, open } = await setUp(resources);
    const agent = open({ all_proxy: `127.0.0.1:${proxy.port}` });
    for (let count = 0; count < 3; count++) {
      assert.equal(await getBody(`${http}x?y=${count}`, agent), BODY);
      assert.equal(await getBody(https, agent), BODY);
    }
    const tunnel = `CONNECT ${new URL(https).host}`;
    assert.deepEqual(proxy.requests, [`GET ${http}x?y=0`, tunnel, `GET ${http}x?y=1`, `GET ${http}x?y=2`]);
  });

  for (const http2 of [true, false]) {
    test(`speak ${http2 ? 'HTTP/2' : 'HTTP/1.1'} with the server where setting http2 is ${http2}`, async () => {
      await using resources = new AsyncDisposableStack();
      const { https, proxy, open, versions } = await setUp(resources);
      await getBody(https, open({ https_proxy: `127.0.0.1:${proxy.port}` }, { http2 }));
      assert.deepEqual(versions, [http2 ? '2.0' : '1.1']);
    });
  }

  test('are not those to this machine itself', async () => {
    await using resources = new AsyncDisposableStack();
    const { http, https, proxy, open } = await setUp(resources);
    const agent = open({ all_proxy: `127.0.0.1:${proxy.port}` });
    const own = (url: string): string => url.replace('server.test', '127.0.0.1');
    assert.equal(await getBody(own(http), agent), BODY);
    assert.equal(await getBody(own(https), agent), BODY);
    assert.deepEqual(proxy.requests, []);
  });

  test('give it user name and password, and no message has them', async () => {
    await using resources = new AsyncDisposableStack();
    const { http, https, proxy, open } = await setUp(resources, () => ({ credentials: 'me:p@ss' }));
    const agent = open({ all_proxy: `http://me:p%40ss@127.0.0.1:${proxy.port}` });
    assert.equal(await getBody(http, agent), BODY);
    assert.equal(await getBody(https, agent), BODY);

    const wrong = open({ all_proxy: `http://me:geheim@127.0.0.1:${proxy.port}` });
    for (const url of [http, https]) {
      await assert.rejects(getBody(url, wrong), (error) => {
        assert.ok(error instanceof TransferError);
        assert.deepEqual([error.status, error.transient], [407, false]);
        assert.ok(error.message.includes(`proxy 'http://127.0.0.1:${proxy.port}'`), error.message);
        assert.match(error.hint ?? '', /USER:PASSWORD/);
        assert.doesNotMatch(`${error.message}${error.hint}`, /geheim|me:/);
        return true;
      });
    }
  });

  test('go to a proxy that speaks TLS', async () => {
    await using resources = new AsyncDisposableStack();
    const { http, https, proxy, open } = await setUp(resources, (tls) => ({ tls }));
    const agent = open({ all_proxy: `https://localhost:${proxy.port}` });
    assert.equal(await getBody(http, agent), BODY);
    assert.equal(await getBody(https, agent), BODY);
    assert.equal(proxy.requests.length, 2);
  });

  test('do not trust a server whose certificate does not count', async () => {
    await using resources = new AsyncDisposableStack();
    const { https, proxy, open } = await setUp(resources);
    const agent = open({ all_proxy: `127.0.0.1:${proxy.port}` }, { sslCertFile: '' });
    await assert.rejects(getBody(https, agent), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  });

  for (const [status, transient] of [
    [403, false],
    [502, true],
  ] as const) {
    test(`fail ${transient ? 'for now' : 'for good'} where it refuses a tunnel with status ${status}`, async () => {
      await using resources = new AsyncDisposableStack();
      const { https, proxy, open } = await setUp(resources, () => ({ status }));
      const agent = open({ all_proxy: `127.0.0.1:${proxy.port}` });
      await assert.rejects(getBody(https, agent), (error) => {
        return error instanceof TransferError && error.status === status && error.transient === transient;
      });
    });
  }

  test('fail where it hangs up or is not there, and say which proxy', async () => {
    await using resources = new AsyncDisposableStack();
    const { http, https, proxy, open } = await setUp(resources, () => ({ hangUp: true }));
    for (const port of [proxy.port, 1]) {
      const agent = open({ all_proxy: `http://me:geheim@127.0.0.1:${port}` });
      for (const url of [http, https]) {
        await assert.rejects(getBody(url, agent), (error) => {
          assert.match(String(error), new RegExp(`through proxy 'http://127.0.0.1:${port}'`));
          assert.doesNotMatch(String(error), /geheim/);
          return true;
        });
      }
    }
  });

  test('fail where the variable names none, and only those that would need it', async () => {
    await using resources = new AsyncDisposableStack();
    const { http, https, proxy, open } = await setUp(resources);
    const agent = open({ http_proxy: `127.0.0.1:${proxy.port}`, https_proxy: 'gopher://geheim@host' });
    assert.equal(await getBody(http, agent), BODY);
    await assert.rejects(
      getBody(https, agent),
      (error) => error instanceof UsageError && !/geheim/.test(error.message),
    );
  });

  test('end with the agent, and later ones fail', async () => {
    await using resources = new AsyncDisposableStack();
    const { http, https, proxy, open } = await setUp(resources);
    const agent = open({ all_proxy: `127.0.0.1:${proxy.port}` });
    await Promise.all([getBody(http, agent), getBody(https, agent)]);
    await agent.destroy();
    await agent.destroy();
    for (const url of [http, https]) await assert.rejects(getBody(url, agent), /destroyed/);
  });
});
