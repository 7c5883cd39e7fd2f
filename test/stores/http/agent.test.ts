import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { SluiceError } from '../../../src/errors.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import { type HttpAgent, openAgent } from '../../../src/stores/http/agent.ts';
import { HttpTransport } from '../../../src/stores/http/transport.ts';
import { getBody } from '../../support/get-body.ts';
import { listen } from '../../support/listen.ts';
import { type NginxPlace, nginxConfiguration, startNginx } from '../../support/nginx.ts';
import { lines, needs } from '../../support/run.ts';
import { makeScratch } from '../../support/scratch.ts';
import { bytes } from '../../support/seeded.ts';
import { collect } from '../../support/store-objects.ts';
import { makeCertificate } from '../../support/test-certificate.ts';

const LARGE = Buffer.from(bytes(3_000_000, { seed: 3 }));

interface SetUp {
  readonly url: string;
  readonly sslCertFile: string;
  /** What nginx has logged: connection and protocol of each request. */
  log(): Promise<string[]>;
}

/** An nginx over TLS that speaks HTTP/2, with a small file and a large one. */
async function setUp(resources: AsyncDisposableStack): Promise<SetUp> {
  const { path } = resources.use(await makeScratch(64));
  const { key, cert } = await makeCertificate();
  const [keyFile, sslCertFile, log] = ['key.pem', 'cert.pem', 'access.log'].map((name) => join(path, name));
  const files = { [keyFile!]: key, [sslCertFile!]: cert, [join(path, 'small')]: 'hello', [join(path, 'large')]: LARGE };
  await Promise.all(Object.entries(files).map(([name, contents]) => writeFile(name, contents)));
  const configure = ({ directory, scratch, port }: NginxPlace): string =>
    nginxConfiguration(
      scratch,
      `
    log_format who '$connection $server_protocol';
    access_log ${log} who;
    server {
      listen 127.0.0.1:${port} ssl http2;
      ssl_certificate ${sslCertFile};
      ssl_certificate_key ${keyFile};
      root ${directory};
    }`,
    );
  const { url, ...nginx } = await startNginx(path, join(path, 'nginx'), configure);
  resources.defer(() => nginx[Symbol.asyncDispose]());
  return {
    url: url.replace('http:', 'https:'),
    sslCertFile: sslCertFile!,
    log: async () => lines(await readFile(log!, 'utf8')),
  };
}

function openIn(resources: AsyncDisposableStack, settings: Partial<Settings>): HttpAgent {
  const agent = openAgent(makeSettings(settings), {});
  return resources.adopt(agent, () => agent.destroy());
}

describe('HTTP/2', needs('nginx', 'openssl'), () => {
  test('is spoken with a server that does, over one connection', async () => {
    await using resources = new AsyncDisposableStack();
    const { url, sslCertFile, log } = await setUp(resources);
    const agent = openIn(resources, { sslCertFile });
    const bodies = await Promise.all(Array.from({ length: 60 }, () => getBody(`${url}/small`, agent)));
    assert.deepEqual(new Set(bodies), new Set(['hello']));
    const requests = await log();
    assert.equal(requests.length, 60);
    assert.equal(new Set(requests).size, 1);
    assert.match(requests[0]!, /HTTP\/2.0/);
  });

  for (const [http2, offered] of [
    [true, ['h2', 'http/1.1']],
    [false, ['http/1.1']],
  ] as const) {
    test(`is ${http2 ? 'what is offered first' : 'not offered'} where setting http2 is ${http2}`, async () => {
      await using resources = new AsyncDisposableStack();
      const seen: string[][] = [];
      const ALPNCallback = ({ protocols }: { readonly protocols: string[] }): undefined => void seen.push(protocols);
      const server = createTlsServer({ ...(await makeCertificate()), ALPNCallback });
      server.on('tlsClientError', () => {});
      const url = `https://127.0.0.1:${await listen(server, resources)}`;
      await assert.rejects(getBody(url, openIn(resources, { http2 })));
      assert.deepEqual(seen, [offered]);
    });
  }

  test('is not spoken where setting http2 is off', async () => {
    await using resources = new AsyncDisposableStack();
    const { url, sslCertFile, log } = await setUp(resources);
    const agent = openIn(resources, { sslCertFile, http2: false, httpConnections: 3 });
    await Promise.all(Array.from({ length: 20 }, () => getBody(`${url}/small`, agent)));
    const requests = await log();
    assert.equal(new Set(requests).size, 3);
    assert.ok(requests.every((each) => each.endsWith('HTTP/1.1')));
  });

  test('brings many large files at once, whether the sinks hold them back or not', async () => {
    await using resources = new AsyncDisposableStack();
    const { url, sslCertFile, log } = await setUp(resources);
    const transport = resources.use(new HttpTransport(url, makeSettings({ sslCertFile })));
    const fetchOne = async (slow: boolean): Promise<boolean> => {
      const poured = await collect((sink) =>
        transport.streamFile('large', (chunk) => {
          sink(chunk);
          return slow ? new Promise<void>(setImmediate) : undefined;
        }),
      );
      return poured.equals(LARGE);
    };
    const equal = await Promise.all(Array.from({ length: 8 }, (_, index) => fetchOne(index % 2 === 0)));
    assert.deepEqual(new Set(equal), new Set([true]));
    assert.match((await log())[0]!, /HTTP\/2.0/);
  });
});

