import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { StoreError } from '../../../src/errors.ts';
import { makeSettings } from '../../../src/settings.ts';
import { type HttpAgent, openAgent } from '../../../src/stores/http/agent.ts';
import { certificateHint, trustOf } from '../../../src/stores/http/tls-trust.ts';
import { HttpTransport } from '../../../src/stores/http/transport.ts';
import { getBody } from '../../support/get-body.ts';
import { listen } from '../../support/listen.ts';
import { needs } from '../../support/run.ts';
import { makeScratch, type Scratch } from '../../support/scratch.ts';
import { makeCertificate } from '../../support/test-certificate.ts';

/** The two files of authorities that tests need: the server's own, and another. */
interface SetUp {
  readonly url: string;
  readonly scratch: Scratch;
  write(name: string, text: string): Promise<string>;
  readonly certificates: readonly [own: string, other: string];
  agent(sslCertFile: string): HttpAgent;
}

async function setUp(resources: AsyncDisposableStack): Promise<SetUp> {
  const scratch = resources.use(await makeScratch());
  const [own, other] = await Promise.all([makeCertificate(), makeCertificate()]);
  const server = createServer(own, (_, response) => response.end('hello'));
  server.on('tlsClientError', () => {});
  const port = await listen(server, resources);
  return {
    url: `https://127.0.0.1:${port}`,
    scratch,
    certificates: [own.cert, other.cert],
    write: async (name, text) => {
      await writeFile(join(scratch.path, name), text);
      return join(scratch.path, name);
    },
    agent: (sslCertFile) => resources.adopt(openAgent(makeSettings({ sslCertFile }), {}), (agent) => agent.destroy()),
  };
}

describe('certificates', () => {
  test('count where ssl-cert-file holds their authority, among others', needs('openssl'), async () => {
    await using resources = new AsyncDisposableStack();
    const { url, agent, write, certificates } = await setUp(resources);
    const file = await write('both.pem', `# authorities\n${certificates[1]}\n${certificates[0]}`);
    assert.equal(await getBody(url, agent(file)), 'hello');
  });

  test('do not count without, nor with another authority', needs('openssl'), async () => {
    await using resources = new AsyncDisposableStack();
    const { url, agent, write, certificates } = await setUp(resources);
    for (const file of ['', await write('other.pem', certificates[1])]) {
      await assert.rejects(getBody(url, agent(file)), (error) =>
        /ssl-cert-file/.test(certificateHint((error as NodeJS.ErrnoException).code) ?? ''),
      );
    }
  });

  test('that do not count fail a transfer for good, and the hint says what to do', needs('openssl'), async () => {
    await using resources = new AsyncDisposableStack();
    const { url } = await setUp(resources);
    const transport = resources.use(new HttpTransport(url, makeSettings()));
    await assert.rejects(transport.getFile('x', 5), (error: Error & { hint?: string; transient?: boolean }) => {
      return error.transient === false && error.message.includes(url) && /ssl-cert-file/.test(error.hint ?? '');
    });
  });

  test(
    'are read from a file that is named in whatever is wrong with it, until it is mended',
    needs('openssl'),
    async () => {
      await using resources = new AsyncDisposableStack();
      const { url, agent, write, certificates, scratch } = await setUp(resources);
      const file = join(scratch.path, 'bad.pem');
      const dispatcher = agent(file);
      const rejected = (pattern: RegExp): Promise<void> =>
        assert.rejects(getBody(url, dispatcher), (error) => {
          assert.ok(error instanceof StoreError);
          assert.ok(error.message.includes(file));
          assert.match(error.message, pattern);
          assert.match(error.hint ?? '', /ssl-cert-file/);
          return true;
        });
      await rejected(/ENOENT/);
      await write('bad.pem', 'nothing to see here');
      await rejected(/holds no certificate/);
      await write('bad.pem', `${certificates[0]}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`);
      await rejected(/asn1|ASN1|PEM/i);
      await write('bad.pem', certificates[0]);
      assert.equal(await getBody(url, dispatcher), 'hello');
    },
  );

  test('are not read where nothing is asked over https', async () => {
    await using resources = new AsyncDisposableStack();
    const { createServer: createPlainServer } = await import('node:http');
    const port = await listen(
      createPlainServer((_, response) => response.end('plain')),
      resources,
    );
    const agent = openAgent(makeSettings({ sslCertFile: '/no/such/file' }), {});
    resources.adopt(agent, () => agent.destroy());
    assert.equal(await getBody(`http://127.0.0.1:${port}`, agent), 'plain');
  });

  test('of Node are trusted where no file is named', async () => assert.deepEqual(await trustOf(''), {}));

  for (const code of ['ECONNRESET', 'UND_ERR_SOCKET', 'ERR_SSL_WRONG_VERSION_NUMBER', undefined]) {
    test(`have nothing to do with ${code ?? 'an error without a code'}`, () =>
      assert.equal(certificateHint(code), undefined));
  }
  test('of another host or time get other hints', () => {
    assert.match(certificateHint('ERR_TLS_CERT_ALTNAME_INVALID')!, /another host/);
    assert.match(certificateHint('CERT_HAS_EXPIRED')!, /clock/);
  });
});
