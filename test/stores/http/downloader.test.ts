import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError, TransferError } from '../../../src/errors.ts';
import { makeSettings } from '../../../src/settings.ts';
import { Downloader } from '../../../src/stores/http/downloader.ts';
import { type Misbehave, serveCache } from '../../support/http-cache.ts';
import { collect } from '../../support/store-objects.ts';

async function download(misbehave: Misbehave, query = ''): Promise<Buffer> {
  await using server = await serveCache('/no-such-directory', misbehave);
  await using downloader = new Downloader(makeSettings({ netrcFile: '', filetransferRetryDelay: 1 }));
  return await collect((sink) => downloader.download(`${server.url.replace('//', '//me:secret@')}/file${query}`, sink));
}

describe('downloads of single files', () => {
  test('have the bytes that were sent, and ask for these with the whole URL', async () => {
    let asked = '';
    const body = Buffer.from('no gzip at all');
    const found = await download((name) => {
      asked = name;
      return { body, headers: { 'content-encoding': 'gzip' } };
    }, '?a=b&c');
    assert.deepEqual(found, body);
    assert.equal(asked, 'file?a=b&c');
  });

  for (const status of [403, 404, 410, 400]) {
    test(`say that there is none, with status ${status} and without the password`, async () => {
      await assert.rejects(
        download(() => ({ status }), '?token=secret'),
        (error) => error instanceof TransferError && error.status === status && !/secret|token/.test(error.message),
      );
    });
  }

  test('are not of what is no URL', async () => {
    await using downloader = new Downloader(makeSettings({ netrcFile: '' }));
    await assert.rejects(
      collect((sink) => downloader.download('nothing', sink)),
      FormatError,
    );
  });
});
