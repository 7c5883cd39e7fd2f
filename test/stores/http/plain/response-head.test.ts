import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseResponseHead } from '../../../../src/stores/http/plain/response-head.ts';

const head = (...lines: string[]): string => lines.join('\r\n');

describe('the head of a response', () => {
  test('has status, headers by lower-case name, and a length', () => {
    const text = head('HTTP/1.1 200 OK', 'ETag:"x"', 'Content-Length: 12 ', 'X-Empty:');
    assert.deepEqual(parseResponseHead(text), {
      status: 200,
      headers: { etag: '"x"', 'content-length': '12', 'x-empty': '' },
      length: 12,
      isLast: false,
    });
  });

  for (const [what, lines, expected] of [
    ['without a reason', ['HTTP/1.1 404', 'content-length: 0'], [404, 0, false]],
    ['that says that it is the last', ['HTTP/1.1 200 OK', 'content-length: 1', 'Connection: Close'], [200, 1, true]],
    ['of HTTP/1.0', ['HTTP/1.0 200 OK', 'content-length: 1'], [200, 1, true]],
    ['of HTTP/1.0 that is kept', ['HTTP/1.0 200 OK', 'content-length: 1', 'connection: keep-alive'], [200, 1, false]],
    ['with a body that ends with the connection', ['HTTP/1.1 200 OK'], [200, Number.POSITIVE_INFINITY, true]],
    ['with a body in chunks', ['HTTP/1.1 200 OK', 'Transfer-Encoding: Chunked'], [200, undefined, false]],
    ['of a status without a body', ['HTTP/1.1 304 Not Modified', 'content-length: 7'], [304, 0, false]],
  ] as const) {
    test(`${what} is understood`, () => {
      const { status, length, isLast } = parseResponseHead(head(...lines))!;
      assert.deepEqual([status, length, isLast], expected);
    });
  }

  for (const [reason, ...lines] of [
    ['no HTTP', 'ICY 200 OK'],
    ['a status that is none', 'HTTP/1.1 99 OK'],
    ['an interim response', 'HTTP/1.1 100 Continue'],
    ['another version', 'HTTP/2 200 OK', 'content-length: 0'],
    ['a line that is no header', 'HTTP/1.1 200 OK', 'content-length'],
    ['white space in a name', 'HTTP/1.1 200 OK', 'content-length : 1'],
    ['a folded line', 'HTTP/1.1 200 OK', 'x: 1', ' content-length: 1'],
    ['a bare line feed', 'HTTP/1.1 200 OK', 'x: 1\ncontent-length: 1'],
    ['a NUL', 'HTTP/1.1 200 OK', 'x: \0'],
    ['two lengths', 'HTTP/1.1 200 OK', 'content-length: 1', 'Content-Length: 1'],
    ['a length and chunks', 'HTTP/1.1 200 OK', 'content-length: 1', 'transfer-encoding: chunked'],
    ['another encoding', 'HTTP/1.1 200 OK', 'transfer-encoding: gzip, chunked'],
    ['a negative length', 'HTTP/1.1 200 OK', 'content-length: -1'],
    ['a length in base 16', 'HTTP/1.1 200 OK', 'content-length: 0x10'],
    ['a list of lengths', 'HTTP/1.1 200 OK', 'content-length: 1, 1'],
    ['a length beyond all numbers', 'HTTP/1.1 200 OK', `content-length: ${'9'.repeat(16)}`],
    ['an upgrade', 'HTTP/1.1 200 OK', 'content-length: 1', 'connection: upgrade'],
    ['a name that every object has', 'HTTP/1.1 200 OK', '__proto__: x', 'content-length: 1'],
  ] as const) {
    test(`with ${reason} is left to others`, () => assert.equal(parseResponseHead(head(...lines)), undefined));
  }
});
