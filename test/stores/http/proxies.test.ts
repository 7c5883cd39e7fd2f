import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../../src/errors.ts';
import { type Environment, readProxies } from '../../../src/stores/http/proxies.ts';

const proxyFor = (environment: Environment, url: string): string | undefined =>
  readProxies(environment)?.proxyFor(new URL(url))?.href;

/** As curl 8.14 chooses: its manual, "ENVIRONMENT". */
const CHOICES: readonly (readonly [
  what: string,
  environment: Environment,
  http: string | undefined,
  https: string | undefined,
])[] = [
  ['nothing is set', {}, undefined, undefined],
  ['all is empty', { http_proxy: '', https_proxy: '', ALL_PROXY: '' }, undefined, undefined],
  ['each has its own', { http_proxy: 'http://a:1', https_proxy: 'http://b:2' }, 'http://a:1/', 'http://b:2/'],
  ['there is one for https', { HTTPS_PROXY: 'http://b:2' }, undefined, 'http://b:2/'],
  ['there is one for http', { http_proxy: 'http://a:1' }, 'http://a:1/', undefined],
  ['HTTP_PROXY is set, which others may set by a header', { HTTP_PROXY: 'http://a:1' }, undefined, undefined],
  ['there is one for all', { ALL_PROXY: 'http://c:3' }, 'http://c:3/', 'http://c:3/'],
  [
    'small letters differ',
    { https_proxy: 'b:2', HTTPS_PROXY: 'x:1', all_proxy: 'c:3', ALL_PROXY: 'x:1' },
    'http://c:3/',
    'http://b:2/',
  ],
  ['it is empty, but there is one for all', { http_proxy: '', all_proxy: 'c:3' }, 'http://c:3/', 'http://c:3/'],
];

/** Each names the proxy in full. */
const SPELLINGS = [
  ['host', 'http://host:1080/'],
  ['host:3128', 'http://host:3128/'],
  ['http://host', 'http://host:1080/'],
  ['http://host:80', 'http://host/'],
  ['HTTP://host:3128/', 'http://host:3128/'],
  ['https://host', 'https://host/'],
  ['https://host:8443/path', 'https://host:8443/'],
  ['me:p%40ss@host:3128', 'http://me:p%40ss@host:3128/'],
  ['[::1]:3128', 'http://[::1]:3128/'],
  ['[::1]', 'http://[::1]:1080/'],
  ['socks5://host', 'socks5://host:1080'],
  ['socks5h://host:9050', 'socks5://host:9050'],
] as const;

const REJECTED = ['ftp://secret@host', 'socks4://secret@host:1', 'http://', 'http://secret@ho st:1', 'host:secret'];

const EXCEPTIONS: readonly (readonly [list: string, without: readonly string[], through: readonly string[]])[] = [
  ['', ['127.0.0.1', '127.1.2.3', 'localhost', 'x.localhost', '[::1]'], ['a.example', '10.0.0.1']],
  ['*', ['a.example', '127.0.0.1', '[::1]'], []],
  ['a.example', ['a.example', 'x.a.example', 'A.EXAMPLE', 'a.example.'], ['b.example', 'xa.example', 'a.example.org']],
  ['.a.example', ['a.example', 'x.a.example'], ['xa.example']],
  ['*.a.example', ['x.a.example'], ['b.example']],
  ['a.example., b.example c.example', ['a.example', 'b.example', 'c.example'], ['d.example']],
  ['a,192.168.0.1', ['a', '192.168.0.1'], ['192.168.0.2']],
  ['10.0.0.0/8', ['10.1.2.3'], ['11.0.0.1', '10.example']],
  ['::2,[fe80::]/10', ['[::2]', '[0:0:0:0:0:0:0:2]', '[fe80::1]'], ['[::3]']],
  ['0.1', [], ['10.0.0.1']],
  ['10.0.0.0/40,,/8', [], ['10.0.0.1']],
];

describe('the proxy of a URL', () => {
  for (const [what, environment, http, https] of CHOICES) {
    test(`is the one of its scheme where ${what}`, () => {
      assert.equal(proxyFor(environment, 'http://host/'), http);
      assert.equal(proxyFor(environment, 'https://host/'), https);
    });
  }

  for (const [text, url] of SPELLINGS) {
    test(`may be spelled ${text}`, () => assert.equal(proxyFor({ https_proxy: text }, 'https://x/'), url));
  }

  for (const text of REJECTED) {
    test(`is not ${text}, and the error does not say so`, () => {
      assert.throws(
        () => proxyFor({ https_proxy: text }, 'https://x/'),
        (error) =>
          error instanceof UsageError &&
          !/secret/.test(`${error.message}${error.hint}`) &&
          /'https_proxy'/.test(error.message),
      );
      assert.equal(proxyFor({ https_proxy: text }, 'http://x/'), undefined);
    });
  }

  for (const [list, without, through] of EXCEPTIONS) {
    test(`is none for the hosts of no_proxy '${list}'`, () => {
      const environment = { http_proxy: 'proxy:1', no_proxy: list };
      for (const host of without) assert.equal(proxyFor(environment, `http://${host}:8080/`), undefined, host);
      for (const host of through) assert.equal(proxyFor(environment, `http://${host}/`), 'http://proxy:1/', host);
    });
  }

  test('looks at NO_PROXY, too', () =>
    assert.equal(proxyFor({ http_proxy: 'p', NO_PROXY: 'x' }, 'http://x/'), undefined));
});
