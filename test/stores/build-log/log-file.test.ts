import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { StoreError } from '../../../src/errors.ts';
import { parseBaseName } from '../../../src/formats/store-path.ts';
import { openLogFile, pourLogFile } from '../../../src/stores/build-log/log-file.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { collect } from '../../support/store-objects.ts';

const DRV = parseBaseName(`ab${'0'.repeat(30)}-test.drv`);
const REST = `${'0'.repeat(30)}-test.drv`;

async function read(logDir: string): Promise<string | undefined> {
  let found = false;
  const bytes = await collect(async (sink) => {
    found = await pourLogFile(logDir, DRV, sink);
  });
  return found ? bytes.toString() : undefined;
}

function write(logDir: string, text: string, compress: boolean): void {
  using log = openLogFile(logDir, DRV, { compress });
  log.write(Buffer.from(text));
  log.finish();
}

describe('log files', () => {
  for (const compress of [true, false]) {
    test(`appear when they are whole, ${compress ? 'compressed' : 'plain'}`, async () => {
      await using resources = new AsyncDisposableStack();
      const dir = await temporaryDirectory(resources);
      const text = Array.from({ length: 50_000 }, (_, line) => `line ${line}\n`).join('');
      {
        using log = openLogFile(dir, DRV, { compress });
        for (const line of text.match(/.{1,777}/gs)!) log.write(Buffer.from(line));
        assert.equal(await read(dir), undefined);
        log.finish();
      }
      assert.equal(await read(dir), text);
      assert.deepEqual(readdirSync(join(dir, 'drvs/ab')), [compress ? `${REST}.bz2` : REST]);
    });
  }

  test('of which not all was written leave nothing', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    {
      using log = openLogFile(dir, DRV, { compress: true });
      log.write(Buffer.from('text'));
    }
    assert.deepEqual(readdirSync(join(dir, 'drvs/ab')), []);
  });

  test('take the place of older ones, whatever form these have, and of what a killed process left', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    for (const [text, compress] of [
      ['one', false],
      ['two', true],
      ['three', false],
      ['four', false],
    ] as const) {
      mkdirSync(join(dir, 'drvs/ab'), { recursive: true });
      writeFileSync(join(dir, 'drvs/ab', `${REST}.part`), 'much that somebody left');
      write(dir, text, compress);
      assert.equal(await read(dir), text);
      assert.equal(readdirSync(join(dir, 'drvs/ab')).length, 1);
    }
  });

  test('are read from where old versions of Nix put them', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    mkdirSync(join(dir, 'drvs'));
    writeFileSync(join(dir, 'drvs', DRV), 'old');
    assert.equal(await read(dir), 'old');
  });

  test('are not written through a symlink', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    const name = join(dir, 'drvs/ab', `${REST}.part`);
    mkdirSync(dirname(name), { recursive: true });
    symlinkSync(join(dir, 'elsewhere'), name);
    assert.throws(() => openLogFile(dir, DRV, { compress: false }), StoreError);
    assert.deepEqual(readdirSync(dir), ['drvs']);
  });

  test('that are damaged are an error with their name', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    mkdirSync(join(dir, 'drvs/ab'), { recursive: true });
    writeFileSync(join(dir, 'drvs/ab', `${REST}.bz2`), 'no bzip2');
    await assert.rejects(read(dir), (error) => error instanceof StoreError && error.message.includes(`${REST}.bz2`));
  });
});
