import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { HashMismatchError, TransferError } from '../../../src/errors.ts';
import type { HttpHead } from '../../../src/stores/http/exchange.ts';
import { ResumableBody } from '../../../src/stores/http/resumable-body.ts';

const FILE = 'abcdefghij';
const PLACE = new URL('http://host/file');

/** A body, and the server that sends it. */
function setUp(offset?: number, size?: number) {
  const taken: string[] = [];
  const body = new ResumableBody((chunk) => void taken.push(Buffer.from(chunk).toString()), offset, size);
  /** Answers a request, with the chunks of a body. Says what is wrong at the end, if there is one. */
  const answer = async (status: number, headers: HttpHead['headers'], chunks: (string | Uint8Array)[], ends = true) => {
    const head = { status, headers };
    const codec = body.open(PLACE, head);
    for (const chunk of chunks) await codec?.push(Buffer.from(chunk));
    if (!ends) return codec?.[Symbol.dispose]();
    await codec?.finish();
    return body.problem(PLACE, head);
  };
  return { body, answer, text: () => taken.join('') };
}

const rest = (from: number, to: number, size: number | string = FILE.length): HttpHead['headers'] => ({
  'content-range': `bytes ${from}-${to}/${size}`,
});

describe('a file that comes in parts', () => {
  test('asks for nothing special first, and for the rest then', async () => {
    const { body, answer, text } = setUp();
    assert.deepEqual(body.headers, { 'accept-encoding': 'identity' });
    await answer(200, { 'content-length': '10' }, ['ab', 'cd'], false);
    assert.deepEqual(body.headers, { 'accept-encoding': 'identity', range: 'bytes=4-' });
    assert.equal(await answer(206, rest(4, 9), ['efg', 'hij']), undefined);
    assert.deepEqual([text(), body.isWhole], [FILE, true]);
  });

  for (const [headers, condition] of [
    [{ etag: '"x"', 'last-modified': 'yesterday' }, '"x"'],
    [{ etag: 'W/"x"', 'last-modified': 'yesterday' }, 'yesterday'],
    [{ etag: 'W/"x"' }, undefined],
    [{}, undefined],
  ] as const) {
    test(`asks for the rest of the version with ${JSON.stringify(headers)}`, async () => {
      const { body, answer } = setUp();
      await answer(200, headers, ['ab'], false);
      assert.equal(body.headers['if-range'], condition);
    });
  }

  test('passes over what has come before, wherever the chunks end', async () => {
    for (let position = 1; position < FILE.length; position++) {
      for (let size = 1; size <= FILE.length; size++) {
        const { answer, text } = setUp();
        await answer(200, {}, [FILE.slice(0, position)], false);
        const chunks = Array.from({ length: Math.ceil(FILE.length / size) }, (_, index) =>
          FILE.slice(index * size, (index + 1) * size),
        );
        assert.equal(await answer(200, {}, chunks), undefined);
        assert.equal(text(), FILE);
      }
    }
  });

  test('is asked for as a whole once it was encoded', async () => {
    const { body, answer, text } = setUp(3);
    await answer(200, { 'content-encoding': 'gzip', 'content-length': '1' }, [gzipSync(FILE).subarray(0, -1)], false);
    assert.equal(body.headers.range, undefined);
    assert.equal(await answer(200, { 'content-encoding': 'gzip' }, [gzipSync(FILE)]), undefined);
    assert.equal(text(), FILE.slice(3));
  });

  for (const [why, headers] of [
    ['begins elsewhere', rest(3, 9)],
    ['has no range', {}],
    ['has several ranges', { 'content-type': 'multipart/byteranges; boundary=x' }],
    ['has a range that is none', rest(4, 9, 'all')],
    ['is encoded', { ...rest(4, 9), 'content-encoding': 'gzip' }],
  ] as const) {
    test(`is asked for as a whole after a part that ${why}`, async () => {
      const { body, answer, text } = setUp(4);
      const problem = await answer(206, headers, ['efghij']);
      assert.ok(problem?.transient);
      assert.equal(body.headers.range, undefined);
      assert.equal(await answer(200, {}, [FILE]), undefined);
      assert.equal(text(), 'efghij');
    });
  }

  test('is asked for again where the server sends less of the rest than there is', async () => {
    const { body, answer, text } = setUp(4);
    const problem = await answer(206, rest(4, 6), ['efg']);
    assert.ok(problem?.transient && problem.message.includes('ended after 7 of 10 bytes'));
    assert.equal(body.headers.range, 'bytes=7-');
    assert.equal(await answer(206, rest(7, 9), ['hij']), undefined);
    assert.equal(text(), 'efghij');
  });

  test('is asked for again where it ends early without saying so', async () => {
    const { answer } = setUp(0, 10);
    assert.ok((await answer(200, {}, ['abcd']))?.transient);
  });

  test('is whole with its last byte, however the response ends', async () => {
    const { body, answer } = setUp(0, 10);
    assert.equal(body.isWhole, false);
    await answer(200, {}, [FILE], false);
    assert.equal(body.isWhole, true);
  });

  test('is whole where nothing follows, says the server', async () => {
    const { body, answer } = setUp(10);
    assert.equal(await answer(416, { 'content-range': 'bytes */10' }, []), undefined);
    assert.equal(body.isWhole, true);
  });

  test('is asked for as a whole where the server has no such part, and does not say why', async () => {
    const { body, answer } = setUp(4);
    assert.ok((await answer(416, {}, []))?.transient);
    assert.equal(body.headers.range, undefined);
  });

  test('does not take a part that it did not ask for', async () => {
    for (const status of [206, 416]) {
      const { body, answer } = setUp();
      assert.equal(body.open(PLACE, { status, headers: rest(0, 9) }), undefined);
      assert.equal(await answer(status, rest(0, 9), []), undefined); // the status says it all
    }
  });
});

describe('a file fails for good', () => {
  for (const [why, offset, size, status, headers, words] of [
    ['of another length than expected', 0, 10, 200, { 'content-length': '11' }, 'wanted 10 bytes, got 11 bytes'],
    ['with a part of another length', 4, 10, 206, rest(4, 10, 11), 'wanted 10 bytes, got 11 bytes'],
    ['with an end that is not expected', 4, 10, 416, { 'content-range': 'bytes */3' }, 'wanted 10 bytes, got 3 bytes'],
  ] as const) {
    test(why, async () => {
      const { answer } = setUp(offset, size);
      await assert.rejects(answer(status, headers, []), (error) => {
        return error instanceof HashMismatchError && !error.transient && error.message.includes(words);
      });
    });
  }

  test('that is shorter than what has come', async () => {
    for (const [status, headers] of [
      [200, { 'content-length': '3' }],
      [416, { 'content-range': 'bytes */3' }],
    ] as const) {
      await assert.rejects(setUp(4).answer(status, headers, []), /wanted at least 4 bytes, got 3 bytes/);
    }
    const problem = await setUp(4).answer(200, {}, ['abc']);
    assert.match(problem!.message, /wanted at least 4 bytes, got 3 bytes/);
    assert.ok(!problem!.transient);
  });

  test('that changes its length between two parts', async () => {
    const { answer } = setUp();
    await answer(200, { 'content-length': '10' }, ['abcd'], false);
    await assert.rejects(answer(200, { 'content-length': '11' }, []), HashMismatchError);
  });

  test('with an encoding that is not known', async () => {
    await assert.rejects(setUp().answer(200, { 'content-encoding': 'rot13' }, []), TransferError);
  });
});
