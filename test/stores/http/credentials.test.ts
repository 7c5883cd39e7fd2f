import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { StoreError } from '../../../src/errors.ts';
import { makeSettings } from '../../../src/settings.ts';
import { Credentials } from '../../../src/stores/http/credentials.ts';
import { HttpTransport } from '../../../src/stores/http/transport.ts';
import { type HttpCache, serveCache } from '../../support/http-cache.ts';
import { makeScratch } from '../../support/scratch.ts';

const NETRC = `
  machine cache.example login netrc password secret
  machine cache.example login other password two
  machine files.example login files password three
  default login all password four`;

/** What is sent to `url` by a cache at `base`, with the encoding undone. */
async function sent(base: string, url: string, netrc?: string): Promise<string | undefined> {
  await using scratch = await makeScratch();
  const file = join(scratch.path, 'netrc');
  if (netrc !== undefined) await writeFile(file, netrc);
  const header = await new Credentials(new URL(base), file).authorizationFor(new URL(url));
  return header === undefined ? undefined : Buffer.from(header.replace(/^Basic /, ''), 'base64').toString();
}

const CASES: readonly (readonly [what: string, base: string, url: string, words: string | undefined])[] = [
  ['those of the URL first', 'https://me:pw@cache.example/', 'https://cache.example/x', 'me:pw'],
  ['those of the URL decoded', 'https://m%40e:p%3Aw@cache.example/', 'https://cache.example/x', 'm@e:p:w'],
  ['a stray percent sign as it is', 'https://me:100%@cache.example/', 'https://cache.example/x', 'me:100%'],
  ['those of the netrc file for the host', 'https://cache.example/', 'https://cache.example/x', 'netrc:secret'],
  ['them whatever the port', 'https://cache.example:8443/', 'https://cache.example:8443/x', 'netrc:secret'],
  ['the password for the user of the URL', 'https://other@cache.example/', 'https://cache.example/x', 'other:two'],
  ['a user alone who has no password', 'https://nobody@cache.example/', 'https://cache.example/x', 'nobody:'],
  ['no password of the URL to another host', 'https://me:pw@cache.example/', 'https://files.example/x', 'files:three'],
  ['none of the URL to another port', 'https://me:pw@cache.example/', 'https://cache.example:444/x', 'netrc:secret'],
  ['those for all hosts to the cache', 'https://else.example/', 'https://else.example/x', 'all:four'],
  ['those for all hosts to no other', 'https://cache.example/', 'https://else.example/x', undefined],
  ['nothing over http where the cache is https', 'https://cache.example/', 'http://files.example/x', undefined],
  ['nothing over http to the cache itself then', 'https://cache.example/', 'http://cache.example/x', undefined],
  ['them over http where the cache is http', 'http://cache.example/', 'http://files.example/x', 'files:three'],
  ['them over https where the cache is http', 'http://cache.example/', 'https://files.example/x', 'files:three'],
];

describe('credentials', () => {
  for (const [what, base, url, words] of CASES) {
    test(`are ${what}`, async () => assert.equal(await sent(base, url, NETRC), words));
  }

  test('are those of the URL where there is no netrc file', async () => {
    assert.equal(await sent('https://me:pw@cache.example/', 'https://cache.example/x'), 'me:pw');
    assert.equal(await sent('https://cache.example/', 'https://cache.example/x'), undefined);
  });

  test('are taken out of the URL', () => {
    const base = new URL('https://me:pw@cache.example/x');
    new Credentials(base, '');
    assert.equal(base.href, 'https://cache.example/x');
  });

  test('go with each request, also after a redirect to another host', async () => {
    await using resources = new AsyncDisposableStack();
    const { path } = resources.use(await makeScratch());
    const file = join(path, 'netrc');
    await writeFile(file, 'machine 127.0.0.1 login one password 1 machine localhost login two password 2');
    await writeFile(join(path, 'x'), 'hello');
    const sent: (string | undefined)[] = [];
    const server: HttpCache = resources.use(
      await serveCache(path, (name, { headers: { authorization } }) => {
        sent.push(authorization && Buffer.from(authorization.replace('Basic ', ''), 'base64').toString());
        const location = server.url.replace('127.0.0.1', 'localhost');
        return name === 'moved' ? { status: 302, headers: { location: `${location}/x` } } : undefined;
      }),
    );
    const settings = makeSettings({ netrcFile: file });
    const transport = resources.use(new HttpTransport(server.url, settings));
    assert.equal(Buffer.from((await transport.getFile('moved', 5))!).toString(), 'hello');
    assert.deepEqual(sent, ['one:1', 'two:2']);
  });

  test('are read once', async () => {
    await using scratch = await makeScratch();
    const file = join(scratch.path, 'netrc');
    const url = new URL('https://a/');
    await writeFile(file, 'machine a login one');
    const first = await new Credentials(url, file).authorizationFor(url);
    await writeFile(file, 'machine a login two');
    assert.equal(await new Credentials(url, file).authorizationFor(url), first);
  });

  test('that cannot be read are an error without a word of them, until they can be', async () => {
    await using scratch = await makeScratch();
    const file = join(scratch.path, 'netrc');
    const url = new URL('https://a/');
    const ask = (): Promise<string | undefined> => new Credentials(url, file).authorizationFor(url);
    const rejected = (pattern: RegExp): Promise<void> =>
      assert.rejects(ask(), (error) => {
        assert.ok(error instanceof StoreError);
        assert.match(error.message, pattern);
        assert.ok(error.hint?.includes(file));
        assert.doesNotMatch(error.message, /geheim/);
        return true;
      });
    await writeFile(file, 'machine a login me password "geheim');
    await rejected(/a quote is not closed/);
    await writeFile(file, `machine a password geheim${' '.repeat(2 ** 20)}`);
    await rejected(/the file has \d+ bytes/);
    await writeFile(file, 'machine a login me password geheim');
    assert.equal(await ask(), `Basic ${Buffer.from('me:geheim').toString('base64')}`);
  });

  test('are never those of a directory', async () => {
    await using scratch = await makeScratch();
    const file = join(scratch.path, 'netrc');
    await mkdir(file);
    const url = new URL('https://a/');
    await assert.rejects(new Credentials(url, file).authorizationFor(url), StoreError);
  });
});