describe('an HTTP/2 server that gives up', needs('openssl'), () => {
  const FAILURES: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> = {
    'resets the stream': (stream) => stream.close(2), // INTERNAL_ERROR
    'resets the stream in the middle': (stream) => {
      stream.respond({ ':status': 200, 'content-length': 10 });
      stream.write('hello', () => stream.close(2));
    },
    'sends GOAWAY and closes': (stream) => {
      stream.session!.goaway(0, 0);
      stream.session!.destroy();
    },
    'ends the stream early': (stream) => {
      stream.respond({ ':status': 200, 'content-length': 10 });
      stream.end('hello');
    },
    'ends the connection': (stream) => stream.session!.socket.destroy(),
  };
  for (const [what, fail] of Object.entries(FAILURES)) {
    test(`and ${what} fails for now, and another attempt succeeds`, async () => {
      await using resources = new AsyncDisposableStack();
      const { path } = resources.use(await makeScratch());
      const certificate = await makeCertificate();
      const sslCertFile = join(path, 'cert.pem');
      await writeFile(sslCertFile, certificate.cert);
      let asked = 0;
      const server = createSecureServer(certificate, () => {}).on('stream', (stream) => {
        stream.on('error', () => {});
        if (++asked <= 3) return fail(stream);
        stream.respond({ ':status': 200 });
        stream.end('hello');
      });
      server.on('session', (session) => session.on('error', () => {}));
      const port = await listen(server, resources);
      const settings = { sslCertFile, filetransferRetryDelay: 1, filetransferRetryAttempts: 1 };
      const impatient = resources.use(new HttpTransport(`https://127.0.0.1:${port}`, makeSettings(settings)));
      await assert.rejects(impatient.getFile('x', 100), (error) => {
        assert.ok(error instanceof SluiceError);
        assert.ok(error.transient, error.message);
        return true;
      });
      const attempts = { ...settings, filetransferRetryAttempts: 5 };
      const patient = resources.use(new HttpTransport(`https://127.0.0.1:${port}`, makeSettings(attempts)));
      assert.equal(Buffer.from((await patient.getFile('x', 100))!).toString(), 'hello');
    });
  }
});

describe('connections', () => {
  test('are used again while they are younger than 90 s, whatever the server says', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    await using resources = new AsyncDisposableStack();
    let connections = 0;
    const server = createServer({ keepAliveTimeout: 600_000 }, (_, response) => response.end('hello'));
    server.on('connection', () => {
      connections++;
    });
    const url = `http://127.0.0.1:${await listen(server, resources)}`;
    const idle = (): Promise<void> => new Promise(setImmediate); // its timer starts when the response is done
    const agent = openIn(resources, { httpConnections: 1 });
    await getBody(url, agent);
    await idle();
    t.mock.timers.tick(80_000);
    await getBody(url, agent);
    assert.equal(connections, 1);
    await idle();
    t.mock.timers.tick(92_000);
    await idle();
    await getBody(url, agent);
    assert.equal(connections, 2);
  });

  test('are as many as there are requests where the setting is 0', async () => {
    await using resources = new AsyncDisposableStack();
    const all = Promise.withResolvers<void>();
    let waiting = 0;
    const server = createServer(async (_, response) => {
      if (++waiting === 80) all.resolve();
      await all.promise;
      response.end('hello');
    });
    const url = `http://127.0.0.1:${await listen(server, resources)}`;
    const agent = openIn(resources, { httpConnections: 0 });
    await Promise.all(Array.from({ length: 80 }, () => getBody(url, agent)));
    assert.equal(waiting, 80);
  });
});
